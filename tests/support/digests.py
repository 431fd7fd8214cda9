"""Digests for notifiers: plain, large and hostile ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.news import Digest, JobNews, WorkerNews, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = "pkgs"
COMMIT = "c" * 40
REASONS = {JobState.FAILED: "in phase build: it is broken (status 4)", JobState.TIMED_OUT: "after 60 s, in phase check"}


def news(name: str, state: JobState, number: int = 7, *, version: str | None = "1.0-1", **more: object) -> JobNews:
    """A job of a package that came to a state."""
    job = Job(
        number=number,
        pkgbase=Pkgbase(name),
        state=state,
        reason=REASONS.get(state, "because"),
        request="r",
        commit=COMMIT,
        builder_class=None,
        queued_at_s=1.0,
        version=version,
        log_of=number,
    )
    made = JobNews(job=job, source=SOURCE, url=f"https://builds.example.org/jobs/samples/{number}")
    return replace(made, **more)  # type: ignore[arg-type]  # fields of it


def digest(
    jobs: Sequence[JobNews], *, removed: Sequence[str] = (), workers: Sequence[WorkerNews] = (), name: str = "d1"
) -> Digest:
    """One message's worth."""
    return Digest(
        id=name,
        repository="samples",
        at_s=1_800_000_000.0,
        counts=counted(tuple(jobs), tuple(removed), tuple(workers)),
        url="https://builds.example.org",
        jobs=tuple(jobs),
        removed=tuple(removed),
        workers=tuple(workers),
    )


def usual() -> Digest:
    """Something of everything."""
    return digest(
        [
            news("good", JobState.SUCCEEDED, 5),
            news("broken", JobState.FAILED, 6, last_lines=("one", "it is broken"), is_first_failure=True),
            news("slow", JobState.TIMED_OUT, 7),
            news("mended", JobState.SUCCEEDED, 8, is_recovery=True),
        ],
        removed=["gone"],
        workers=[WorkerNews(worker="w1", text="it is quarantined: three packages failed", at_s=1.0)],
    )


HOSTILE = "<b>@room @everyone @admin</b> &amp; </pre></code><script>x</script> \"'`*_[x](http://evil) {{1}} \\ %s"


def hostile() -> Digest:
    """What a package's code may print; the announcer has taken out nothing but secrets and what cannot be seen."""
    jobs = [
        replace(
            one := news(f"bad@{number}", JobState.FAILED, number, last_lines=(HOSTILE,) * 40),
            job=replace(one.job, reason=HOSTILE, version=HOSTILE),
        )
        for number in range(1, 4)
    ]
    return digest(jobs, name="hostile")


def huge() -> Digest:
    """Thousands of failures with long logs of letters that take most room."""
    line = '😀<&"' * 100
    return digest(
        [news(f"package-{number}", JobState.FAILED, number, last_lines=(line,) * 40) for number in range(1, 2_001)],
        name="huge",
    )
