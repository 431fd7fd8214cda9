"""Whether what was rendered is what the programs that read it understand, and fits together."""
