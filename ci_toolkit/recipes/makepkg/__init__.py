"""Building packages of pacman with makepkg."""
