"""The farm's side of the build service over gRPC, which is imported where `farm.toml` has `[grpc]` alone."""
