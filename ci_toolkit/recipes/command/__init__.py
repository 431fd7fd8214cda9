"""Building with a command of the owner."""
