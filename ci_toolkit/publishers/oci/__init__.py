"""Publishing to a registry of images."""
