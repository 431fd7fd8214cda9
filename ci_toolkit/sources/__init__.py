"""Kinds of upstream: one file a kind, registered as entry point `ci_toolkit.sources`."""
