"""A repository's database as repo-add and repo-remove make it, in a folder that no client sees yet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError, ProcessError
from ci_toolkit.formats.pacman_database import read_database_files, read_pacman_database
from ci_toolkit.publishers.pacman.ledger import PublishedPackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.publishers.pacman.layout import Layout

_TIMEOUT_S = 1800.0
_MOST_ARGUMENTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePrograms:
    """repo-add and repo-remove with the environment they may see."""

    processes: Processes
    env: Mapping[str, str]

    def check(self) -> None:
        """NotReadyError when they are missing."""
        for program in ("repo-add", "repo-remove", "bsdtar", "zstd", "gpgv"):
            if shutil.which(program, path=self.env.get("PATH")) is None:
                raise NotReadyError(f"{program} is not installed here, and databases are made and checked with it")

    def change(self, layout: Layout, folder: Path, *, removed: Iterable[str], added: Iterable[Path]) -> None:
        """Change the database in `folder`, which is made where it is missing; ProcessError when they refuse.

        Added packages need their signature beside them: it becomes part of the database.
        """
        if (folder / layout.database).is_file():
            self._run("repo-remove", layout, folder, list(removed))
        self._run("repo-add", layout, folder, [str(path) for path in added])
        if not (folder / layout.database).is_file():
            self._run("repo-add", layout, folder, [], even_without=True)
        for leftover in list(folder.glob(f"{layout.name}.*")):
            if leftover.name not in {layout.database, layout.files_database}:
                leftover.unlink()

    def _run(
        self, program: str, layout: Layout, folder: Path, words: Sequence[str], *, even_without: bool = False
    ) -> None:
        # `./`, so that a name is never taken for an option; both take options anywhere.
        env = {**self.env, "TMPDIR": str(folder)}
        for start in range(0, len(words) or int(even_without), _MOST_ARGUMENTS):
            part = words[start : start + _MOST_ARGUMENTS]
            argv = (program, "--quiet", "--nocolor", f"./{layout.database}", *part)
            self.processes.run(argv, env=env, timeout_s=_TIMEOUT_S, cwd=folder)


def read_published(layout: Layout, folder: Path) -> tuple[dict[str, PublishedPackage], dict[str, bytes]]:
    """The packages that a database names, and the signatures it has of them; FormatError when it is damaged."""
    path = folder / layout.database
    if not path.is_file():
        raise NotReadyError("is missing", key=str(path))
    data = path.read_bytes()
    files = read_database_files(data, file=str(path))
    packages = {}
    for package in read_pacman_database(data, file=str(path)):
        file = files[package.name]
        packages[package.name] = PublishedPackage(
            name=package.name,
            base=package.base,
            version=package.version,
            file=file.file,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
        )
    return packages, {name: file.signature for name, file in files.items()}


def check_database(layout: Layout, folder: Path, packages: Mapping[str, PublishedPackage]) -> None:
    """ProcessError when a database that was just made does not say what it should."""
    named, signatures = read_published(layout, folder)
    files = {package.name for package in read_pacman_database((folder / layout.files_database).read_bytes(), file="")}
    wrong = sorted(
        name
        for name in named.keys() | packages.keys() | files
        if named.get(name) != packages.get(name) or not signatures.get(name) or name not in files
    )
    if wrong:
        raise ProcessError(f"repo-add made a database that is wrong about {', '.join(wrong[:5])}")
