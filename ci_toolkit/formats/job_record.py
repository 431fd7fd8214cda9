"""Jobs and their steps as objects of JSON, as commands print them and farms send them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.model.job import Job, JobState, Transition
from ci_toolkit.model.names import Pkgbase

if TYPE_CHECKING:
    from collections.abc import Mapping


def job_record(job: Job) -> dict[str, Any]:
    """What a job is; times are seconds since 1970, `phases` seconds."""
    return {
        "job": job.number,
        "package": job.pkgbase,
        "state": job.state.value,
        "reason": job.reason,
        "version": job.version,
        "class": job.builder_class,
        "waits_for": job.waits_for,
        "commit": job.commit,
        "schedule": job.request,
        "queued_at": job.queued_at_s or None,
        "started_at": job.started_at_s,
        "ended_at": job.ended_at_s,
        "phase": job.phase,
        "status": job.status,
        "phases": dict(job.phases),
        "interference": list(job.interference),
        "also_needs": list(job.also_needs),
        "log_of": job.log_of,
        "priority": job.priority,
        "worker": job.worker,
        "losses": job.losses,
        "recipe": job.recipe,
        "size_bytes": job.size_bytes,
    }


def step_record(step: Transition) -> dict[str, Any]:
    """One step of a job."""
    return {
        "at": step.at_s,
        "from": step.old.value if step.old else None,
        "to": step.new.value,
        "reason": step.reason,
    }


def parse_job_record(record: Mapping[str, Any]) -> Job:
    """What `job_record` made; FormatError for anything else. What a later version adds is passed over."""
    try:
        return Job(
            number=int(record["job"]),
            pkgbase=Pkgbase(_text(record["package"])),
            state=JobState(record["state"]),
            reason=_text(record["reason"]),
            request=_text(record["schedule"]),
            commit=_text(record["commit"]),
            builder_class=_optional_text(record["class"]),
            queued_at_s=_optional_seconds(record["queued_at"]) or 0.0,
            started_at_s=_optional_seconds(record["started_at"]),
            ended_at_s=_optional_seconds(record["ended_at"]),
            waits_for=None if record["waits_for"] is None else Pkgbase(_text(record["waits_for"])),
            version=_optional_text(record["version"]),
            phase=_optional_text(record["phase"]),
            status=None if record["status"] is None else int(record["status"]),
            phases=tuple((_text(phase), _seconds(took)) for phase, took in record["phases"].items()),
            interference=tuple(map(_text, record["interference"])),
            also_needs=tuple(map(_text, record["also_needs"])),
            log_of=None if record["log_of"] is None else int(record["log_of"]),
            priority=int(record["priority"]),
            worker=_optional_text(record["worker"]),
            losses=int(record["losses"]),
            # Farms of before do not tell of these.
            recipe=_optional_text(record.get("recipe")),
            size_bytes=None if record.get("size_bytes") is None else int(record["size_bytes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("is no job", got=repr(record)) from error


def parse_step_record(record: Mapping[str, Any]) -> Transition:
    """What `step_record` made; FormatError for anything else."""
    try:
        return Transition(
            at_s=_seconds(record["at"]),
            old=None if record["from"] is None else JobState(record["from"]),
            new=JobState(record["to"]),
            reason=_text(record["reason"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("is no step of a job", got=repr(record)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(value)
    return float(value)


def _optional_seconds(value: object) -> float | None:
    return None if value is None else _seconds(value)
