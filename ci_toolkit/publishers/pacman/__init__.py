"""Publishing to a signed repository of pacman."""
