"""Jobs out of what a chaotic-manager tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError
from ci_toolkit.formats.manager_queue import end_of_log
from ci_toolkit.formats.terminal_text import without_sequences
from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.backends.manager_web import ManagerWeb
    from ci_toolkit.formats.manager_queue import ManagerQueue, QueuedBuild

_END_BYTES = 1 << 16
_SILENT = "it is not in the queue any more, and its log does not say how it ended"


def queued_jobs(queue: ManagerQueue, repository: str) -> tuple[Job, ...]:
    """The jobs of one published repository, numbered as they come: what is built, then what waits."""
    ours = (build for build in queue.builds if build.repository == repository and is_pkgbase(build.pkgbase))
    return tuple(_job(number, build) for number, build in enumerate(ours, start=1))


def ended_job(web: ManagerWeb, pkgbase: Pkgbase) -> Job | None:
    """The last build of a package that is not in the queue, by the end of its log; None without one.

    It has no number, which only those in the queue have.
    """
    try:
        end = _last_bytes(web.complete_log(pkgbase))
    except NotReadyError:
        return None
    text = without_sequences(end.decode(errors="replace"))
    state, reason = end_of_log(text, pkgbase) or (JobState.CANCELLED, _SILENT)
    return Job(
        number=0,
        pkgbase=pkgbase,
        state=state,
        reason=reason,
        request="",
        commit="",
        builder_class=None,
        queued_at_s=0.0,
    )


def _job(number: int, build: QueuedBuild) -> Job:
    return Job(
        number=number,
        pkgbase=Pkgbase(build.pkgbase),
        state=JobState.QUEUED if build.node is None else JobState.BUILDING,
        reason="it waits for a builder" if build.node is None else f"it is built by {build.node}",
        request="",
        commit="",
        builder_class=build.builder_class,
        queued_at_s=build.queued_at_s or 0.0,
        log_of=number,
        worker=build.node,
    )


def _last_bytes(chunks: Iterable[bytes] | Iterator[bytes]) -> bytes:
    end = b""
    for chunk in chunks:
        end = (end + chunk)[-_END_BYTES:]
    return end
