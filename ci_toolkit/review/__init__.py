"""Telling harmless changes of a package from those that a person must see."""
