"""What a run says: to people at a terminal or in a CI log, and to machines."""
