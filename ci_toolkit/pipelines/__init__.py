"""The order of the steps of each pipeline, and nothing else."""
