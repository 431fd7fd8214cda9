"""Two answers in the shapes of a chaotic-manager, for what was written to read its.

Source: what a running one answered, May 2026: JSON that is sent as `text/plain`, and logs as text that grows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Response

from ci_toolkit.farm.web.answers import RequestError
from ci_toolkit.farm.web.log_reading import followed, passage
from ci_toolkit.farm.web.reading import followed_log
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.model.names import Pkgbase, is_pkgbase
from ci_toolkit.model.worker import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.web.desk import Call, Desk

_ARCHITECTURE = "x86_64"
_FIRST_IN_MS = 100_000_000_000  # in seconds that would be the year 5138
_ACTIVE = frozenset({JobState.BUILDING, JobState.PUBLISHING})


def queue_stats(desk: Desk, call: Call) -> Response:  # noqa: ARG001 - as every view
    """What is built, what waits and who is idle."""
    active, waiting = [], []
    for repository in desk.farm.repositories.values():
        with desk.databases.opened(repository) as database:
            unfinished = database.unfinished()
        for job in unfinished:
            record = {"name": f"{repository.name}/{_ARCHITECTURE}/{job.pkgbase}", "build_class": _class(job)}
            if job.state in _ACTIVE:
                link = f"{desk.farm.url.rstrip('/')}/jobs/{repository.name}/{job.number}"
                active.append({**record, "node": job.worker or "", "liveLog": link})
            else:
                waiting.append(record)
    idle = [
        {"name": worker.name, "build_class": worker.builder_class}
        for worker in desk.farm.workers()
        if worker.state is WorkerState.IDLE
    ]
    stats: dict[str, Any] = {
        "active": {"count": len(active), "packages": active},
        "waiting": {"count": len(waiting), "packages": waiting},
        "idle": {"count": len(idle), "nodes": idle},
    }
    headers = {"Cache-Control": "no-cache"}
    if desk.farm.is_public:  # pages of other sites show it
        headers["Access-Control-Allow-Origin"] = "*"
    return Response(json.dumps(stats), headers=headers, content_type="text/plain; charset=utf-8")


def package_log(desk: Desk, call: Call, pkgbase: str) -> Response:  # noqa: ARG001
    """The log of a package's last build."""
    return _answer(desk, _last(desk, _package(pkgbase)))


def package_log_of(desk: Desk, call: Call, pkgbase: str, timestamp: str) -> Response:  # noqa: ARG001
    """The log of the build that began, or was queued, at a time in milliseconds or seconds since 1970."""
    name = _package(pkgbase)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 18):
        raise RequestError(400, "this is no time in milliseconds since 1970")
    return _answer(desk, _of_time(desk, name, int(timestamp)))


def _answer(desk: Desk, found: tuple[FarmRepository, Job] | None) -> Response:
    """The log as it grows, or, when too many read already, as it is."""
    if found is None:
        raise RequestError(404, "no build of that package has a log")
    repository, job = found
    if not job.state.is_over:
        try:
            return followed_log(desk, repository, job, start=0)
        except RequestError as error:
            if error.status != 429:
                raise
    first = passage(desk, repository, job, start=0)

    def pieces() -> Iterator[str]:
        yield first.text
        if job.state.is_over:
            yield from () if first.is_last else followed(desk, repository, job, start=first.following)

    return Response(pieces(), content_type="text/plain; charset=utf-8")


def _last(desk: Desk, name: Pkgbase) -> tuple[FarmRepository, Job] | None:
    found = [(repository, job) for repository, job in _jobs(desk, name) if desk.logs(repository).is_there(job)]
    return max(found, key=lambda one: _began(one[1]), default=None)


def _of_time(desk: Desk, name: Pkgbase, timestamp: int) -> tuple[FarmRepository, Job] | None:
    found = [
        (repository, job)
        for repository, job in _jobs(desk, name)
        if any(_is_at(at_s, timestamp) for at_s in (job.started_at_s, job.queued_at_s)) and job.log_of is not None
    ]
    # Two jobs may have been queued in the same second; of those the one that began then is meant.
    return max(found, key=lambda one: (_is_at(one[1].started_at_s, timestamp), one[1].number), default=None)


def _is_at(at_s: float | None, timestamp: int) -> bool:
    if at_s is None:
        return False
    return abs(at_s * 1000 - timestamp) < 1 if timestamp >= _FIRST_IN_MS else int(at_s) == timestamp


def _jobs(desk: Desk, name: Pkgbase) -> Iterator[tuple[FarmRepository, Job]]:
    for repository in desk.farm.repositories.values():
        with desk.databases.opened(repository) as database:
            found = database.jobs(JobFilter(packages=frozenset({name})))
        yield from ((repository, job) for job in found)


def _began(job: Job) -> float:
    return job.started_at_s or job.queued_at_s


def _package(text: str) -> Pkgbase:
    if not is_pkgbase(text):
        raise RequestError(400, "this is no possible name of a package")
    return Pkgbase(text)


def _class(job: Job) -> int | str:
    own = job.builder_class or "1"
    return int(own) if own.isdecimal() else own
