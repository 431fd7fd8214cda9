"""The folder of a build that failed, kept for whoever wants to look around in it.

It is packed, and never unpacked here: what strangers' programs left there keeps no rights on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.effects.process import Processes

_TIME_LIMIT_S = 600.0
_ENVIRON = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def keep_failed_folder(folder: Path, target: Path | None, processes: Processes, note: Callable[[str], None]) -> None:
    """Pack it into `target`, in place of an earlier one, where that is wished; what prevents it is noted."""
    if target is None:
        return
    partial = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = ("tar", "--create", "--zstd", "--sparse", f"--file={partial}", f"--directory={folder.parent}", folder.name)
    try:
        # 1: something could not be read, and everything else is there.
        processes.run(words, env=_ENVIRON, timeout_s=_TIME_LIMIT_S, statuses=(0, 1))
    except ProcessError as error:
        partial.unlink(missing_ok=True)
        note(f"the folder of the build is not kept: {error.what}")
        return
    partial.chmod(0o600)
    partial.replace(target)
    note(f"the folder of the build is kept in {target}")


def sweep_failed_folders(folder: Path, *, before_s: float) -> None:
    """Remove what was kept before then (seconds since 1970)."""
    for path in folder.glob("*.tar.zst") if folder.is_dir() else ():
        if path.lstat().st_mtime < before_s:
            path.unlink(missing_ok=True)
