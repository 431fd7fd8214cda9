"""What can be said of a repository's files before they are pushed: pure functions, one file a check."""
