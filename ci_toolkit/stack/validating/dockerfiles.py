"""Dockerfiles that were rendered: each says how the health of its container is found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.service_check import has_healthcheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.output import Output


def dockerfile_faults(outputs: Iterable[Output]) -> Iterator[str]:
    """A sentence for each that has no HEALTHCHECK."""
    for output in outputs:
        name = output.path.rpartition("/")[2]
        if name.startswith("Dockerfile") and not has_healthcheck(output.content.decode()):
            yield f"{output.path} has no HEALTHCHECK"
