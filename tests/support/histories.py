"""Histories of builds made up for reports: every state, hostile texts, and as many as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.building.build_history import BuildHistory, BuildRecord, MadePackage
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.model.job import Job, JobState, Transition
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.reports.build_site import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.reports.build_site.writing import Written

HOSTILE = "</pre></script><script>window.hacked = 1</script><img src=x onerror=window.hacked=1> &amp; \x1b]8;;javascript:1\x07"
START_S = 1_763_700_000.0


def record(number: int, name: str, state: JobState, *, reason: str = "it is so", log: bool = True) -> BuildRecord:
    """One job with a little of everything."""
    begun = state.is_over or state in (JobState.BUILDING, JobState.PUBLISHING)
    at_s = START_S + 60 * number
    job = Job(
        number=number,
        pkgbase=Pkgbase(name),
        state=state,
        reason=reason,
        request="0123456789abcdef",
        commit="0123456789abcdef0123456789abcdef01234567",
        builder_class="2",
        queued_at_s=at_s,
        started_at_s=at_s + 1 if begun else None,
        ended_at_s=at_s + 20 if state.is_over else None,
        waits_for=Pkgbase("lib") if state is JobState.WAITING else None,
        version="1.0-1" if state.is_good else None,
        phase="build" if begun else None,
        status=4 if state is JobState.FAILED else None,
        phases=(("sources", 1.5), ("build", 70.25), ("package", 3700.0)) if state.is_over else (),
        interference=("prepare", reason),
        log_of=number if begun and log else None,
    )
    steps = (
        Transition(at_s=at_s, old=None, new=JobState.QUEUED, reason="it was scheduled"),
        Transition(at_s=at_s + 1, old=JobState.QUEUED, new=state, reason=reason),
    )
    made = (MadePackage(file=f"{name}-1.0-1-any.pkg.tar.zst", size_bytes=123_456, sha256="ab" * 32),)
    return BuildRecord(
        job=job,
        steps=steps,
        packages=made if state.is_good else (),
        built_with=(("lib", "1.0-1"),) if state.is_good else (),
        has_log=job.log_of is not None,
    )


def history(
    records: Sequence[BuildRecord],
    needs: Mapping[str, Sequence[str]] | None = None,
    *,
    log: str = "built\n",
    as_of_s: float = START_S + 9_000,
    kept_days: int = 90,
) -> BuildHistory:
    """All of them, newest first, with the same log for each."""

    def pieces(_: Job) -> Iterator[str]:
        yield log

    return BuildHistory(
        repository="samples",
        as_of_s=as_of_s,
        records=tuple(sorted(records, key=lambda one: -one.job.number)),
        needs={Pkgbase(name): frozenset(map(Pkgbase, others)) for name, others in (needs or {}).items()},
        log=pieces,
        kept_days=kept_days,
        slots=2,
    )


def every_state(*, reason: str = HOSTILE) -> list[BuildRecord]:
    """A package for each state, `lib` the one that failed."""
    names = {JobState.FAILED: "lib", JobState.WAITING: "libring++"}
    return [
        record(number, names.get(state, f"p-{state.name.lower()}".replace("_", "-")), state, reason=reason)
        for number, state in enumerate(JobState, 1)
    ]


def write_site(shown: BuildHistory, folder: Path, **environ: str) -> Written:
    """Write its pages, in an environment that may have secrets."""
    return writing.write_site(shown, folder, clean=Redactor(environ).clean)
