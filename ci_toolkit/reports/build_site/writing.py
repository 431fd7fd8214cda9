"""Writes the site into a folder: files that would not differ are left alone, and those of forgotten builds go.

A page of a build that is over is not even made again: its first line says what it was made of.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import RefusedError
from ci_toolkit.reports.build_site.ansi_html import plain_log
from ci_toolkit.reports.build_site.pages import Pages

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.building.build_history import BuildHistory, BuildRecord

_MARK = ".ci-toolkit-builds"
_FOLDERS = ("builds", "logs", "packages")


class Written(NamedTuple):
    """How many files the site has, and how many of them were written or removed now."""

    files: int
    written: int
    removed: int


def write_site(history: BuildHistory, folder: Path) -> Written:
    """Write everything; RefusedError for a folder with files of somebody else."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise RefusedError("has other files in it", key=str(folder), hint="give an empty folder, or a new one")
    site = _Site(folder)
    site.put(_MARK, "ci-toolkit builds report\n")
    pages = Pages(history)
    site.put("index.html", pages.index())
    site.put("graph.html", pages.graph())
    by_package: dict[str, list[BuildRecord]] = {}
    for record in history.records:
        by_package.setdefault(record.job.pkgbase, []).append(record)
        _put_build(site, pages, history, record)
    for name in history.newest:
        site.put(f"packages/{name}.html", pages.package(name, by_package[name]))
    return site.finished()


def _put_build(site: _Site, pages: Pages, history: BuildHistory, record: BuildRecord) -> None:
    job = record.job
    path, log_path = f"builds/{job.number}.html", f"logs/{job.number}.txt"
    is_own = record.has_log and job.log_of == job.number
    digest = hashlib.sha256(f"{pages.version} {record!r}".encode()).hexdigest()
    stamp = f"<!-- {digest} -->\n"
    if job.state.is_over and site.begins_with(path, stamp) and (not is_own or site.has(log_path)):
        site.keep(path, *((log_path,) if is_own else ()))
        return
    log = "".join(history.log(job)) if is_own else None
    if log is not None:
        site.put(log_path, plain_log(log))
    # Behind the document type, which has to come first.
    head, _, rest = pages.build(record, log).partition("\n")
    site.put(path, f"{head}\n{stamp}{rest}")


class _Site:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()
        self._written = 0

    def has(self, path: str) -> bool:
        return (self._folder / path).is_file()

    def begins_with(self, path: str, line: str) -> bool:
        """Whether a page was made of the same: it says so in its second line."""
        try:
            with (self._folder / path).open(encoding="utf-8") as file:
                file.readline()
                return file.readline() == line
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    def keep(self, *paths: str) -> None:
        self._kept.update(paths)

    def put(self, path: str, text: str) -> None:
        self._kept.add(path)
        place = self._folder / path
        content = text.encode(errors="replace")
        if place.is_file() and not place.is_symlink() and place.read_bytes() == content:
            return
        write_file(place, content)
        self._written += 1

    def finished(self) -> Written:
        removed = 0
        for name in _FOLDERS:
            for path in (self._folder / name).glob("*"):
                if f"{name}/{path.name}" not in self._kept:
                    path.unlink()
                    removed += 1
        return Written(files=len(self._kept), written=self._written, removed=removed)
