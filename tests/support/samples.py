"""The sample packages laid out as a git repository with real upstreams on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.git import PERSON

if TYPE_CHECKING:
    from tests.support.git import GitRepo
    from tests.support.upstreams import Upstreams

SAMPLES = Path(__file__).parents[2] / "sample-pkgbuilds"
_UPSTREAMS = SAMPLES / ".upstreams"
_PLACEHOLDER = b"http://127.0.0.1:8765"


def read_folder(folder: Path, upstreams: Upstreams, *, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All files below a folder, with the servers' real address in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(_PLACEHOLDER, upstreams.url.encode())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in leave_out
    }


def lay_out(upstreams: Upstreams) -> dict[str, bytes]:
    """Fill the upstreams with their start; gives the package repository's files."""
    upstreams.files = _UPSTREAMS / "files"
    for pkgbase, row in json.loads((_UPSTREAMS / "aur.json").read_text()).items():
        files = read_folder(SAMPLES / pkgbase, upstreams, leave_out=(".CI",))
        upstreams.publish(
            pkgbase,
            files,
            maintainer=row["Maintainer"],
            co_maintainers=tuple(row["CoMaintainers"]),
            when=row["LastModified"],
        )
    for folder in (_UPSTREAMS / "packaging").iterdir():
        _packaging(upstreams, folder.name).commit(
            read_folder(SAMPLES / folder.name, upstreams, leave_out=(".CI",)), "start", author=PERSON
        )
    for folder in (_UPSTREAMS / "projects").iterdir():
        _project(upstreams, folder.name).commit(read_folder(folder / "start", upstreams), "start", author=PERSON)
    return read_folder(SAMPLES, upstreams, leave_out=(".upstreams",))


def move_upstreams(upstreams: Upstreams, now_s: int) -> None:
    """Everything upstream that moves in the story moves."""
    for folder in (_UPSTREAMS / "aur").iterdir():
        row = upstreams.aur_packages[folder.name]
        upstreams.publish(
            folder.name,
            read_folder(folder / "moved", upstreams),
            maintainer=row.maintainer,
            co_maintainers=row.co_maintainers,
            when=now_s,
        )
    for folder in (_UPSTREAMS / "packaging").iterdir():
        _packaging(upstreams, folder.name).commit(
            read_folder(folder / "moved", upstreams), "move", replace_all=True, author=PERSON
        )
    for folder in (_UPSTREAMS / "projects").iterdir():
        _project(upstreams, folder.name).commit(
            read_folder(folder / "moved", upstreams), "move", replace_all=True, author=PERSON
        )


def _packaging(upstreams: Upstreams, name: str) -> GitRepo:
    (upstreams.root / "packaging").mkdir(exist_ok=True)
    return upstreams.repository(f"packaging/{name}")


def _project(upstreams: Upstreams, name: str) -> GitRepo:
    (upstreams.root / "projects").mkdir(exist_ok=True)
    return upstreams.repository(f"projects/{name}")
