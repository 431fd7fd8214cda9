"""In which order and on which builders packages are built."""
