"""A farm: one master that many machines build for. Everything that needs Buildbot is here and nowhere else."""
