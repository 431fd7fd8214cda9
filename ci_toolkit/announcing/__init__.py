"""Telling people and plugins what becomes of builds, so that nothing is lost and as little as possible comes twice."""
