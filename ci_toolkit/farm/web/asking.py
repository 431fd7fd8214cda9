"""What a farm tells, whichever way it is asked: values without secrets, chosen within limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_statistics import statistics_of
from ci_toolkit.errors import RefusedError, ToolkitError, shortened
from ci_toolkit.farm.web.answers import RequestError, told_as
from ci_toolkit.model.names import is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Collection

    from ci_toolkit.farm.web.desk import Desk
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import Job, JobFilter, Transition
    from ci_toolkit.model.statistics_window import StatisticsWish
    from ci_toolkit.model.worker import Worker

MOST_CHOSEN = 1_000
"""Jobs or packages that one question names."""


def require_few(chosen: Collection[object]) -> None:
    """RequestError 400 when more jobs or packages are named than one question may."""
    if len(chosen) > MOST_CHOSEN:
        hint = "ask several times, for fewer at once"
        raise RequestError(400, f"more than {MOST_CHOSEN:,} jobs or packages are asked for at once", hint=hint)


def jobs_of(desk: Desk, repository: str, wanted: JobFilter) -> tuple[Job, ...]:
    """The jobs of a repository that are meant, oldest first."""
    place = desk.repository(repository)
    require_few(wanted.numbers)
    require_few(wanted.packages)
    if any(not 0 <= number < 1 << 63 for number in wanted.numbers):
        raise RequestError(400, "number is no number of a job", hint="they are counted from 1")
    with desk.listing:
        with desk.databases.opened(place) as database:
            found = database.jobs(wanted)
        return tuple(presented(desk, job) for job in found)


def job_of(desk: Desk, repository: str, number: int) -> Job:
    """One job of a repository."""
    return presented(desk, desk.job(desk.repository(repository), number))


def steps_of(desk: Desk, repository: str, number: int) -> tuple[Transition, ...]:
    """How a job came to be where it is."""
    place = desk.repository(repository)
    desk.job(place, number)
    with desk.databases.opened(place) as database:
        steps = database.transitions(number)
    return tuple(replace(step, reason=desk.redactor.clean(step.reason)) for step in steps)


def artifacts_of(desk: Desk, repository: str, number: int) -> tuple[Artifact, ...]:
    """What a job made, or found made, by file."""
    place = desk.repository(repository)
    desk.job(place, number)
    with desk.databases.opened(place) as database:
        return database.artifacts(number)


def workers_of(desk: Desk) -> tuple[Worker, ...]:
    """Every machine, by name."""
    return tuple(replace(one, reason=desk.redactor.clean(one.reason)) for one in desk.farm.workers())


def statistics_for(desk: Desk, repository: str, wish: StatisticsWish) -> BuildStatistics:
    """Figures of a repository's builds; use of workers is what its own builds took of them."""
    place = desk.repository(repository)
    require_few(wish.packages)
    for name in wish.packages:
        if not is_pkgbase(name):
            problem = f"{shortened(name)!r} is no possible name of a package"
            raise RequestError(400, problem, hint="leave packages out for all of them")
    try:
        with desk.listing, desk.databases.opened(place) as database:
            return statistics_of(
                database,
                wish,
                now_s=desk.clock.now(),
                kept_days=place.settings.log_days,
                slots={worker.name: worker.slots for worker in desk.farm.workers()},
            )
    except RefusedError as error:
        raise told_as(400, error, error.what) from error


def faults_of(desk: Desk) -> dict[str, str]:
    """Repositories in which nothing is taken, begun or published at the moment, each with the reason."""
    faults = dict(desk.farm.faults())
    for repository in desk.farm.repositories.values():
        try:
            with desk.databases.opened(repository) as database:
                database.require_writable()
        except (ToolkitError, OSError) as error:
            faults.setdefault(repository.name, str(error))
    return {name: desk.redactor.clean(fault) for name, fault in faults.items()}


def presented(desk: Desk, job: Job) -> Job:
    """A job as others may see it."""
    interference = tuple(map(desk.redactor.clean, job.interference))
    return replace(job, reason=desk.redactor.clean(job.reason), interference=interference)
