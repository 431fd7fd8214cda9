"""Checking a checkout: choose what is looked at, run the checks, and mend what can be mended if that is wished."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci_toolkit.checks.running import run_checks
from ci_toolkit.checks.spec import Subject
from ci_toolkit.errors import ConfigError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ci_toolkit.checks.problem import Problem
    from ci_toolkit.checks.spec import Check, Tools
    from ci_toolkit.effects.checkout import Checkout

_REPOSITORY = ".ci"
_MESSAGES = "commit-message"
_MARKS = (".ci/config", ".git")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """What was found and is still there, the files that were mended, and how many packages were looked at."""

    problems: tuple[Problem, ...]
    mended: tuple[str, ...] = ()
    packages: int = 0

    @property
    def errors(self) -> int:
        """How many problems are more than warnings."""
        return sum(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """One run. `paths` are files and folders as they were written in folder `cwd`; none: the whole repository."""

    checkout: Checkout
    tools: Tools
    checks: Sequence[Check]
    cwd: Path
    paths: Sequence[str] = field(default=())
    full: bool = False
    fix: bool = False

    def run(self) -> CheckOutcome:
        """All problems; ConfigError for a path that is not there. Nothing is written without `fix`."""
        names = [check.name for check in self.checks]
        if _MESSAGES in names and len(names) > 1:
            raise ConfigError("runs alone, as it is given messages and no packages", key=_MESSAGES)
        subject = self._messages() if _MESSAGES in names else self._chosen()
        problems = run_checks(self.checks, subject)
        mended = self._mend(problems) if self.fix else {}
        left = tuple(it for it in problems if it.replacement is None or it.file not in mended)
        return CheckOutcome(problems=left, mended=tuple(mended), packages=len(subject.packages))

    def _subject(self) -> Subject:
        return Subject(files=self.checkout, tools=self.tools, full=self.full, fix=self.fix)

    def _messages(self) -> Subject:
        """Commit messages lie anywhere, such as in a linked worktree's `.git`."""
        paths = {path: self.cwd / path for path in self.paths}
        if not paths:
            raise ConfigError("no file with a commit message is named")
        for path in paths.values():
            if not path.is_file():
                raise ConfigError("there is no such file", got=str(path))
        return replace(self._subject(), messages={name: path.read_bytes() for name, path in paths.items()})

    def _chosen(self) -> Subject:
        folders = self.checkout.folders()
        if not self.paths:
            return replace(self._subject(), packages=tuple(folders), repository=True)
        firsts = dict.fromkeys(self._first(path) for path in self.paths)
        if "" in firsts:
            return replace(self._subject(), packages=tuple(folders), repository=True)
        packages = tuple(name for name in folders if name in firsts)
        return replace(self._subject(), packages=packages, repository=_REPOSITORY in firsts)

    def _first(self, path: str) -> str:
        """The folder at the top that a path leads into, empty for the top itself."""
        full = os.path.normpath(self.cwd / path)
        top = str(self.checkout.top)
        if full == top:
            return ""
        if not full.startswith(f"{top}/"):
            raise ConfigError(f"is outside of {top}", got=path)
        first = full[len(top) + 1 :].split("/", 1)[0]
        if first not in self.checkout.folders() and not os.path.lexists(full):
            hint = nearest(first, self.checkout.folders()) or None
            raise ConfigError("there is no such file or package", got=path, hint=hint)
        return first

    def _mend(self, problems: Sequence[Problem]) -> dict[str, bytes]:
        wanted = {it.file: it.replacement for it in problems if it.replacement is not None}
        for file, content in wanted.items():
            self.checkout.write(file, content)
        return wanted


def find_top(start: Path) -> Path:
    """The nearest folder upwards with a repository's configuration, else the one of a git repository, else `start`."""
    for mark in _MARKS:
        for folder in (start, *start.parents):
            if (folder / mark).exists():
                return folder
    return start
