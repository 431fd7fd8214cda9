"""What clients have a farm do, whichever way they ask: each order is judged, done and counted here and nowhere else."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from ci_toolkit.backends.job_purge import purge_jobs
from ci_toolkit.errors import ConfigError, FormatError, RefusedError, shortened
from ci_toolkit.farm.web.access import require_repository, require_source
from ci_toolkit.farm.web.answers import RequestError, told_as
from ci_toolkit.farm.web.asking import presented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.backends.handed_schedule import HandedSchedule
    from ci_toolkit.backends.schedule_intake import Submission
    from ci_toolkit.farm.pipeline_book import ToldLast
    from ci_toolkit.farm.spec import Client, FarmRepository
    from ci_toolkit.farm.web.desk import Desk
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.news import ReviewCounts
    from ci_toolkit.scheduling.schedule import Schedule

LONGEST_REASON = 300
MOST_REVIEWS = 100_000
_WORD = re.compile(r"[a-z0-9_-]{1,32}")
_OUTCOME = re.compile(r"[a-z0-9 _-]{1,32}")
_UNKNOWN = "unknown"
_MOST_SOURCES, _MOST_OUTCOMES, _MOST = 50, 20, 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A schedule that is on disk: what became of it, and a sentence on that."""

    done: Submission
    said: str


def require_submission(desk: Desk, client: Client | None, repository: str, source: str) -> FarmRepository:
    """The repository that a client may submit to for a source; RequestError 403 or 404 when it may not."""
    place = desk.repository(repository)
    require_repository(client, place)
    _require_own_source(client, place, source)
    return place


def take_schedule(
    desk: Desk, client: Client | None, repository: str, source: str, read: Callable[[], HandedSchedule]
) -> Acknowledgement:
    """Take a schedule that `read` gives; once this returns, it is on disk."""
    with counting_refusals(desk):
        taken = _taken(desk, client, repository, source, read)
    desk.metrics.submitted("known" if taken.done.taken_before else "taken")
    return taken


@contextmanager
def counting_refusals(desk: Desk) -> Iterator[None]:
    """Has what goes wrong inside counted as a schedule that was not taken."""
    try:
        yield
    except (FormatError, ConfigError):
        desk.metrics.submitted("malformed")
        raise
    except RequestError as error:
        desk.metrics.submitted("too large" if error.status == 413 else "malformed" if error.status == 400 else "denied")
        raise
    except RefusedError:
        desk.metrics.submitted("denied")
        raise
    except Exception:
        desk.metrics.submitted("failed")
        raise


def _taken(
    desk: Desk, client: Client | None, repository: str, source: str, read: Callable[[], HandedSchedule]
) -> Acknowledgement:
    place = require_submission(desk, client, repository, source)
    # A schedule may take a multiple of its size while it is read, so that few are read at once.
    with desk.unpacking:
        handed = read()
        with desk.databases.opened(place) as database:
            done = database.submit(handed.schedule, handed.folders, source=source, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    return Acknowledgement(done=done, said=_sentence(handed.schedule, done))


def _sentence(schedule: Schedule, done: Submission) -> str:
    if done.taken_before:
        return "the farm has this schedule already"
    count = len(done.jobs)
    said = [f"{count} build{'' if count == 1 else 's'} queued on the farm"] if count else []
    said += [f"{done.replaced} older replaced"] if done.replaced else []
    said += ["packages that are gone will be removed"] if schedule.remaining is not None else []
    return ", ".join(said) or "there was nothing to do"


def cancel_job(desk: Desk, client: Client | None, repository: str, number: int, reason: object) -> str:
    """End a job; what is said to that."""
    place, found = _own_job(desk, client, repository, number)
    text = _told_reason(desk, reason)
    with desk.databases.opened(place) as database:
        database.cancel(found, text, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    return f"job {number} ends"


def retry_job(desk: Desk, client: Client | None, repository: str, number: int) -> int:
    """Try a job again; the number of the new one."""
    place, found = _own_job(desk, client, repository, number)
    with desk.databases.opened(place) as database:
        new = database.retry(found, now_s=desk.clock.now())
    desk.farm.wake(place.name)
    return new


def purge(desk: Desk, client: Client | None, repository: str, before_s: float, *, dry_run: bool) -> tuple[Job, ...]:
    """Forget jobs of a repository that ended before, with their logs; those that are forgotten, or would be."""
    place = desk.repository(repository)
    require_repository(client, place)
    with desk.listing, desk.databases.opened(place) as database:
        gone = purge_jobs(database, desk.logs(place), before_s=before_s, now_s=desk.clock.now(), dry_run=dry_run)
    return tuple(presented(desk, job) for job in gone)


def drain_worker(desk: Desk, worker: str, reason: object) -> str:
    """Have a worker take nothing more; what is said to that."""
    text = _told_reason(desk, reason)
    _with_worker(lambda: desk.farm.drain(worker, text))
    return f"{worker} finishes what it builds"


def resume_worker(desk: Desk, worker: str) -> str:
    """Have a worker take builds again; what is said to that."""
    _with_worker(lambda: desk.farm.resume(worker))
    return f"{worker} takes builds"


def note_checks(
    desk: Desk,
    client: Client | None,
    repository: str,
    counts: object,
    *,
    source: str | None,
    reviews: ReviewCounts | None,
) -> str:
    """Count what a pipeline has asked its upstreams, by source and outcome, and its reviews; what is said to that."""
    place = desk.repository(repository)
    require_repository(client, place)
    if not _are_counts(counts):
        hint = 'such as {"aur": {"unchanged": 2100, "failed": 2}}'
        raise RequestError(400, "these are no counts by source and outcome", hint=hint)
    told_source = _told_source(client, place, source)
    if reviews is not None and not (0 <= reviews.open <= MOST_REVIEWS and 0 <= reviews.opened <= MOST_REVIEWS):
        hint = f"two whole numbers up to {MOST_REVIEWS:,}"
        raise RequestError(400, "reviews_open and reviews_opened are no numbers of reviews", hint=hint)
    desk.metrics.checked(place.name, counts)
    open_reviews = reviews.open if reviews else None
    before = desk.farm.pipelines.note(place.name, told_source, at_s=desk.clock.now(), open_reviews=open_reviews)
    if reviews is not None:
        desk.metrics.reviewed(place.name, told_source, **_changes(reviews, before))
    return "they are counted"


def _told_source(client: Client | None, place: FarmRepository, source: str | None) -> str:
    """The package repository whose pipeline tells this; older ones do not say, and cannot always be told apart."""
    if source is None:
        return place.sources[0] if len(place.sources) == 1 else _UNKNOWN
    return _require_own_source(client, place, source)


def _require_own_source(client: Client | None, place: FarmRepository, source: str) -> str:
    if source not in place.sources:
        hint = f"its sources are {', '.join(place.sources)}"
        raise RequestError(404, f"{place.name} has no packages of {shortened(source)!r}", hint=hint)
    require_source(client, source)
    return source


def _changes(reviews: ReviewCounts, before: ToldLast | None) -> dict[str, int]:
    """How many reviews were opened and closed since they were told of before.

    What is gone is counted here, as people merge and close reviews while no pipeline looks. What a pipeline opened
    and did not live to tell of is more than it says.
    """
    if before is None or before.open_reviews is None:
        return {"opened": reviews.opened, "closed": 0}
    opened = max(reviews.opened, reviews.open - before.open_reviews)
    return {"opened": opened, "closed": max(0, before.open_reviews + opened - reviews.open)}


def _own_job(desk: Desk, client: Client | None, repository: str, number: int) -> tuple[FarmRepository, Job]:
    """A job that this client may change: it was scheduled by a repository that it speaks for."""
    place = desk.repository(repository)
    require_repository(client, place)
    found = desk.job(place, number)
    with desk.databases.opened(place) as database:
        source = database.source_of(number)
    if source is not None:
        require_source(client, source)
    return place, found


def _with_worker(change: Callable[[], None]) -> None:
    try:
        change()
    except RefusedError as error:
        raise told_as(404, error, error.what) from error


def _told_reason(desk: Desk, reason: object) -> str:
    """What others are told."""
    if not isinstance(reason, str) or not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable():
        hint = 'say in `reason` what others are to read, such as "a new disk"'
        raise RequestError(400, f"a reason is needed: one line of at most {LONGEST_REASON} characters", hint=hint)
    return desk.redactor.clean(reason)


def _are_counts(value: object) -> TypeGuard[dict[str, dict[str, int]]]:
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
