"""Files that an earlier job left: never what somebody committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.effects.git_command import LOCAL_TIMEOUT_S, own_environment
from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Processes

_TRACKED, _UNTRACKED = 0, 1


def refuse_tracked(file: Path, environ: Mapping[str, str], processes: Processes) -> None:
    """NotReadyError when git tracks a file: it would be somebody's word and not an earlier job's."""
    if not any((folder / ".git").exists() for folder in file.absolute().parents):
        return
    done = processes.run(
        ("git", "ls-files", "--error-unmatch", "--", file.name),
        cwd=file.parent,
        env=own_environment(environ),
        timeout_s=LOCAL_TIMEOUT_S,
        statuses=(_TRACKED, _UNTRACKED),
    )
    if done.status == _TRACKED:
        raise NotReadyError("must not be tracked in git", key=str(file), hint=f"git rm --cached {file}, and ignore it")
