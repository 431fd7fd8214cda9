"""Builders and loopback services for tests, benchmarks and the demo."""
