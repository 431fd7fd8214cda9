"""The build service over gRPC: its messages, and the backend that speaks to it."""
