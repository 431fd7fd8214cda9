"""Schedules that come over the network: bounded before they are unpacked, and checked before they are stored."""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

import zstandard

from ci_toolkit.backends.handed_schedule import parse_handed
from ci_toolkit.errors import FormatError
from ci_toolkit.farm.web.answers import RequestError, told_as
from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE, LINK_MODE, ObjectDraft

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import IO

    from ci_toolkit.backends.handed_schedule import HandedSchedule
    from ci_toolkit.backends.spec import PackageFolder
    from ci_toolkit.model.names import Pkgbase

MOST_BYTES = 256 << 20
"""What a schedule may have, packed as it is sent, unpacked, and again as the folders that it brings."""
SMALLER = "submit fewer packages at once, or keep large files out of package folders"
_MOST_PACKAGES = 20_000
_MOST_FILES = 10_000
_LONGEST_PATH = 1_000
_CHUNK = 1 << 16
_REQUEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_MODES = frozenset({FILE_MODE, EXECUTABLE_MODE, LINK_MODE, "100664"})  # the last is what early gits wrote
_HINT = "ci-toolkit hands schedules in; see /api/openapi.json"


def read_body(stream: IO[bytes], encoding: str) -> bytes:
    """The body of a request, unpacked; RequestError 413 for one that is too large, 415 for another encoding."""
    content = bytearray()
    try:
        with _unpacked(stream, encoding) as reader:
            # Never more than a piece at a time: a few bytes may stand for as many as one likes.
            while chunk := reader.read(_CHUNK):
                content += chunk
                if len(content) > MOST_BYTES:
                    raise RequestError(413, f"the schedule has more than {MOST_BYTES >> 20} MiB unpacked", hint=SMALLER)
    except (zlib.error, gzip.BadGzipFile, EOFError, zstandard.ZstdError) as error:
        raise RequestError(400, "the schedule cannot be unpacked", hint=_HINT) from error
    return bytes(content)


def _unpacked(stream: IO[bytes], encoding: str) -> AbstractContextManager[IO[bytes]]:
    match encoding.strip().lower():
        case "" | "identity":
            return nullcontext(stream)
        case "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
        case "zstd":
            unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            return cast("IO[bytes]", unpacker.stream_reader(stream, closefd=False))
        case _:
            raise RequestError(415, "a schedule comes as it is, or packed with gzip or zstd", hint=_HINT)


def read_schedule(content: bytes) -> HandedSchedule:
    """The schedule; RequestError 400 or 413 for what is none, or for one that says what must not be."""
    try:
        handed = parse_handed(content, file="the schedule", most_bytes=MOST_BYTES)
    except FormatError as error:
        raise told_as(400, error, str(error)) from error
    return checked_schedule(handed)


def checked_schedule(handed: HandedSchedule) -> HandedSchedule:
    """The same; RequestError 400 for one that says what must not be."""
    fault = _fault(handed)
    if fault is not None:
        raise RequestError(400, f"the schedule is refused: {fault}", hint=_HINT)
    return handed


def _fault(handed: HandedSchedule) -> str | None:
    schedule = handed.schedule
    if _REQUEST.fullmatch(schedule.request) is None:
        return "its request has no possible name"
    names = [build.pkgbase for build in schedule.builds]
    known = {record.pkgbase for record in schedule.deptree}
    if len(known) != len(schedule.deptree) or len(set(names)) != len(names):
        return "it names a package twice"
    if max(len(known), len(schedule.remaining or ())) > _MOST_PACKAGES:
        return f"it has more than {_MOST_PACKAGES:,} packages"
    if not known.issuperset(names):
        return "it builds a package that its dependency tree lacks"
    if set(handed.folders) != set(names):
        return "it has folders of packages that it does not build"
    if abs(schedule.priority) > 1:
        return "its priority is not -1, 0 or 1"
    # What packages need is compared with what they provide and nothing else, so that any text will do there.
    return _folders_fault(handed.folders)


def _folders_fault(folders: Mapping[Pkgbase, PackageFolder]) -> str | None:
    for name, folder in folders.items():
        if len(folder.files) > _MOST_FILES:
            return f"{name} has more than {_MOST_FILES:,} files"
        if not 0 <= folder.epoch_s < 1 << 40:
            return f"{name} was changed at no possible time"
        for path, file in folder.files.items():
            if file.mode not in _MODES or not _is_inside(path):
                return f"{name} has a file that no package folder has"
        if _has_file_as_folder(folder.files) or folder.tree != _tree(folder):
            return f"the folder of {name} is not the one that it is said to be"
    return None


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    unsafe = any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    return not unsafe and "\0" not in path and len(path) <= _LONGEST_PATH


def _has_file_as_folder(files: Mapping[str, object]) -> bool:
    """Whether something lies below what is a file or a link itself: a link would lead it out of the folder."""
    return any(path[:place] in files for path in files for place, sign in enumerate(path) if sign == "/")


def _tree(folder: PackageFolder) -> str:
    """What git calls a folder of this content: folders are kept by their names, which nobody may make up."""
    draft = ObjectDraft(hash_name="sha1" if len(folder.tree) == 40 else "sha256")
    files = {path: (file.mode, draft.add("blob", file.content)) for path, file in folder.files.items()}
    return draft.add_folder(files)
