"""What one check of a rendered stack found, and the programs that such checks ask."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.effects.process import Completed, Processes

_TIME_LIMIT_S = 60.0
_ANY_STATUS = range(256)
_MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question and its answer: `faults` with the files they are in; `missing` says why nobody could be asked.

    `note` is what has to be known about an answer that is not the whole one.
    """

    name: str
    faults: tuple[str, ...] = ()
    missing: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Programs of this machine, as far as they are installed; they get PATH, and a place for their files."""

    processes: Processes
    environ: Mapping[str, str]

    def find(self, name: str) -> str | None:
        """The path of a program; None when it is not installed.

        Servers are often outside of people's PATH, and what came with ci-toolkit is beside its Python.
        """
        places = (
            self.environ.get("PATH", ""),
            str(Path(sys.executable).parent),
            "/usr/local/sbin",
            "/usr/sbin",
            "/sbin",
        )
        return shutil.which(name, path=":".join(places))

    def run(self, argv: Sequence[str], *, cwd: Path) -> Completed:
        """How it ended, whatever its status; ProcessError when it cannot be started or takes longer than a minute."""
        env = {"PATH": self.environ.get("PATH", ""), "HOME": str(cwd), "TMPDIR": str(cwd), "LC_ALL": "C"}
        return self.processes.run(argv, env=env, cwd=cwd, timeout_s=_TIME_LIMIT_S, statuses=_ANY_STATUS)

    def ask(self, name: str, argv: Sequence[str], *, cwd: Path) -> Check:
        """A check that is a program's exit status, with what it said as the fault; its folder's name is taken out."""
        try:
            done = self.run(argv, cwd=cwd)
        except ProcessError as error:
            if isinstance(error.__cause__, OSError):  # nobody was asked, so that it is no fault of what was rendered
                return Check(name=name, missing=str(error))
            return Check(name=name, faults=(str(error),))
        if done.status == 0:
            return Check(name=name)
        said = (done.stdout + done.stderr).decode(errors="replace").replace(f"{cwd}/", "")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        # What went wrong is said first or last; in between may be the trace of a program that broke.
        told = lines if len(lines) <= _MOST_LINES else [*lines[:2], "…", *lines[2 - _MOST_LINES :]]
        return Check(name=name, faults=("; ".join(told) or f"it ended with status {done.status}",))
