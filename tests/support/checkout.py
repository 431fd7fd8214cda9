"""A package repository on disk, and `ci-toolkit check` in it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ci_toolkit.cli.main import main
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.redaction import Redactor
from tests.support.git import GitRepo
from tests.support.world import QuickClock, Result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass
class CheckedRepository:
    """The folder `top`; `env` is all that the program under test sees of an environment."""

    top: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})

    def write(self, files: Mapping[str, str | bytes]) -> CheckedRepository:
        """Add or replace files."""
        for path, content in files.items():
            target = self.top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def commit(self) -> GitRepo:
        """Make it a git repository, with everything committed."""
        repo = GitRepo(self.top, {**os.environ})
        if not (self.top / ".git").exists():
            repo.git("init", "-q", "-b", "main")
        repo.git("add", "-A")
        repo.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "chore: change")
        return repo

    def check(self, *arguments: str, cwd: Path | None = None, **env: str) -> Result:
        """Run `ci-toolkit check`."""
        stdout, stderr = io.StringIO(), io.StringIO()
        environ = {**self.env, **env}
        terminal = Terminal(
            stdout=stdout,
            stderr=stderr,
            environ=environ,
            clock=QuickClock(),
            redactor=Redactor(environ),
            cwd=cwd or self.top,
        )
        status = main(["check", *arguments], terminal)
        return Result(status, stdout.getvalue(), stderr.getvalue())

    def problems(self, *arguments: str) -> list[Any]:
        """What a `--json` run found."""
        return list(self.check(*arguments, "--json").json["problems"])

    def found(self, check: str, *arguments: str) -> list[tuple[str, int | None, str]]:
        """File, line and text of everything that one check says."""
        return [(it["file"], it["line"], it["text"]) for it in self.problems("--only", check, *arguments)]
