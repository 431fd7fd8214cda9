"""Publishing to a binary cache of Nix."""
