"""The queue of a chaotic-manager, as its web API tells it at `/api/queue/stats`, and the last line of its logs.

{"active": {"count": 1, "packages": [{"name": "repo/arch/pkgbase", "node": …, "build_class": 2, "liveLog": …}]},
 "waiting": {"count": 1, "packages": [{"name": …, "build_class": …}]},
 "idle": {"count": 1, "nodes": [{"name": …, "build_class": …}]}}

Source: the manager's web service, May 2026.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.model.job import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"(?P<repository>[^/\s]{1,255})/(?P<arch>[^/\s]{1,64})/(?P<pkgbase>[^/\s]{1,255})")
_QUEUED_AT = re.compile(r"[?&]timestamp=(?P<ms>[0-9]{12,14})(?:&|$)")
_LONGEST_WORD = 1_000
# How the manager closes the log of a build that is over, whatever the build itself printed before.
_ENDS = (
    ("Build job {id} finished at ", JobState.SUCCEEDED),
    ("Job {id} skipped because all packages were already built.", JobState.ALREADY_BUILT),
    ("Job {id} skipped intentionally ", JobState.SKIPPED),
    ("Job {id} reached a timeout ", JobState.TIMED_OUT),
    ("Job {id} was canceled and replaced ", JobState.REPLACED),
    ("Job was canceled and replaced ", JobState.REPLACED),
    ("Job {id} was canceled.", JobState.CANCELLED),
    ("Job was canceled before execution", JobState.CANCELLED),
    ("Job {id} failed", JobState.FAILED),
)
_ID = "[^/ ]+/[^/ ]+/"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedBuild:
    """A build that waits, or is going on at `node`. `queued_at_s` is seconds since 1970, None where nobody tells."""

    repository: str
    pkgbase: str
    builder_class: str
    node: str | None = None
    queued_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerQueue:
    """What is built and what waits, in the manager's order, and every builder that it has now."""

    builds: tuple[QueuedBuild, ...]
    builders: frozenset[str]


def parse_manager_queue(content: bytes) -> ManagerQueue:
    """The whole of an answer; FormatError when any part is not as it should be."""
    try:
        record = json.loads(content, parse_constant=_refuse)
        active = _listed(record["active"], "packages")
        waiting = _listed(record["waiting"], "packages")
        idle = _listed(record["idle"], "nodes")
        builds = (
            *(_build(one, node=_word(one["node"])) for one in active),
            *(_build(one, node=None) for one in waiting),
        )
        nodes = {_word(one["name"]) for one in idle} | {build.node for build in builds if build.node is not None}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError("is no queue of a chaotic-manager") from error
    return ManagerQueue(builds=builds, builders=frozenset(nodes))


def end_of_log(text: str, pkgbase: str) -> tuple[JobState, str] | None:
    """How the manager says at its end that a build is over, and that line; None when it does not say so."""
    line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    for start, state in _ENDS:
        pattern = re.escape(start).replace(r"\{id\}", _ID + re.escape(pkgbase))
        if re.match(pattern, line):
            return state, line
    return None


def _listed(part: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = part[key]
    if not isinstance(found, list) or isinstance(part["count"], bool) or part["count"] != len(found):
        raise TypeError(key)
    return found


def _build(record: Mapping[str, Any], *, node: str | None) -> QueuedBuild:
    name = _NAME.fullmatch(_word(record["name"]))
    if name is None:
        raise ValueError(record["name"])
    queued = _QUEUED_AT.search(_word(record.get("liveLog", "-")))
    return QueuedBuild(
        repository=name["repository"],
        pkgbase=name["pkgbase"],
        builder_class=_class(record["build_class"]),
        node=node,
        queued_at_s=int(queued["ms"]) / 1000 if queued else None,
    )


def _class(value: object) -> str:
    """A number or a builder's name; numbers of this size come as floating point from where they are made."""
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(value)
    return f"{value:.15g}"


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST_WORD:
        raise TypeError(value)
    return value


def _refuse(word: str) -> None:
    raise ValueError(word)
