"""The schedules that an earlier job left as files, found and read; nothing is decided about them yet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.chaotic_manager import DEPTREE_FILE, PARAMS_FILE
from ci_toolkit.backends.handed_schedule import SCHEDULE_FILE, HandedSchedule, parse_handed
from ci_toolkit.errors import ConfigError, FormatError, NotReadyError
from ci_toolkit.formats.deptree import parse_deptree
from ci_toolkit.formats.manager_call import ManagerCall, read_manager_call
from ci_toolkit.formats.schedule_params import parse_schedule_params
from ci_toolkit.pipelines.untracked import refuse_tracked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.formats.deptree import DeptreeRecord

_FILES = (SCHEDULE_FILE, PARAMS_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftPair:
    """What `.ci/schedule-params.txt` calls for, and those records of the `.ci/deptree.txt` beside it that are records.

    `broken` are the others as they stand there; `deptree` is None without that file.
    """

    call: ManagerCall
    deptree: tuple[DeptreeRecord, ...] | None
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftSchedule:
    """One schedule, in either form, and the file it is from."""

    file: str
    at_s: float
    content: HandedSchedule | LeftPair


def read_left_schedules(
    paths: Iterable[Path], environ: Mapping[str, str], processes: Processes
) -> tuple[LeftSchedule, ...]:
    """What the files say, oldest first; a folder stands for all of them below it, and may have none.

    NotReadyError for a path that is not there, a file that git tracks, or both forms of a schedule side by side;
    FormatError for a file that is no schedule.
    """
    found = []
    for file in dict.fromkeys(file for path in paths for file in _files(path)):
        if file.name == DEPTREE_FILE:
            raise ConfigError("is only the half of a schedule", got=str(file), hint=f"name the {PARAMS_FILE} beside it")
        one = (
            _read_pair(file, environ, processes) if file.name == PARAMS_FILE else _read_handed(file, environ, processes)
        )
        found += [one] if one is not None else []
    return tuple(sorted(found, key=lambda one: one.at_s))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise NotReadyError("there is no schedule", file=str(path), hint="an earlier job of the pipeline leaves it")
        yield path
        return
    for folder, _, names in _walked(path):
        there = [name for name in _FILES if name in names]
        if len(there) > 1:
            hint = "they are of different runs: name the one that is meant, or remove the other"
            raise NotReadyError(f"has both {' and '.join(there)}", file=str(folder), hint=hint)
        yield from (folder / name for name in there)


def _walked(path: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder below a path, no link followed, in the order of names."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield type(path)(folder), folders, names


def _read_handed(file: Path, environ: Mapping[str, str], processes: Processes) -> LeftSchedule:
    refuse_tracked(file, environ, processes)
    handed = parse_handed(file.read_bytes(), file=str(file))
    return LeftSchedule(file=str(file), at_s=handed.at_s, content=handed)


def _read_pair(file: Path, environ: Mapping[str, str], processes: Processes) -> LeftSchedule | None:
    """None for a file that calls for nothing, as the template leaves one when no package was chosen."""
    refuse_tracked(file, environ, processes)
    call = read_manager_call(parse_schedule_params(file.read_bytes(), file=str(file)), file=str(file))
    if call is None:
        return None
    beside = file.with_name(DEPTREE_FILE)
    deptree: tuple[DeptreeRecord, ...] | None = None
    broken: tuple[str, ...] = ()
    if beside.is_file():
        refuse_tracked(beside, environ, processes)
        deptree, broken = _records(beside.read_bytes())
    pair = LeftPair(call=call, deptree=deptree, broken=broken)
    return LeftSchedule(file=str(file), at_s=file.stat().st_mtime, content=pair)


def _records(content: bytes) -> tuple[tuple[DeptreeRecord, ...], tuple[str, ...]]:
    """The records of a file of which some may be none."""
    records: list[DeptreeRecord] = []
    broken: list[str] = []
    for text in _texts(content):
        try:
            records += parse_deptree(text)
        except FormatError:
            broken.append(text.decode(errors="replace"))
    return tuple(records), tuple(broken)


def _texts(content: bytes) -> Iterator[bytes]:
    # The template ends its file with a line.
    whole = content.removesuffix(b"\n")
    yield from whole.split(b";") if whole else ()
