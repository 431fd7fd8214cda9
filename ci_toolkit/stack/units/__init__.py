"""The stack without containers: units of systemd, and what those of the distribution are told."""
