"""Building with Nix."""
