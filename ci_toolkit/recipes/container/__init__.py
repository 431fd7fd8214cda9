"""Building images of containers."""
