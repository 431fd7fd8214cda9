"""The images that a stack in containers is made of, where stack.toml names no other: versions, and never `latest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.stack.stack_file import Stack

IMAGES = {
    "postgres": "docker.io/library/postgres:17.11-bookworm",
    "redis": "docker.io/library/redis:8.6.1-alpine",
    "nginx": "docker.io/library/nginx:1.28.0",
    "prometheus": "docker.io/prom/prometheus:v3.5.0",
    "alertmanager": "docker.io/prom/alertmanager:v0.28.1",
    # From 3.6.0 on the image has no program that a health check could be made with (grafana/loki#20149).
    "loki": "docker.io/grafana/loki:3.5.1",
    "promtail": "docker.io/grafana/promtail:3.5.1",
    "grafana": "docker.io/grafana/grafana:12.1.1",
}


def image_of(stack: Stack, part: str) -> str:
    """The image of one of `IMAGES`."""
    return stack.images.get(part, IMAGES[part])
