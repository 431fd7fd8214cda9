"""nginx in front of the farm, and of what plugins serve."""
