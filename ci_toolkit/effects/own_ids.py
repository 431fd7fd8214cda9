"""A launcher: enters a user namespace with the ids that it is told, then becomes the program that its arguments name.

Inside, that program is root and may be anybody; outside, it is only ever a user that owns nothing. It can also make
the kernel know programs of other machines there, and nowhere else: since Linux 6.7 a user namespace has its own list.
Runs as a file of its own with the standard library alone. Sources: user_namespaces(7), newuidmap(1), and the kernel's
documentation of binfmt_misc.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from pathlib import Path

_NEW_USERS, _NEW_MOUNTS = 0x10000000, 0x00020000
_FAILED = 125


def main(words: list[str]) -> None:
    """Does not come back: it becomes the program, or ends with status 125 and a reason."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", required=True)
    parser.add_argument("--groups", required=True)
    parser.add_argument("--helpers", action="store_true")
    parser.add_argument("--formats-at", type=Path)
    parser.add_argument("--format", action="append", default=[])
    parser.add_argument("program", nargs="+")
    told = parser.parse_args(words)
    try:
        _enter(told.users, told.groups, helpers=told.helpers)
        if told.formats_at is not None:
            _register(told.formats_at, told.format)
        os.execvp(told.program[0], told.program)  # noqa: S606 - that is its purpose
    except OSError as error:
        sys.stderr.write(f"{error.strerror}: {error.filename}\n" if error.filename else f"{error.strerror}\n")
        sys.exit(_FAILED)


def _enter(users: str, groups: str, *, helpers: bool) -> None:
    """Be root of a new user namespace; the maps have the form `inside:outside:count,…`."""
    inner, ready = os.pipe()
    own = os.getpid()
    writer = os.fork()
    if writer == 0:
        # Whoever writes the maps has to be outside, where it has the right to.
        os.close(ready)
        os.read(inner, 1)
        os._exit(_write_maps(own, users, groups, helpers=helpers))
    os.close(inner)
    _call("unshare", _NEW_USERS)
    os.close(ready)
    _, status = os.waitpid(writer, 0)
    if status:
        raise OSError(0, "the system does not let user ids be mapped")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _write_maps(process: int, users: str, groups: str, *, helpers: bool) -> int:
    try:
        for kind, ids in (("u", users), ("g", groups)):
            rows = [row.split(":") for row in ids.split(",")]
            if helpers:
                words = [f"new{kind}idmap", str(process), *(number for row in rows for number in row)]
                if os.spawnvp(os.P_WAIT, words[0], words):  # noqa: S606 - one of the system's, which has the right to
                    return 1
            else:
                Path(f"/proc/{process}/{kind}id_map").write_text("".join(f"{' '.join(row)}\n" for row in rows))
    except OSError:
        return 1
    return 0


def _register(folder: Path, formats: list[str]) -> None:
    _call("unshare", _NEW_MOUNTS)
    _call("mount", b"binfmt_misc", os.fsencode(folder), b"binfmt_misc", 0, None)
    for line in formats:
        (folder / "register").write_text(line)


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
