"""From a snapshot and observations to a plan: pure functions, tested with plain data."""
