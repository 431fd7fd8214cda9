"""Where built packages go, one file a kind."""
