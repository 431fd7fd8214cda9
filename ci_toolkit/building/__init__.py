"""Builds on this machine: the order of their steps, from a queued job to published packages."""
