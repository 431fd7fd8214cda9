"""Where reviews are shown to people: one file a forge, registered as entry point `ci_toolkit.forges`."""
