"""Publishing to a plain directory of files."""
