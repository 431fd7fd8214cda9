"""Values and pure decisions: no disk, clock, environment or network."""
