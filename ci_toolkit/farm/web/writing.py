"""Views that change something: schedules, jobs and workers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import RefusedError, shortened
from ci_toolkit.farm.web.access import require_repository, require_source
from ci_toolkit.farm.web.answers import RequestError, json_answer
from ci_toolkit.farm.web.intake import read_body, read_schedule
from ci_toolkit.model.news import ReviewCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from ci_toolkit.backends.schedule_intake import Submission
    from ci_toolkit.farm.pipeline_book import ToldLast
    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.web.desk import Call, Desk
    from ci_toolkit.model.job import Job
    from ci_toolkit.scheduling.schedule import Schedule

_WORD = re.compile(r"[a-z0-9_-]{1,32}")
_OUTCOME = re.compile(r"[a-z0-9 _-]{1,32}")
_FEW_DIGITS = re.compile(r"[0-9]{1,9}")
_MOST_REVIEWS = 100_000
_UNKNOWN = "unknown"
_MOST_SOURCES, _MOST_OUTCOMES, _MOST = 50, 20, 1_000_000_000
_LONGEST_REASON = 300


def submit(desk: Desk, call: Call, repository: str) -> Response:
    """Take a schedule; once it is answered, it is on disk."""
    try:
        answer = _submit(desk, call, repository)
    except RequestError as error:
        desk.metrics.submitted("too large" if error.status == 413 else "malformed" if error.status == 400 else "denied")
        raise
    except RefusedError:
        desk.metrics.submitted("denied")
        raise
    except Exception:
        desk.metrics.submitted("failed")
        raise
    return answer


def _submit(desk: Desk, call: Call, repository: str) -> Response:
    place = desk.repository(repository)
    require_repository(call.client, place)
    source = _own_source(call, place, call.request.args.get("source", ""))
    # A schedule may take a multiple of its size while it is read, so that few are read at once.
    with desk.unpacking:
        content = read_body(call.request.stream, call.request.headers.get("Content-Encoding", ""))
        handed = read_schedule(content)
        del content
        with desk.databases.opened(place) as database:
            done = database.submit(handed.schedule, handed.folders, source=source, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    desk.metrics.submitted("known" if done.taken_before else "taken")
    record = {
        "said": _acknowledgement(handed.schedule, done),
        "jobs": list(done.jobs),
        "replaced": done.replaced,
        "taken_before": done.taken_before,
    }
    return json_answer(record, 200 if done.taken_before else 201)


def _acknowledgement(schedule: Schedule, done: Submission) -> str:
    if done.taken_before:
        return "the farm has this schedule already"
    count = len(done.jobs)
    said = [f"{count} build{'' if count == 1 else 's'} queued on the farm"] if count else []
    said += [f"{done.replaced} older replaced"] if done.replaced else []
    said += ["packages that are gone will be removed"] if schedule.remaining is not None else []
    return ", ".join(said) or "there was nothing to do"


def cancel(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """End a job."""
    place, found = _own_job(desk, call, repository, number)
    reason = _reason(desk, call)
    with desk.databases.opened(place) as database:
        database.cancel(found, reason, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    return json_answer({"said": f"job {number} ends"})


def retry(desk: Desk, call: Call, repository: str, number: int) -> Response:
    """Try a job again."""
    place, found = _own_job(desk, call, repository, number)
    with desk.databases.opened(place) as database:
        new = database.retry(found, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    return json_answer({"job": new}, 201)


def checks(desk: Desk, call: Call, repository: str) -> Response:
    """Count what a pipeline has asked its upstreams."""
    place = desk.repository(repository)
    require_repository(call.client, place)
    counts = _json(call)
    if not _are_counts(counts):
        hint = 'such as {"aur": {"unchanged": 2100, "failed": 2}}'
        raise RequestError(400, "these are no counts by source and outcome", hint=hint)
    source, reviews = _told_source(call, place), _told_reviews(call)
    desk.metrics.checked(place.name, counts)
    now_s = desk.clock.now()
    before = desk.farm.pipelines.note(place.name, source, at_s=now_s, open_reviews=reviews.open if reviews else None)
    if reviews is not None:
        desk.metrics.reviewed(place.name, source, **_changes(reviews, before))
    return json_answer({"said": "they are counted"})


def _told_source(call: Call, place: FarmRepository) -> str:
    """The package repository whose pipeline tells this; older ones do not say, and cannot always be told apart."""
    source = call.request.args.get("source")
    if source is None:
        return place.sources[0] if len(place.sources) == 1 else _UNKNOWN
    return _own_source(call, place, source)


def _own_source(call: Call, place: FarmRepository, source: str) -> str:
    if source not in place.sources:
        hint = f"its sources are {', '.join(place.sources)}"
        raise RequestError(404, f"{place.name} has no packages of {shortened(source)!r}", hint=hint)
    require_source(call.client, source)
    return source


def _told_reviews(call: Call) -> ReviewCounts | None:
    """How many reviews there are, if that is told; older pipelines do not, and some have nothing to do with any."""
    texts = [call.request.args.get(key) for key in ("reviews_open", "reviews_opened")]
    if texts == [None, None]:
        return None
    if not all(text and _FEW_DIGITS.fullmatch(text) and int(text) <= _MOST_REVIEWS for text in texts):
        hint = f"two whole numbers up to {_MOST_REVIEWS:,}"
        raise RequestError(400, "reviews_open and reviews_opened are no numbers of reviews", hint=hint)
    return ReviewCounts(open=int(texts[0] or 0), opened=int(texts[1] or 0))


def _changes(reviews: ReviewCounts, before: ToldLast | None) -> dict[str, int]:
    """How many reviews were opened and closed since they were told of before.

    What is gone is counted here, as people merge and close reviews while no pipeline looks. What a pipeline opened
    and did not live to tell of is more than it says.
    """
    if before is None or before.open_reviews is None:
        return {"opened": reviews.opened, "closed": 0}
    opened = max(reviews.opened, reviews.open - before.open_reviews)
    return {"opened": opened, "closed": max(0, before.open_reviews + opened - reviews.open)}


def drain(desk: Desk, call: Call, worker: str) -> Response:
    """Have a worker take nothing more."""
    reason = _reason(desk, call)
    _with_worker(lambda: desk.farm.drain(worker, reason))
    return json_answer({"said": f"{worker} finishes what it builds"})


def resume(desk: Desk, call: Call, worker: str) -> Response:  # noqa: ARG001 - as every view
    """Have a worker take builds again."""
    _with_worker(lambda: desk.farm.resume(worker))
    return json_answer({"said": f"{worker} takes builds"})


def _own_job(desk: Desk, call: Call, repository: str, number: int) -> tuple[FarmRepository, Job]:
    """A job that this client may change: it was scheduled by a repository that it speaks for."""
    place = desk.repository(repository)
    require_repository(call.client, place)
    found = desk.job(place, number)
    with desk.databases.opened(place) as database:
        source = database.source_of(number)
    if source is not None:
        require_source(call.client, source)
    return place, found


def _with_worker(change: Callable[[], None]) -> None:
    try:
        change()
    except RefusedError as error:
        raise RequestError(404, error.problem, hint=error.hint) from error


def _json(call: Call) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(call.request.get_data(cache=False) or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "the request is no JSON") from error


def _reason(desk: Desk, call: Call) -> str:
    """What others are told."""
    record = _json(call)
    reason = record.get("reason") if isinstance(record, dict) else None
    if not isinstance(reason, str) or not 0 < len(reason) <= _LONGEST_REASON or not reason.isprintable():
        raise RequestError(400, f"a reason is needed: one line of at most {_LONGEST_REASON} characters")
    return desk.redactor.clean(reason)


def _are_counts(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST_SOURCES:
        return False
    return all(
        _WORD.fullmatch(source)
        and isinstance(outcomes, dict)
        and len(outcomes) <= _MOST_OUTCOMES
        and all(_OUTCOME.fullmatch(outcome) and _is_count(count) for outcome, count in outcomes.items())
        for source, outcomes in value.items()
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
