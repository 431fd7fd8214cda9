"""The command line: one file a subcommand; arguments in, one call, exit status out."""
