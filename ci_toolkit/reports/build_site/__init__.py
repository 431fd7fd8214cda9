"""Builds as a static site: plain files that any web server, or none, shows."""
