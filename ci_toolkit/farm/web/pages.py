"""Pages for people: the farm at a glance, its queue, its workers, packages and jobs with their logs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Response
from markupsafe import Markup

from ci_toolkit.farm.web.answers import RequestError
from ci_toolkit.farm.web.log_reading import passage
from ci_toolkit.farm.web.page_templates import Pages
from ci_toolkit.farm.web.reading import LOG_COMPLETE, LOG_NEXT, log_start, queue_of
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.reports.build_site.ansi_html import ansi_html
from ci_toolkit.reports.build_site.pages import LONGEST_LOG, phase_shares
from ci_toolkit.reports.build_site.templating import seconds_text

if TYPE_CHECKING:
    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.web.desk import Call, Desk
    from ci_toolkit.farm.web.estimates import QueuePlace
    from ci_toolkit.farm.web.log_reading import Passage
    from ci_toolkit.model.worker import Worker

_MOST_LISTED = 10
_MOST_QUEUED = 500
_FAILURES = tuple(state for state in JobState if state.is_failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A job of one of the repositories; `expected` is when something is going to happen, in words."""

    repository: str
    job: Job
    reason: str
    position: int | None = None
    expected: str = ""


def overview_page(desk: Desk, call: Call) -> Response:  # noqa: ARG001 - as every view
    """Workers, what is built, and what failed last."""
    building, failed, built, counts = [], [], [], []
    for repository in desk.farm.repositories.values():
        with desk.databases.opened(repository) as database:
            active = database.jobs(JobFilter(states=frozenset({JobState.BUILDING, JobState.PUBLISHING})))
            numbers = database.counts()
            failures = database.latest(
                [state for state in JobState if state.is_failure], most=_MOST_LISTED, standing=True
            )
            good = database.latest([JobState.SUCCEEDED], most=_MOST_LISTED)
        building += [_shown(repository, job) for job in active]
        failed += [_shown(repository, job) for job in failures]
        built += [_shown(repository, job) for job in good]
        counts.append((repository, [(state, count) for state, (count, _) in numbers.items()]))
    return desk.pages.answer(
        desk,
        "overview.html",
        script=Pages.FRESH,
        workers=desk.farm.workers(),
        faults=desk.farm.faults(),
        building=building,
        counts=counts,
        failed=_newest(failed),
        built=_newest(built),
    )


def queue_page(desk: Desk, call: Call) -> Response:  # noqa: ARG001
    """What has not been built yet, with reasons."""
    now_s = desk.clock.now()
    queues = []
    for repository in desk.farm.repositories.values():
        places = queue_of(desk, repository)
        rows = [
            _Shown(
                repository=repository.name,
                job=place.job,
                reason=place.reason,
                position=place.position,
                expected=_expected(place, now_s),
            )
            for place in places[:_MOST_QUEUED]
        ]
        queues.append((repository.name, rows, len(places) - len(rows)))
    workers = [worker for worker in desk.farm.workers() if worker.state.takes_builds]
    return desk.pages.answer(
        desk,
        "queue.html",
        script=Pages.FRESH,
        queues=queues,
        slots=sum(worker.slots for worker in workers),
        free=sum(worker.free for worker in workers),
        faults=desk.farm.faults(),
    )


def workers_page(desk: Desk, call: Call) -> Response:  # noqa: ARG001
    """The machines."""
    names: dict[tuple[str, int], str] = {}
    found = desk.farm.workers()
    for repository, number in _running(found):
        place = desk.farm.repositories.get(repository)
        if place is not None:
            with desk.databases.opened(place) as database:
                known = database.jobs(JobFilter(numbers=frozenset({number})))
            names.update(((repository, number), job.pkgbase) for job in known)
    counts = Counter(worker.state for worker in found)
    return desk.pages.answer(
        desk, "workers.html", script=Pages.FRESH, workers=found, names=names, counts=sorted(counts.items(), key=str)
    )


def package_page(desk: Desk, call: Call, repository: str, pkgbase: str) -> Response:  # noqa: ARG001
    """A package with all its builds."""
    place = desk.repository(repository)
    with desk.databases.opened(place) as database:
        found = database.jobs(JobFilter(packages=frozenset({Pkgbase(pkgbase)})))
    if not found:
        raise RequestError(404, f"{place.name} has no builds of {pkgbase}")
    logs = desk.logs(place)
    rows = [(job, logs.is_there(job)) for job in reversed(found)]
    return desk.pages.answer(desk, "history.html", repository=place.name, name=pkgbase, rows=rows)


def job_page(desk: Desk, call: Call, repository: str, number: int) -> Response:  # noqa: ARG001
    """A job with its log."""
    place = desk.repository(repository)
    found = desk.job(place, number)
    with desk.databases.opened(place) as database:
        steps = database.transitions(number)
    log, start = _end_of_log(desk, place, found)
    return desk.pages.answer(
        desk,
        "job.html",
        script=Pages.FOLLOW,
        repository=place.name,
        job=found,
        steps=steps,
        phases=phase_shares(found),
        log=None if log is None else Markup(ansi_html(_whole_lines(log.text, start))),  # noqa: S704 - which escapes
        following=log.following if log else 0,
        is_last=log is None or log.is_last,
        is_cut=start > 0,
    )


def log_lines(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """What a page adds to the log that it shows."""
    place = desk.repository(repository)
    part = passage(desk, place, desk.job(place, number), start=log_start(call), most=LONGEST_LOG)
    headers = {LOG_NEXT: str(part.following), LOG_COMPLETE: str(part.is_last).lower()}
    return Response(ansi_html(part.text), headers=headers, content_type="text/html; charset=utf-8")


def error_page(desk: Desk, error: RequestError) -> Response:
    """An error for people."""
    return desk.pages.answer(desk, "error.html", status=error.status, error=error)


def _shown(repository: FarmRepository, job: Job) -> _Shown:
    return _Shown(repository=repository.name, job=job, reason=job.reason)


def _newest(shown: list[_Shown]) -> list[_Shown]:
    return sorted(shown, key=lambda one: one.job.ended_at_s or 0.0, reverse=True)[:_MOST_LISTED]


def _running(workers: tuple[Worker, ...]) -> list[tuple[str, int]]:
    return [one for worker in workers for one in worker.running]


def _end_of_log(desk: Desk, repository: FarmRepository, job: Job) -> tuple[Passage | None, int]:
    """The last part of a job's log, from which byte on; None where there is none and will be none."""
    size = desk.logs(repository).size(job)
    start = max(0, (size or 0) - LONGEST_LOG)
    if size is None and job.state.is_over:
        return None, 0
    found = passage(desk, repository, job, start=start, most=2 * LONGEST_LOG)
    return found, start


def _whole_lines(text: str, start: int) -> str:
    """Without the rest of a line that is at the beginning of what is not the beginning."""
    return text.partition("\n")[2] if start else text


def _expected(place: QueuePlace, now_s: float) -> str:
    """When a job begins and ends, in words."""
    if place.starts_at_s is None:
        return "unknown"
    words = [] if place.position is None else [f"begins {_in_about(place.starts_at_s - now_s)}"]
    done = "unknown" if place.ends_at_s is None else _in_about(place.ends_at_s - now_s)
    return ", ".join([*words, f"done {done}" if done != "unknown" else "takes an unknown time"])


def _in_about(seconds: float) -> str:
    if seconds < 1:
        return "now"
    if seconds < 60:
        return "within a minute"
    minutes = round(seconds / 60)
    return f"in {minutes} min" if minutes < 60 else f"in {seconds_text(60 * minutes)}"
