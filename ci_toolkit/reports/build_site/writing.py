"""Writes the site into a folder: files that would not differ are left alone, and those of forgotten builds go.

A page of a build that is over is not even made again: its second line says what it was made of. The overview comes
last, and what it links to no more goes after that: whoever begins there finds every page, whenever a run was killed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import NotReadyError, RefusedError
from ci_toolkit.reports.build_site.ansi_html import plain_log
from ci_toolkit.reports.build_site.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.building.build_history import BuildHistory, BuildRecord
    from ci_toolkit.model.job import Job

_MARK = ".ci-toolkit-builds"
# Without it, the Pages of a branch at GitHub leave out packages whose names begin with `_`.
_NO_JEKYLL = ".nojekyll"
_FOLDERS = ("builds", "logs", "packages")


class Written(NamedTuple):
    """How many files the site has, and how many of them were written or removed now."""

    files: int
    written: int
    removed: int


def write_site(history: BuildHistory, folder: Path, *, clean: Callable[[str], str]) -> Written:
    """Write everything, `clean`ed of secrets; RefusedError for a folder with files of somebody else."""
    _require_own(folder)
    site = _Site(folder)
    site.put(_MARK, "ci-toolkit builds report\n")
    site.put(_NO_JEKYLL, "")
    pages = Pages(history, clean)
    by_package: dict[str, list[BuildRecord]] = {}
    for record in history.records:
        by_package.setdefault(record.job.pkgbase, []).append(record)
        _put_build(site, pages, record, lambda job: _log(history, job, clean))
    for name in history.newest:
        site.put(f"packages/{name}.html", pages.package(name, by_package[name]))
    site.put("graph.html", pages.graph())
    site.put("statistics.html", pages.statistics())
    site.put("index.html", pages.index())
    return site.finished()


def _require_own(folder: Path) -> None:
    """Refuse what is not a report's: whatever its folders have that is not written now is going to be removed."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    begun = f".{_MARK}."  # a killed run's, before anything else was there
    if _MARK not in names and any(not name.startswith(begun) for name in names):
        raise RefusedError("has other files in it", key=str(folder), hint="give an empty folder, or a new one")
    for name in _FOLDERS:
        if (folder / name).is_symlink():
            raise RefusedError("is a link, and what it leads to is no report's", key=str(folder / name))


def _put_build(site: _Site, pages: Pages, record: BuildRecord, log_of: Callable[[Job], str | None]) -> None:
    job = record.job
    path, log_path = f"builds/{job.number}.html", f"logs/{job.number}.txt"
    is_own = record.has_log and job.log_of == job.number
    digest = hashlib.sha256(f"{pages.version} {record!r}".encode()).hexdigest()
    stamp = f"<!-- {digest} -->\n"
    if job.state.is_over and site.begins_with(path, stamp) and (not is_own or site.has(log_path)):
        site.keep(path, *((log_path,) if is_own else ()))
        return
    log = log_of(job) if is_own else None
    if log is not None:
        site.put(log_path, plain_log(log))
    # Behind the document type, which has to come first.
    head, _, rest = pages.build(record, log).partition("\n")
    site.put(path, f"{head}\n{stamp}{rest}")


def _log(history: BuildHistory, job: Job, clean: Callable[[str], str]) -> str | None:
    try:
        return clean("".join(history.log(job)))
    except (NotReadyError, FileNotFoundError):  # a run that builds forgot the job after this one had listed it
        return None


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
        write_file(place, content, durable=False)  # what a power cut takes, the next report brings back
        self._written += 1

    def finished(self) -> Written:
        removed = 0
        for path in self._leftovers():
            path.unlink()
            removed += 1
        return Written(files=len(self._kept), written=self._written, removed=removed)

    def _leftovers(self) -> list[Path]:
        """Pages of builds that are forgotten, and what killed runs were about to move into place."""
        found = [path for path in self._folder.iterdir() if path.name.startswith(_BEGUN) and path.is_file()]
        for name in _FOLDERS:
            there = (self._folder / name).glob("*")
            found += [path for path in there if f"{name}/{path.name}" not in self._kept and not _is_folder(path)]
        return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


_BEGUN = tuple(f".{name}." for name in (_MARK, _NO_JEKYLL, "graph.html", "index.html", "statistics.html"))
