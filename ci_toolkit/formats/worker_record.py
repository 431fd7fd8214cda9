"""Workers of a farm as objects of JSON, as farms send them and commands print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ci_toolkit.model.worker import Worker


def worker_record(worker: Worker) -> dict[str, Any]:
    """What a worker is; `since` is in seconds since 1970."""
    return {
        "name": worker.name,
        "class": worker.builder_class,
        "slots": worker.slots,
        "used": worker.used,
        "free": worker.free,
        "state": worker.state.value,
        "reason": worker.reason,
        "health": worker.state.health.value,
        "since": worker.since_s,
        "running": [{"repository": repository, "job": number} for repository, number in worker.running],
        "version": worker.version,
        "machine": worker.machine,
    }
