"""Folders with a stack on disk, made by the program as a user would."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ci_toolkit.cli.main import main
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.redaction import Redactor
from tests.support.stacks import FARM, STACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def stack_folder(top: Path, stack: str = STACK, farm: str = FARM) -> Path:
    """A folder with the two files."""
    (top / "master").mkdir(parents=True, exist_ok=True)
    (top / "master/farm.toml").write_text(farm)
    (top / "stack.toml").write_text(stack)
    return top


def toolkit(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """`ci-toolkit stack …` there: its status, and all that it said."""
    said = io.StringIO()
    terminal = Terminal(
        stdout=said,
        stderr=said,
        environ=environ or {},
        clock=SystemClock(),
        redactor=Redactor({}),
        cwd=folder,
    )
    return main(("stack", *words), terminal), said.getvalue()


def files_below(folder: Path) -> dict[str, bytes]:
    """Everything in it by path, but for the lock, which names the last process."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".stack.lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
