"""How programs of other machines can run here: QEMU as the kernel's interpreter for them (binfmt_misc).

Where the machine has it registered that is used. Else a build registers it for itself alone, in its user namespace,
which needs nothing but QEMU and Linux 6.7 or newer.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGISTERED = Path("proc/sys/fs/binfmt_misc")
_FOLDERS = ("etc/binfmt.d", "run/binfmt.d", "usr/local/lib/binfmt.d", "usr/lib/binfmt.d")
_OWN_SINCE = (6, 7)
_HINT = "apt install qemu-user-static binfmt-support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """What a build has to register itself, one line a format, so that programs of other machines run in it."""

    formats: tuple[str, ...] = ()


def emulation_of(machines: Mapping[str, str], *, top: Path = Path("/"), release: str | None = None) -> Emulation:
    """What these machines need here; UpstreamError that names those that cannot be had.

    They are QEMU's names for them, with what people call them.
    """
    lacking = [machine for machine in machines if not _is_registered(top, machine)]
    if not lacking:
        return Emulation()
    # What a user namespace registers hides what the machine has.
    found = {machine: _format(top, machine) for machine in machines}
    missing = [machines[machine] for machine, line in found.items() if line is None]
    if missing:
        raise UpstreamError(f"programs for {', '.join(missing)} do not run here: there is no QEMU for them", hint=_HINT)
    if _version(release or os.uname().release) < _OWN_SINCE:
        names = ", ".join(machines[machine] for machine in lacking)
        problem = f"programs for {names} do not run here: QEMU is there, but the kernel is not told of it"
        raise UpstreamError(problem, hint=_HINT)
    return Emulation(formats=tuple(line for line in found.values() if line is not None))


def _is_registered(top: Path, machine: str) -> bool:
    try:
        lines = (top / _REGISTERED / f"qemu-{machine}").read_text().splitlines()
    except OSError:
        return False
    # Without F the interpreter would be looked for in the image.
    return "enabled" in lines and any(line.startswith("flags:") and "F" in line for line in lines)


def _format(top: Path, machine: str) -> str | None:
    """The line with which a machine's programs are registered, as the files of systemd-binfmt have it."""
    for folder in _FOLDERS:
        for name in (f"qemu-{machine}.conf", f"qemu-{machine}-static.conf"):
            try:
                lines = (top / folder / name).read_text().splitlines()
            except (OSError, UnicodeDecodeError):
                continue
            for line in lines:
                found = re.fullmatch(r":[^:\s]+:M:[0-9]*:[^:]+:[^:]*:(/[^:]+):([A-Z]*)", line.strip())
                if found and (top / found[1].lstrip("/")).exists():
                    return line.strip() if "F" in found[2] else f"{line.strip()}F"
    return None


def _version(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
