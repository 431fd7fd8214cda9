"""Programs that come from npm, and the Node that they run on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODE_MODULES = Path(__file__).parents[2] / "node_modules"
# Read when the tests are collected: they run without variables of their own.
IS_CI = bool(os.environ.get("CI"))
_TIME_LIMIT_S = 120
# Programs of a megabyte are compiled for each start otherwise.
_COMPILED = NODE_MODULES / ".compiled"


def missing(message: str) -> None:
    """Skip, or fail where everything has to be there."""
    if IS_CI:
        raise AssertionError(message)
    pytest.skip(message)


def npm_program(name: str) -> Path:
    """A file below node_modules."""
    path = NODE_MODULES / name
    if not path.exists():
        missing(f"{path} is not there; make test installs it where there is npm")
    return path


def run_node(
    arguments: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a script with the Node from npm, which is newer than Debian's."""
    command = [str(npm_program("node/bin/node")), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**env, "NODE_COMPILE_CACHE": str(_COMPILED)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIME_LIMIT_S,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done
