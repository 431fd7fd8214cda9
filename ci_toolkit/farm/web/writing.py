"""Views that change something: schedules, jobs and workers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.farm.web.answers import RequestError, json_answer
from ci_toolkit.farm.web.intake import read_body, read_schedule
from ci_toolkit.farm.web.orders import (
    MOST_REVIEWS,
    cancel_job,
    drain_worker,
    note_checks,
    purge,
    resume_worker,
    retry_job,
    take_schedule,
)
from ci_toolkit.formats.job_record import job_record
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.model.news import ReviewCounts

if TYPE_CHECKING:
    from flask import Response

    from ci_toolkit.backends.handed_schedule import HandedSchedule
    from ci_toolkit.farm.web.desk import Call, Desk

_NO_TIME_S = 1e11
_FEW_DIGITS = re.compile(r"[0-9]{1,9}")


def submit(desk: Desk, call: Call, repository: str) -> Response:
    """Take a schedule; once it is answered, it is on disk."""

    def read() -> HandedSchedule:
        return read_schedule(read_body(call.request.stream, call.request.headers.get("Content-Encoding", "")))

    taken = take_schedule(desk, call.client, repository, call.request.args.get("source", ""), read)
    record = {
        "said": taken.said,
        "jobs": list(taken.done.jobs),
        "replaced": taken.done.replaced,
        "taken_before": taken.done.taken_before,
    }
    return json_answer(record, 200 if taken.done.taken_before else 201)


def cancel(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """End a job."""
    return json_answer({"said": cancel_job(desk, call.client, repository, number, _reason(call))})


def retry(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """Try a job again."""
    return json_answer({"job": retry_job(desk, call.client, repository, number)}, 201)


def purge_finished(desk: Desk, call: Call, repository: str) -> Response:
    """Forget jobs that ended before a time."""
    record = _json(call)
    before, dry_run = (record.get("before"), record.get("dry_run", False)) if isinstance(record, dict) else (None, None)
    if not isinstance(before, str | int | float) or isinstance(before, bool) or not isinstance(dry_run, bool):
        raise RequestError(400, "before and dry_run are needed", hint='such as {"before": "30d", "dry_run": true}')
    text = before if isinstance(before, str) else _digits(before)
    before_s = parse_moment(text, now_s=desk.clock.now(), key="before")
    gone = purge(desk, call.client, repository, before_s, dry_run=dry_run)
    return json_answer({"dry_run": dry_run, "jobs": [job_record(job) for job in gone]})


def checks(desk: Desk, call: Call, repository: str) -> Response:
    """Count what a pipeline has asked its upstreams."""
    source, reviews = call.request.args.get("source"), _told_reviews(call)
    return json_answer(
        {"said": note_checks(desk, call.client, repository, _json(call), source=source, reviews=reviews)}
    )


def drain(desk: Desk, call: Call, worker: str) -> Response:
    """Have a worker take nothing more."""
    return json_answer({"said": drain_worker(desk, worker, _reason(call))})


def resume(desk: Desk, call: Call, worker: str) -> Response:  # noqa: ARG001 - as every view
    """Have a worker take builds again."""
    return json_answer({"said": resume_worker(desk, worker)})


def _digits(seconds: float) -> str:
    """Seconds since 1970 as times are written; nothing for what is none."""
    return f"{seconds:.6f}" if abs(seconds) < _NO_TIME_S else ""


def _told_reviews(call: Call) -> ReviewCounts | None:
    """How many reviews there are, if that is told; older pipelines do not, and some have nothing to do with any."""
    texts = [call.request.args.get(key) for key in ("reviews_open", "reviews_opened")]
    if texts == [None, None]:
        return None
    if not all(text and _FEW_DIGITS.fullmatch(text) for text in texts):
        hint = f"two whole numbers up to {MOST_REVIEWS:,}"
        raise RequestError(400, "reviews_open and reviews_opened are no numbers of reviews", hint=hint)
    return ReviewCounts(open=int(texts[0] or 0), opened=int(texts[1] or 0))


def _json(call: Call) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(call.request.get_data(cache=False) or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "the request is no JSON", hint="/api/openapi.json says what is sent here") from error


def _reason(call: Call) -> object:
    record = _json(call)
    return record.get("reason") if isinstance(record, dict) else None
