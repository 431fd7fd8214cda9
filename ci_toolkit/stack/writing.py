"""Putting a stack on disk: only what differs, each file at once, and nobody's work undone.

Whatever moment it is killed at, every file is an old or a new one, and the next run does the rest: what is generated
says so itself, and the record of what it was made from is written last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ci_toolkit.effects.files import remove_unwritten, write_file
from ci_toolkit.errors import MachineError, RefusedError
from ci_toolkit.stack.comparing import FOLDERS, Found, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ci_toolkit.stack.inputs import Inputs

RECORD_FILE = ".stack.json"
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a stack was last rendered from: our version, digests of the files, and of what plugins add."""

    version: str
    inputs: Mapping[str, str]
    plugins: Mapping[str, tuple[str, str]]


def record_of(inputs: Inputs) -> Record:
    """The record of these inputs; plugins by name, with where they come from and the digest of what they add."""
    deployment = inputs.deployment
    return Record(
        version=deployment.version,
        inputs=inputs.digests,
        plugins={
            bundle.name: (bundle.origin, hashlib.sha256(repr(bundle.fragment).encode()).hexdigest())
            for bundle in deployment.bundles
        },
    )


def read_record(folder: Path) -> Record | None:
    """What was rendered here last; None when nothing was, or nobody can tell."""
    try:
        said: Any = json.loads((folder / RECORD_FILE).read_bytes())
        plugins = {name: (str(origin), str(digest)) for name, (origin, digest) in said["plugins"].items()}
        return Record(version=str(said["version"]), inputs=dict(said["inputs"]), plugins=plugins)
    except (FileNotFoundError, IsADirectoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def refuse_to_undo(found: Iterable[Found]) -> None:
    """Nothing; RefusedError when there are files that somebody has edited or put there."""
    theirs = [one for one in found if one.is_somebodys]
    if theirs:
        named = ", ".join(f"{one.path} is {one.state.value}" for one in theirs[:_MOST_NAMED])
        more = f" and {len(theirs) - _MOST_NAMED} more" if len(theirs) > _MOST_NAMED else ""
        hint = "ci-toolkit stack diff shows what is in them; --force replaces them"
        raise RefusedError(f"{named}{more}", hint=hint)


def refuse_obstacles(folder: Path, found: Iterable[Found]) -> None:
    """Nothing; RefusedError for a link or file where a folder is to be, or a folder where a file is, forced or not.

    Through a link it would be written who knows where, and a folder may have anything in it.
    """
    listed = list(found)
    for place in sorted({parent for one in listed for parent in PurePosixPath(one.path).parents} - {PurePosixPath()}):
        path = folder / place
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            what = "a link" if path.is_symlink() else "a file"
            hint = "move it away: a folder is to be made there"
            raise RefusedError(f"is {what}, and nothing was written", key=str(path), hint=hint)
    for path in (folder / name for name in (*(one.path for one in listed), RECORD_FILE)):
        if path.is_dir() and not path.is_symlink():
            hint = "move it away: a file is to be made there"
            raise RefusedError("is a folder, and nothing was written", key=str(path), hint=hint)


def write_stack(folder: Path, found: Iterable[Found], record: Record) -> tuple[Found, ...]:
    """Write and remove what differs, and then the record; gives what was changed. One process a folder at a time."""
    listed = tuple(found)
    refuse_obstacles(folder, listed)
    for name in (*(one.path for one in listed), RECORD_FILE):
        remove_unwritten(folder / name)
    changed = tuple(one for one in listed if one.state is not State.SAME)
    for one in changed:
        path = folder / one.path
        if one.output is not None:
            _write(path, one.output.content, one.output.mode)
        else:
            path.unlink(missing_ok=True)
            _remove_empty(folder, path.parent)
    content = json.dumps(
        {"version": record.version, "inputs": dict(record.inputs), "plugins": dict(record.plugins)}, indent=2
    )
    if read_record(folder) != record:
        _sweep(folder)
        _write(folder / RECORD_FILE, f"{content}\n".encode(), 0o644)
    return changed


def _sweep(folder: Path) -> None:
    """Folders that a process left empty which was killed between a file and its folder."""
    for top in FOLDERS:
        for place, _, _ in os.walk(folder / top, topdown=False):
            with contextlib.suppress(OSError):  # there is something in it, or it is a link
                os.rmdir(place)  # noqa: PTH106 - as above


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        write_file(path, content, mode=mode)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        hint = "files are old or new, and none is half of one; render again when there is room and permission"
        raise MachineError(problem, key=str(path), hint=hint) from error


def _remove_empty(folder: Path, place: Path) -> None:
    """Folders in which nothing is left, up to the stack's own."""
    while place != folder:
        with contextlib.suppress(FileNotFoundError):
            if any(place.iterdir()):
                return
            os.rmdir(place)  # noqa: PTH106 - a Path may be a link by now, which this does not follow
        place = place.parent
