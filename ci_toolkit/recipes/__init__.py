"""How a package folder is described and built, a file a recipe."""
