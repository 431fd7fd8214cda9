"""Who builds: one file a backend, registered as entry point `ci_toolkit.backends`."""
