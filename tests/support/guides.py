"""Pages of docs/: blocks of commands and code that stand under a mark, and how such commands are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def block(page: str, name: str) -> str:
    """The block that stands under the mark `<!-- tested: NAME -->` of a page."""
    text = (DOCS / page).read_text()
    found = re.search(rf"<!-- tested: {re.escape(name)} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"{page} has no block {name}"
    return found[1]


def sh(script: str, cwd: Path, **variables: str) -> str:
    """What commands print; all of them have to work. `ci-toolkit` is the one that is tested."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(cwd), "NO_PROXY": "*"} | variables
    argv = ("bash", "-euo", "pipefail", "-c", script)
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
