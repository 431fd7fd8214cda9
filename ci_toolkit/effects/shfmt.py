"""Formatting PKGBUILDs with shfmt, all of a run in one process."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError
from ci_toolkit.model.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.effects.process import Processes

_TIMEOUT_S = 120.0
_COMPLAINT = re.compile(r"(?P<path>[^:]*):(?:(?P<line>\d+):\d+:)? (?P<text>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shfmt:
    """The formatter; it parses and prints, and never runs what it is given."""

    processes: Processes
    environ: Mapping[str, str]

    def format(self, texts: Iterable[bytes], *, editorconfig: bytes | None) -> dict[bytes, bytes | None]:
        """Each text in its formatted form, as the repository's `.editorconfig` wants it; None: it does not parse."""
        results = self._formatted(texts, editorconfig)
        return {text: None if isinstance(found, Remark) else found for text, found in results}

    def faults(self, texts: Iterable[bytes]) -> dict[bytes, Remark]:
        """Those texts that do not parse, with the first line that does not."""
        return {text: found for text, found in self._formatted(texts, None) if isinstance(found, Remark)}

    def _formatted(self, texts: Iterable[bytes], editorconfig: bytes | None) -> list[tuple[bytes, bytes | Remark]]:
        wanted = tuple(dict.fromkeys(texts))
        if not wanted:
            return []
        with tempfile.TemporaryDirectory(prefix="ci-toolkit-shfmt-") as name:
            top = Path(name)
            # shfmt looks for .editorconfig upwards; one with `root = true` on top keeps those of the machine out.
            (top / ".editorconfig").write_bytes(b"root = true\n" if editorconfig is None else _rooted(editorconfig))
            paths = [top / str(number) / "PKGBUILD" for number in range(len(wanted))]
            for path, text in zip(paths, wanted, strict=True):
                path.parent.mkdir()
                path.write_bytes(text)
            broken = self._run(paths)
            return [
                (text, broken[str(path)] if str(path) in broken else path.read_bytes())
                for path, text in zip(paths, wanted, strict=True)
            ]

    def _run(self, paths: list[Path]) -> dict[str, Remark]:
        argv = (self._program(), "--write", *map(str, paths))
        env = {"PATH": self.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
        done = self.processes.run(argv, env=env, timeout_s=_TIMEOUT_S, statuses=(0, 1))
        complaints = [_COMPLAINT.fullmatch(line) for line in done.stderr.decode(errors="replace").split("\n") if line]
        broken = {it["path"]: Remark(line=int(it["line"] or 1), text=it["text"]) for it in complaints if it}
        if done.status and (None in complaints or not broken.keys() <= set(map(str, paths))):
            raise ProcessError(f"shfmt fails: {done.complaint}")
        return broken

    def _program(self) -> str:
        beside = str(Path(sys.executable).parent)
        found = shutil.which("shfmt", path=f"{beside}:{self.environ.get('PATH', '')}")
        if found is None:
            raise ProcessError("shfmt is not installed", hint="install ci-toolkit with its dependencies (shfmt-py)")
        return found


def _rooted(editorconfig: bytes) -> bytes:
    return editorconfig if b"root" in editorconfig.split(b"[")[0] else b"root = true\n" + editorconfig
