"""What a master hands a worker, and what the worker hands back, as JSON.

To the worker, `order.json`:
{"form": 1, "attempt": …, "pkgbase": …, "tree": …, "epoch": seconds since 1970, "files": packed, in base64,
 "settings": {"CI_BUILD_TIMEOUT": "3600", …}, "slots": 2, "with": [["lib-1-1-any.pkg.tar.zst", sha256], …]}
From the worker, `result.json`, which quotes what was asked for:
{"form": 1, "attempt": …, "pkgbase": …, "tree": …, "outcome": {"kind": "built", "packages": [[file, sha256, bytes], …]},
 "phases": [["build", 3.2], …], "interference": […], "root": …, "installed": [[name, version], …]}
Other outcomes: {"kind": "failed", "phase", "status", "reason"}, {"kind": "skipped", "reason"}, {"kind": "timed-out",
"phase", "limit"}, and {"kind": "unfit", "reason"} where the worker, and no package, is at fault.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.packed_folder import format_folder, parse_folder
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, parse_pkgbase
from ci_toolkit.model.root_identity import InstalledPackage, RootIdentity
from ci_toolkit.recipes.build import (
    BuildOutcome,
    BuildResult,
    Built,
    Failed,
    Phase,
    PhaseTime,
    Skipped,
    TimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.observation import UpstreamFile

FORM = 1
ORDER_FILE = "order.json"
RESULT_FILE = "result.json"
OUT_FOLDER = "out"
LARGEST_RESULT_BYTES = 4 << 20
LONGEST_REASON = 2000
MOST_PACKAGES = 500
_ATTEMPT = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+:~^-]{0,250}")
_GIVEN_FILE = re.compile(rf"({_FILE.pattern}/)?{_FILE.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """One package for one worker; `attempt` names this very try, `with_` are packages to install (file, SHA-256)."""

    attempt: str
    pkgbase: Pkgbase
    tree: Oid
    epoch_s: int
    files: Mapping[str, UpstreamFile]
    settings: Mapping[str, str]
    slots: int
    with_: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredFile:
    """A package file that a worker says it has made."""

    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """There are packages to fetch."""

    files: tuple[DeliveredFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """The worker cannot build."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedResult:
    """How a try ended, by what the worker says."""

    attempt: str
    pkgbase: Pkgbase
    tree: Oid
    outcome: Delivered | Failed | Skipped | TimedOut | Unfit
    phases: tuple[PhaseTime, ...] = ()
    interference: tuple[str, ...] = ()
    root: RootIdentity | None = None
    installed: tuple[InstalledPackage, ...] = ()


def format_order(order: BuildOrder) -> bytes:
    """The file."""
    record = {
        "form": FORM,
        "attempt": order.attempt,
        "pkgbase": order.pkgbase,
        "tree": order.tree,
        "epoch": order.epoch_s,
        "files": base64.b64encode(format_folder(order.files)).decode(),
        "settings": dict(order.settings),
        "slots": order.slots,
        "with": [list(one) for one in order.with_],
    }
    return json.dumps(record).encode() + b"\n"


def parse_order(content: bytes, *, file: str) -> BuildOrder:
    """What `format_order` wrote; FormatError for anything else, such as an order in another form."""
    try:
        record = _record(content)
        return BuildOrder(
            attempt=_matching(_ATTEMPT, record["attempt"]),
            pkgbase=parse_pkgbase(_text(record["pkgbase"])),
            tree=_oid(record["tree"]),
            epoch_s=int(record["epoch"]),
            files=parse_folder(base64.b64decode(_text(record["files"]), validate=True)),
            settings={_text(key): _text(value) for key, value in record["settings"].items()},
            slots=int(record["slots"]),
            with_=tuple((_matching(_GIVEN_FILE, name), _matching(_DIGEST, sum_)) for name, sum_ in record["with"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(f"is no order of a build in form {FORM}", file=file) from error


def format_result(result: HandedResult) -> bytes:
    """The file."""
    record = {
        "form": FORM,
        "attempt": result.attempt,
        "pkgbase": result.pkgbase,
        "tree": result.tree,
        "outcome": _outcome_record(result.outcome),
        "phases": [[time.phase, time.seconds] for time in result.phases],
        "interference": list(result.interference),
        "root": result.root,
        "installed": [list(one) for one in result.installed],
    }
    return json.dumps(record).encode() + b"\n"


def parse_result(content: bytes, *, order: BuildOrder) -> HandedResult:
    """What a worker says of an order; FormatError when it is no result, or one of something else."""
    try:
        record = _record(content)
        result = HandedResult(
            attempt=_matching(_ATTEMPT, record["attempt"]),
            pkgbase=parse_pkgbase(_text(record["pkgbase"])),
            tree=_oid(record["tree"]),
            outcome=_outcome(record["outcome"]),
            phases=tuple(PhaseTime(phase=_phase(name), seconds=_seconds(took)) for name, took in record["phases"]),
            interference=tuple(_line(text) for text in record["interference"]),
            root=None if record["root"] is None else RootIdentity(_line(record["root"])),
            installed=tuple(InstalledPackage(_line(name), _line(version)) for name, version in record["installed"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError("is no result of a build") from error
    if (result.attempt, result.pkgbase, result.tree) != (order.attempt, order.pkgbase, order.tree):
        raise FormatError("is the result of another build")
    return result


def handed_result(order: BuildOrder, result: BuildResult, files: Mapping[str, DeliveredFile]) -> HandedResult:
    """What a worker hands back of a build; `files` are its packages by their name."""
    outcome: Delivered | Failed | Skipped | TimedOut
    match result.outcome:
        case Built(packages=packages):
            outcome = Delivered(files=tuple(files[package.path.name] for package in packages))
        case other:
            outcome = other
    return HandedResult(
        attempt=order.attempt,
        pkgbase=order.pkgbase,
        tree=order.tree,
        outcome=outcome,
        phases=result.phases,
        interference=result.interference,
        root=result.root,
        installed=result.installed,
    )


def _outcome_record(outcome: BuildOutcome | Delivered | Unfit) -> dict[str, Any]:
    match outcome:
        case Delivered(files=files):
            return {"kind": "built", "packages": [[one.file, one.sha256, one.size_bytes] for one in files]}
        case Failed(phase=phase, status=status, reason=reason):
            return {"kind": "failed", "phase": phase, "status": status, "reason": reason[:LONGEST_REASON]}
        case Skipped(reason=reason):
            return {"kind": "skipped", "reason": reason[:LONGEST_REASON]}
        case TimedOut(phase=phase, limit_s=limit_s):
            return {"kind": "timed-out", "phase": phase, "limit": limit_s}
        case Unfit(reason=reason):
            return {"kind": "unfit", "reason": reason[:LONGEST_REASON]}
        case _:
            raise TypeError(outcome)


def _outcome(record: Mapping[str, Any]) -> Delivered | Failed | Skipped | TimedOut | Unfit:
    match record["kind"]:
        case "built":
            files = tuple(_file(*one) for one in record["packages"])
            if not 0 < len(files) <= MOST_PACKAGES or len({one.file for one in files}) != len(files):
                raise ValueError(len(files))
            return Delivered(files=files)
        case "failed":
            status = None if record["status"] is None else int(record["status"])
            return Failed(phase=_phase(record["phase"]), status=status, reason=_line(record["reason"]))
        case "skipped":
            return Skipped(reason=_line(record["reason"]))
        case "timed-out":
            return TimedOut(phase=_phase(record["phase"]), limit_s=_seconds(record["limit"]))
        case "unfit":
            return Unfit(reason=_line(record["reason"]))
        case other:
            raise ValueError(other)


def _file(name: object, sha256: object, size_bytes: object) -> DeliveredFile:
    if isinstance(size_bytes, bool) or not isinstance(size_bytes, int) or size_bytes < 0:
        raise TypeError(size_bytes)
    return DeliveredFile(file=_matching(_FILE, name), sha256=_matching(_DIGEST, sha256), size_bytes=size_bytes)


def _record(content: bytes) -> dict[str, Any]:
    record = json.loads(content)
    if not isinstance(record, dict) or record["form"] != FORM:
        raise ValueError(type(record))
    return record


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _line(value: object) -> str:
    """A text of one line, as long as a person reads and without what a terminal obeys."""
    return "".join(sign if sign.isprintable() else " " for sign in _text(value)[:LONGEST_REASON])


def _matching(pattern: re.Pattern[str], value: object) -> str:
    text = _text(value)
    if pattern.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _oid(value: object) -> Oid:
    text = _text(value)
    if not is_oid(text):
        raise ValueError(text)
    return Oid(text)


def _phase(value: object) -> Phase:
    found = next((phase for phase in get_args(Phase) if phase == value), None)
    if found is None:
        raise ValueError(value)
    known: Phase = found
    return known


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(value)
    return float(value)
