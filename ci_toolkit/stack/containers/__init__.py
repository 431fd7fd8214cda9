"""The stack in containers: compose files, their images and environment."""
