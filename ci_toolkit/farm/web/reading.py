"""Views that tell of repositories, jobs, queues and workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from ci_toolkit.farm.web.answers import RequestError, json_answer
from ci_toolkit.farm.web.asking import artifacts_of, job_of, jobs_of, presented, require_few, steps_of, workers_of
from ci_toolkit.farm.web.estimates import HISTORY, queue_places
from ci_toolkit.farm.web.log_reading import followed, passage
from ci_toolkit.formats.artifact_record import artifact_record
from ci_toolkit.formats.job_record import job_record, step_record
from ci_toolkit.formats.worker_record import worker_record
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.scheduling.dependencies import edges
from ci_toolkit.scheduling.queue import Needs

if TYPE_CHECKING:
    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.web.desk import Call, Desk
    from ci_toolkit.farm.web.estimates import QueuePlace

LOG_NEXT, LOG_COMPLETE, JOB_STATE = "Log-Next", "Log-Complete", "Job-State"
_STATES = {state.value.replace(" ", "-"): state for state in JobState}
_FRESH_S = 1.0


def repositories(desk: Desk, call: Call) -> Response:  # noqa: ARG001 - as every view
    """Those that the farm publishes."""
    faults = desk.farm.faults()
    found = [
        {"name": one.name, "sources": list(one.sources), "fault": _said(desk, faults.get(one.name))}
        for one in desk.farm.repositories.values()
    ]
    return json_answer({"repositories": found})


def jobs(desk: Desk, call: Call, repository: str) -> Response:
    """Jobs, chosen by the query."""
    return json_answer({"jobs": [job_record(job) for job in jobs_of(desk, repository, _filter(call))]})


def job(desk: Desk, call: Call, repository: str, number: int) -> Response:  # noqa: ARG001
    """One job with its steps."""
    found = job_of(desk, repository, number)
    records = [step_record(step) for step in steps_of(desk, repository, number)]
    return json_answer({**job_record(found), "transitions": records})


def artifacts(desk: Desk, call: Call, repository: str, number: int) -> Response:  # noqa: ARG001
    """What a job made, with digests."""
    found = artifacts_of(desk, repository, number)
    return json_answer({"artifacts": [artifact_record(one) for one in found]})


def log(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """A log from a byte on, or as it grows."""
    place = desk.repository(repository)
    start = log_start(call)
    found = desk.job(place, number)
    if call.request.args.get("follow", "") not in ("", "0", "false"):
        return followed_log(desk, place, found, start=start)
    part = passage(desk, place, found, start=start)
    headers = {
        LOG_NEXT: str(part.following),
        LOG_COMPLETE: str(part.is_last).lower(),
        JOB_STATE: found.state.value,
    }
    return Response(part.text, headers=headers, content_type="text/plain; charset=utf-8")


def followed_log(desk: Desk, repository: FarmRepository, job: Job, *, start: int) -> Response:
    """A log as it grows; RequestError 429 when as many read already as there may be."""
    passage(desk, repository, job, start=start, most=1)  # so that one that is not there is told in the status
    if not desk.followers.acquire(blocking=False):
        hint = "ask for the log from a byte on, again and again"
        raise RequestError(429, "too many follow logs at the moment", hint=hint, headers={"Retry-After": "5"})
    answer = Response(
        followed(desk, repository, job, start=start),
        headers={JOB_STATE: job.state.value},
        content_type="text/plain; charset=utf-8",
    )
    answer.call_on_close(desk.followers.release)
    return answer


def queue(desk: Desk, call: Call, repository: str) -> Response:  # noqa: ARG001
    """What has begun and what waits, with reasons and guesses."""
    places = queue_of(desk, desk.repository(repository))
    workers = desk.farm.workers()
    record = {
        "slots": sum(worker.slots for worker in workers if worker.state.takes_builds),
        "free": sum(worker.free for worker in workers),
        "places": [_place_record(desk, place) for place in places],
    }
    return json_answer(record)


def queue_of(desk: Desk, repository: FarmRepository) -> tuple[QueuePlace, ...]:
    """Where the jobs of a repository are that are not over, as of this moment or the one before."""
    # Thousands of jobs take a while, in which the farm does nothing else: many readers cost no more than one.
    with desk.queues.lock:
        known = desk.queues.by_repository.get(repository.name)
        now_s = desk.clock.monotonic()
        if known is None or not 0 <= now_s - known[0] < _FRESH_S:
            known = (now_s, _queue_now(desk, repository))
            desk.queues.by_repository[repository.name] = known
        return known[1]


def _queue_now(desk: Desk, repository: FarmRepository) -> tuple[QueuePlace, ...]:
    with desk.databases.opened(repository) as database:
        unfinished = database.unfinished()
        if not unfinished:
            return ()
        needs = Needs(edges(database.deptree().values()))
        failures = database.failures()
        durations = database.durations(most=HISTORY)
    return queue_places(
        unfinished,
        needs,
        repository=repository.name,
        failures=failures,
        workers=desk.farm.workers(),
        durations=durations,
        now_s=desk.clock.now(),
    )


def workers(desk: Desk, call: Call) -> Response:  # noqa: ARG001
    """Every machine."""
    return json_answer({"workers": [worker_record(worker) for worker in workers_of(desk)]})


def _filter(call: Call) -> JobFilter:
    asked = call.request.args
    states = set()
    for word in asked.getlist("state"):
        if word.replace(" ", "-") not in _STATES:
            raise RequestError(400, f"{word!r} is no state of a job", hint=f"there are {', '.join(_STATES)}")
        states.add(_STATES[word.replace(" ", "-")])
    numbers, packages = asked.getlist("number"), asked.getlist("package")
    require_few(numbers)
    require_few(packages)
    return JobFilter(
        packages=frozenset(packages),
        states=frozenset(states),
        numbers=frozenset(_whole(text, "number") for text in numbers),
        newest=asked.get("newest", "") not in ("", "0", "false"),
    )


def log_start(call: Call) -> int:
    """The byte of a log that is asked for."""
    return _whole(call.request.args.get("from", "0"), "from")


def _whole(text: str, key: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise RequestError(400, f"{key} is no whole number")
    return int(text)


def _said(desk: Desk, text: str | None) -> str | None:
    return None if text is None else desk.redactor.clean(text)


def _place_record(desk: Desk, place: QueuePlace) -> dict[str, Any]:
    return {
        "job": job_record(presented(desk, place.job)),
        "position": place.position,
        "reason": desk.redactor.clean(place.reason),
        "starts_at": place.starts_at_s,
        "ends_at": place.ends_at_s,
    }
