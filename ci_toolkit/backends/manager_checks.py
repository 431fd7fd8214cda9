"""What a chaotic-manager would drop, crash on or wait for without a word: looked for before anything is sent to it.

Source: the manager's own reading of its arguments, and of the deptree, in May 2026.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.formats.deptree import DeptreeRecord
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.scheduling.schedule import Schedule

_NAME = re.compile(r"[a-z0-9_+][a-z0-9_.+-]*")
_CLASS = re.compile(r"[0-9]+|[A-Za-z0-9][A-Za-z0-9_.-]*")
# Both are words of an ssh command line, where what begins with a dash would be an option.
_SSH_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_SSH_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MOST_PORT = 65_535
_SEPARATORS = re.compile(r"[,:;\s]")
# Linux takes 2 MiB of arguments and environment with a pointer to each; a CI job's environment has to fit as well.
_MOST_ARGUMENT_BYTES = 3 << 19
_POINTER_BYTES = 8
_LONGEST_SHOWN = 5


def is_manager_name(pkgbase: str) -> bool:
    """Whether the manager builds a package of that name, and no option or path is made of it."""
    return _NAME.fullmatch(pkgbase) is not None


def manager_faults(schedule: Schedule, settings: Settings, arrays: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Everything that speaks against sending a schedule, `arrays` being the argument lists that it becomes."""
    yield from _repository_faults(settings)
    yield from _connection_faults(settings)
    yield from _build_faults(schedule)
    yield from _record_faults(schedule.deptree)
    if schedule.remaining is not None and not schedule.remaining:
        yield "a removal that leaves no package at all is not handed over"
    for words in arrays.values():
        size = sum(len(word.encode(errors="surrogateescape")) + 1 + _POINTER_BYTES for word in words)
        if size > _MOST_ARGUMENT_BYTES:
            yield f"{words[0]} would have {size} bytes of arguments, more than a program can be given"


def _repository_faults(settings: Settings) -> Iterator[str]:
    """The manager takes any name, reports success, and dies of an unknown one when a builder is free."""
    known = settings.manager_repositories
    for key, name in {"REPO_NAME": settings.repo_name, "BUILD_REPO": settings.build_repo}.items():
        if known and name not in known:
            hint = nearest(name, known) or f"there are {', '.join(known)}"
            yield f"{key} {name} is none of CI_MANAGER_REPOSITORIES ({hint})"


def _connection_faults(settings: Settings) -> Iterator[str]:
    if _SSH_HOST.fullmatch(settings.redis_ssh_host) is None:
        yield f"REDIS_SSH_HOST {settings.redis_ssh_host!r} is no host name"
    if _SSH_USER.fullmatch(settings.redis_ssh_user) is None:
        yield f"REDIS_SSH_USER {settings.redis_ssh_user!r} is no user name"
    for key, port in {"REDIS_SSH_PORT": settings.redis_ssh_port, "REDIS_PORT": settings.redis_port}.items():
        if not 0 < port <= _MOST_PORT:
            yield f"{key} {port} is no port"


def _build_faults(schedule: Schedule) -> Iterator[str]:
    dropped = [build.pkgbase for build in schedule.builds if not is_manager_name(build.pkgbase)]
    if dropped:
        yield f"the manager would drop {_some(dropped)}, as it takes only names of a-z 0-9 _ . + -"
    odd = [
        f"{build.pkgbase}/{build.builder_class}"
        for build in schedule.builds
        if build.builder_class is not None and not _is_class(build.builder_class)
    ]
    if odd:
        yield f"no builder can ever take {_some(odd)}, whose class is neither a number of at least 1 nor a name"


def _is_class(text: str) -> bool:
    return _CLASS.fullmatch(text) is not None and text.strip("0") != ""


def _record_faults(records: Iterable[DeptreeRecord]) -> Iterator[str]:
    """One record that is not three lists makes it refuse the whole call; an empty name is what all others wait for."""
    broken = [
        record.pkgbase
        for record in records
        if not record.names
        or not all(name and not _SEPARATORS.search(name) for name in (*record.names, *record.dependencies))
    ]
    if broken:
        yield f"the manager would misread what {_some(broken)} provides or needs"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _LONGEST_SHOWN
    return ", ".join(names[:_LONGEST_SHOWN]) + (f" and {more} more" if more > 0 else "")
