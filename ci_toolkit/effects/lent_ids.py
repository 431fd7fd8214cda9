"""Ranges of user and group ids, each lent to one build of an image at a time.

An image has files of many owners, and whoever builds one is root there. So a build gets a user namespace of its own,
whose root and other users are, outside of it, users that own nothing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects import own_ids
from ci_toolkit.effects.lent_users import end_processes, lent_number, lent_user
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COUNT = 65_536
# What systemd leaves to containers, and nobody else hands out by itself.
FIRST = 1_610_612_736
_RANGES = 256
_LOCKS = Path("/run/ci-toolkit-ids.lock")
_MAPS = (Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LentIds:
    """Ids of a user namespace as `inside:outside:count,…`; `root` is who its root is outside, None for ourselves.

    `count` is how many there are; with a single one all files belong to root, whatever an image says. `helpers`: only
    programs of the system may map them.
    """

    users: str
    groups: str
    root: int | None
    count: int
    helpers: bool = False

    def words(self, formats: Sequence[str] = (), formats_at: Path | None = None) -> list[str]:
        """A prefix that makes a program root of such a namespace, where these formats of programs are known."""
        words = [sys.executable, "-I", "-S", own_ids.__file__, f"--users={self.users}", f"--groups={self.groups}"]
        if self.helpers:
            words.append("--helpers")
        if formats_at is not None:
            words += [f"--formats-at={formats_at}", *(f"--format={line}" for line in formats)]
        return [*words, "--"]

    def end_processes(self) -> None:
        """Kill what runs with them still."""
        if self.root is not None:
            end_processes(self.root, self.root + self.count - 1)


@contextmanager
def lent_ids(locks: Path = _LOCKS) -> Iterator[LentIds]:
    """A range that is nobody else's meanwhile; MachineError where there can be none.

    Root takes one that nobody owns, or a single user where the system knows too few (in a container, say). Others have
    their own user be root inside, and their subordinate ids for the rest.
    """
    if os.geteuid() != 0:
        yield _subordinate()
        return
    if not all(_are_known(path, FIRST, COUNT * _RANGES) for path in _MAPS):
        with lent_user() as user:
            yield LentIds(users=f"0:{user}:1", groups=f"0:{user}:1", root=user, count=1)
        return
    with lent_number(locks, 0, _RANGES - 1, lambda number: (_first(number), _first(number) + COUNT - 1)) as number:
        if number is None:
            raise MachineError(f"every range of user ids from {FIRST} is in use, as {locks} says")
        ids = f"0:{_first(number)}:{COUNT}"
        yield LentIds(users=ids, groups=ids, root=_first(number), count=COUNT)


def _first(number: int) -> int:
    return FIRST + number * COUNT


def _are_known(path: Path, first: int, count: int) -> bool:
    """Whether the system lets us use ids: a container may have a few of them only."""
    rows = [[int(number) for number in line.split()] for line in path.read_text().splitlines()]
    return any(inside <= first and first + count <= inside + known for inside, _, known in rows)


def _subordinate() -> LentIds:
    user = _name(os.getuid())
    ranges = [_of_user(Path("/etc") / name, user, os.getuid()) for name in ("subuid", "subgid")]
    if None in ranges or shutil.which("newuidmap") is None:
        raise MachineError(
            f"images cannot be built here by {user}: it has no subordinate user and group ids, or no newuidmap",
            hint=f"apt install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
        )
    maps = [
        f"0:{own}:1,1:{found[0]}:{found[1]}"
        for own, found in zip((os.getuid(), os.getgid()), ranges, strict=True)
        if found is not None
    ]
    return LentIds(users=maps[0], groups=maps[1], root=None, count=COUNT, helpers=True)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _of_user(path: Path, name: str, number: int) -> tuple[int, int] | None:
    """The first range of a user's with enough ids in it, in a file of the form of subuid(5)."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(number)) and first.isdigit() and count.isdigit() and int(count) >= COUNT - 1:
            return int(first), COUNT - 1
    return None
