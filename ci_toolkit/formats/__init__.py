"""Text to values and back, byte for byte: no disk, clock, environment or network."""
