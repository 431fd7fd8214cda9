"""What the API's JSON looks like, as JSON Schema (2020-12, as OpenAPI 3.1 has it)."""

from __future__ import annotations

from typing import Any

from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import GroupBy
from ci_toolkit.model.worker import WorkerHealth, WorkerState

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MAYBE_SECONDS: Schema = {"type": ["number", "null"]}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
REVIEWS: Schema = {"type": "integer", "minimum": 0, "maximum": 100_000}
GROUP_BY: Schema = {"enum": [by.value for by in GroupBy]}
STATE: Schema = {"enum": [state.value for state in JobState]}


def items(schema: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": schema}


def record(**fields: Schema) -> Schema:
    """An object with all of these fields."""
    return {"type": "object", "required": sorted(fields), "properties": fields}


def named(name: str) -> Schema:
    """One of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


_JOB_FIELDS: dict[str, Schema] = {
    "job": WHOLE,
    "package": TEXT,
    "state": STATE,
    "reason": TEXT,
    "version": MAYBE_TEXT,
    "class": MAYBE_TEXT,
    "waits_for": MAYBE_TEXT,
    "commit": TEXT,
    "schedule": TEXT,
    "queued_at": NUMBER,
    "started_at": MAYBE_SECONDS,
    "ended_at": MAYBE_SECONDS,
    "phase": MAYBE_TEXT,
    "status": MAYBE_WHOLE,
    "phases": {"type": "object", "additionalProperties": NUMBER},
    "interference": items(TEXT),
    "also_needs": items(TEXT),
    "log_of": MAYBE_WHOLE,
    "priority": WHOLE,
    "worker": MAYBE_TEXT,
    "losses": WHOLE,
    "recipe": MAYBE_TEXT,
    "size_bytes": MAYBE_WHOLE,
}
_STEP: dict[str, Schema] = {"at": NUMBER, "from": {"enum": [*STATE["enum"], None]}, "to": STATE, "reason": TEXT}
_ACTIVE = record(name=TEXT, node=TEXT, build_class={"type": ["integer", "string"]}, liveLog=TEXT)
_WAITING = record(name=TEXT, build_class={"type": ["integer", "string"]})

_SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_SPREAD: Schema = {"anyOf": [named("Spread"), {"type": "null"}]}
_FIGURES: dict[str, Schema] = {
    "ended": WHOLE,
    "outcomes": {"type": "object", "propertyNames": STATE, "additionalProperties": WHOLE},
    "success_rate": _SHARE,
    "cache_hit_rate": _SHARE,
    "duration": _SPREAD,
    "wait": _SPREAD,
    "size": _SPREAD,
    "size_bytes": MAYBE_WHOLE,
    "sizes_unknown": WHOLE,
    "busy": NUMBER,
    "slots": MAYBE_WHOLE,
    "use": {"type": ["number", "null"], "minimum": 0},
}

SCHEMAS: dict[str, Schema] = {
    "Error": record(error=TEXT, hint=MAYBE_TEXT),
    "Repository": record(name=TEXT, sources=items(TEXT), fault=MAYBE_TEXT),
    "Job": record(**_JOB_FIELDS),
    "Step": record(**_STEP),
    "JobWithSteps": record(**_JOB_FIELDS, transitions=items(named("Step"))),
    "Jobs": record(jobs=items(named("Job"))),
    "Submission": record(said=TEXT, jobs=items(WHOLE), replaced=WHOLE, taken_before=FLAG),
    "NewJob": record(job=WHOLE),
    "Place": record(
        job=named("Job"), position=MAYBE_WHOLE, reason=TEXT, starts_at=MAYBE_SECONDS, ends_at=MAYBE_SECONDS
    ),
    "Queue": record(slots=WHOLE, free=WHOLE, places=items(named("Place"))),
    "Worker": record(
        **{
            "name": TEXT,
            "class": WHOLE,
            "slots": WHOLE,
            "used": WHOLE,
            "free": WHOLE,
            "state": {"enum": [state.value for state in WorkerState]},
            "health": {"enum": [health.value for health in WorkerHealth]},
            "reason": TEXT,
            "since": NUMBER,
            "running": items(record(repository=TEXT, job=WHOLE)),
            "version": MAYBE_TEXT,
            "machine": MAYBE_TEXT,
        }
    ),
    "Workers": record(workers=items(named("Worker"))),
    "Artifact": record(
        file=TEXT,
        name=TEXT,
        version=TEXT,
        arch=TEXT,
        sha256={**TEXT, "pattern": "^[0-9a-f]{64}$"},
        size_bytes=WHOLE,
    ),
    "Artifacts": record(artifacts=items(named("Artifact"))),
    "Purge": {
        "type": "object",
        "required": ["before"],
        "properties": {"before": {"type": ["string", "number"]}, "dry_run": FLAG},
    },
    "Purged": record(dry_run=FLAG, jobs=items(named("Job"))),
    "Reason": record(reason={**TEXT, "minLength": 1, "maxLength": 300}),
    "Checks": {
        "type": "object",
        "maxProperties": 50,
        "propertyNames": {"pattern": "^[a-z0-9_-]{1,32}$"},
        "additionalProperties": {
            "type": "object",
            "maxProperties": 20,
            "propertyNames": {"pattern": "^[a-z0-9 _-]{1,32}$"},
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 1_000_000_000},
        },
    },
    "Spread": record(count=WHOLE, mean=NUMBER, p50=NUMBER, p95=NUMBER, most=NUMBER),
    "Figures": record(**_FIGURES),
    "Group": record(name=MAYBE_TEXT, **_FIGURES),
    "Statistics": record(
        since=NUMBER,
        until=NUMBER,
        by=GROUP_BY,
        queue=record(at_end=WHOLE, mean=NUMBER, most=WHOLE),
        total=named("Figures"),
        groups=items(named("Group")),
    ),
    "QueueStats": record(
        active=record(count=WHOLE, packages=items(_ACTIVE)),
        waiting=record(count=WHOLE, packages=items(_WAITING)),
        idle=record(count=WHOLE, nodes=items(record(name=TEXT, build_class=WHOLE))),
    ),
    "Readiness": record(ready=FLAG, faults={"type": "object", "additionalProperties": TEXT}),
    "Done": record(said=TEXT),
}
