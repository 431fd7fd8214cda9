"""What there is to tell of a published repository: jobs that ended, packages that went, workers that are in trouble."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ci_toolkit.model.job import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.job import Job
    from ci_toolkit.model.names import Oid, Pkgbase


class NewsKind(Enum):
    """What CI_NOTIFY_ON can name; the value is how it is written there."""

    SUCCESS = "success"
    FAILURE = "failure"
    FIRST_FAILURE = "first-failure"
    TIMEOUT = "timeout"
    RECOVERY = "recovery"
    REMOVAL = "removal"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNews:
    """A job that came to another state, as it is now.

    `source` is the package repository that scheduled it, `url` where people read of it, None without such a place.
    `last_lines` are the end of the log of a job that failed. `is_first_failure`: the package's job before it, as far as
    it came to an end of its own, did not fail; `is_recovery`: it did, and this one is good.
    """

    job: Job
    source: str
    url: str | None = None
    last_lines: tuple[str, ...] = ()
    is_first_failure: bool = False
    is_recovery: bool = False

    @property
    def kinds(self) -> frozenset[NewsKind]:
        """What it is news of; nothing for a job that goes on, or that somebody ended or skipped on purpose."""
        state = self.job.state
        return frozenset(
            kind
            for kind, holds in (
                (NewsKind.SUCCESS, state.is_good),
                (NewsKind.RECOVERY, self.is_recovery),
                (NewsKind.FAILURE, state is JobState.FAILED),
                (NewsKind.TIMEOUT, state is JobState.TIMED_OUT),
                (NewsKind.FIRST_FAILURE, self.is_first_failure),
            )
            if holds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerNews:
    """A worker that was lost, is quarantined or unfit: which, and a sentence on it."""

    worker: str
    text: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many of each there are: jobs by the state in which they ended, removals, troubles of workers."""

    jobs: Mapping[JobState, int]
    removed: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Everything that one message tells of `repository`.

    `id` stays the same when the same message is sent again. Texts have no secrets in them, and are a stranger's all the
    same. `backlog_since_s` is set where nothing could be told for so long that only `counts` are told.
    """

    id: str
    repository: str
    at_s: float
    counts: Counts
    url: str | None = None
    jobs: tuple[JobNews, ...] = ()
    removed: tuple[str, ...] = ()
    workers: tuple[WorkerNews, ...] = ()
    backlog_since_s: float | None = None


def counted(jobs: tuple[JobNews, ...], removed: tuple[str, ...] = (), workers: tuple[WorkerNews, ...] = ()) -> Counts:
    """The numbers of these."""
    return Counts(jobs=Counter(news.job.state for news in jobs), removed=len(removed), workers=len(workers))


# What pipelines tell, after the push.


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedPackage:
    """A package with its versions before and after, as far as they are known."""

    pkgbase: Pkgbase
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesNews:
    """Updates that are on the default branch now, by `commit`."""

    repository: str
    commit: Oid
    packages: tuple[UpdatedPackage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewNews:
    """A review that waits for people; `url` None: it is a branch and nothing else."""

    repository: str
    pkgbase: Pkgbase
    branch: str
    severity: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamsNews:
    """How many packages' upstreams were asked, by kind of source (`aur`) and outcome (`unmoved`, `could not ask`)."""

    repository: str
    counts: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCounts:
    """How many reviews of a package repository wait for people after a run, and how many the run has opened."""

    open: int
    opened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverNews:
    """A schedule that a backend has acknowledged, and what it said."""

    repository: str
    backend: str
    request: str
    commit: Oid
    packages: tuple[Pkgbase, ...]
    said: str
