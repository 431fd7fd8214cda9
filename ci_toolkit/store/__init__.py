"""What was built, kept once by content, with an index of which build made which file."""
