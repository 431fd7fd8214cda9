"""Jobs of a build backend, for a person and for programs."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_toolkit.formats.artifact_record import artifact_record
from ci_toolkit.formats.job_record import job_record, step_record
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.building.build_listener import RunSummary
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.job import Job, JobState, Transition

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def jobs_text(jobs: Sequence[Job], *, now_s: float) -> str:
    """One line a job: number, package, state, version, how long ago, and why it is where it is."""
    if not jobs:
        return "no builds\n"
    rows = [
        (
            str(job.number or "-"),
            str(job.pkgbase),
            job.state.value,
            job.version or "",
            _since(job, now_s),
            one_line(job.reason),
        )
        for job in jobs
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for number, *cells, reason in rows:
        padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([f"{number:>{widths[0]}}", *padded, reason]).rstrip())
    return "".join(f"{line}\n" for line in lines)


def job_text(job: Job, steps: Iterable[Transition], artifacts: Iterable[Artifact] = ()) -> str:
    """Everything about one job; no `steps` or `artifacts`: nobody tells of them."""
    lines = [
        f"{f'job {job.number}: ' if job.number else ''}{job.pkgbase} {job.version or ''}".rstrip(),
        f"  {job.state.value}: {one_line(job.reason)}",
    ]
    whence = [f"commit {job.commit[:12]}, schedule {job.request}"] if job.commit else []
    whence += [f"builder class {job.builder_class}"] if job.builder_class else []
    whence += [f"recipe {job.recipe}"] if job.recipe else []
    lines += [f"  {', '.join(whence)}"] if whence else []
    if job.worker is not None:
        lost = f", after {job.losses} {'was' if job.losses == 1 else 'were'} lost with it" if job.losses else ""
        lines.append(f"  on worker {one_line(job.worker)}{lost}")
    if job.phases:
        lines.append(
            f"  took {', '.join(f'{phase} {seconds:.1f} s' for phase, seconds in job.phases if seconds >= 0.05)}"
        )
    if job.status is not None:
        lines.append(f"  exit status {job.status} in phase {job.phase}")
    lines += [f"  interfered: {one_line(text)}" for text in job.interference]
    if job.log_of is not None:
        lines.append(
            f"  log: ci-toolkit logs {job.number}"
            + (f" (that of job {job.log_of})" if job.log_of != job.number else "")
        )
    lines += [f"  made {one_line(one.file)}, {one.size_bytes:,} bytes, sha256 {one.sha256}" for one in artifacts]
    told = [f"  {moment(step.at_s)}  {step.new.value}: {one_line(step.reason)}" for step in steps]
    lines += ["", *told] if told else []
    return "".join(f"{line}\n" for line in lines)


def summary_text(summary: RunSummary) -> str:
    """How a run ended, with what needs somebody to look at it."""
    counts = Counter(job.state.value for job in summary.ended)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing was built"
    lines = [said]
    lines += [
        f"  {job.pkgbase}: {one_line(job.reason)} (ci-toolkit logs {job.number})"
        for job in summary.ended
        if job.state.is_failure
    ]
    if summary.removed:
        lines.append(f"removed: {', '.join(summary.removed)}")
    if summary.waiting:
        lines.append(f"{len(summary.waiting)} not built:")
        lines += [f"  {job.pkgbase}: {one_line(job.reason)}" for job in summary.waiting]
    return "".join(f"{line}\n" for line in lines)


def jobs_json(jobs: Iterable[Job]) -> str:
    """A list of objects, one a job."""
    return json.dumps([job_record(job) for job in jobs], indent=2) + "\n"


def job_json(job: Job, steps: Iterable[Transition], artifacts: Iterable[Artifact] = ()) -> str:
    """One object, with its transitions and artifacts."""
    record = {
        **job_record(job),
        "transitions": [step_record(step) for step in steps],
        "artifacts": [artifact_record(one) for one in artifacts],
    }
    return json.dumps(record, indent=2) + "\n"


def purge_text(jobs: Sequence[Job], *, now_s: float, dry_run: bool) -> str:
    """The jobs that were forgotten, or would be, and how many that is."""
    logs = "its log" if len(jobs) == 1 else "their logs"
    count = f"{len(jobs)} build{'' if len(jobs) == 1 else 's'}"
    said = f"{count} {'would be forgotten' if dry_run else 'forgotten'}, with {logs}" if jobs else "nothing to forget"
    return (jobs_text(jobs, now_s=now_s) if jobs else "") + f"{said}\n"


def summary_json(summary: RunSummary) -> str:
    """An object: jobs that ended, jobs that are left, package bases that were removed, what stopped the run."""
    record = {
        "ended": [job_record(job) for job in summary.ended],
        "waiting": [job_record(job) for job in summary.waiting],
        "removed": list(summary.removed),
        "fault": None if summary.fault is None else str(summary.fault),
    }
    return json.dumps(record, indent=2) + "\n"


def _since(job: Job, now_s: float) -> str:
    at_s = job.ended_at_s or job.started_at_s or job.queued_at_s
    return ago(now_s - at_s) if at_s else ""


def moment(at_s: float) -> str:
    """A time as `2026-11-21 14:03:05`, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(seconds: float) -> str:
    """How long ago, in the largest unit that fits: `5 s ago`, `3 h ago`."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def verdict_word(state: JobState) -> str:
    """One of good, bad, going and over, for colours."""
    if state.is_good:
        return "good"
    if state.is_failure:
        return "bad"
    return "over" if state.is_over else "going"
