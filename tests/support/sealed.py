"""An environment that knows nothing of the user, the machine or a CI service."""

from __future__ import annotations

import os
from pathlib import Path

_GIT_CONFIG = Path(__file__).with_name("gitconfig")


def sealed_environment(home: Path) -> dict[str, str]:
    """Variables for child processes and for the program under test; `home` is created."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "GIT_CONFIG_GLOBAL": str(_GIT_CONFIG),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
