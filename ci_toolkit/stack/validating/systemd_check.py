"""`systemd-analyze verify`: whether systemd understands the units, asked on a machine that is not the farm's."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError
from ci_toolkit.stack.validating.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Programs

_NAME = "systemd-analyze verify"
_PROGRAM = re.compile(r"^(Exec\w+=[-+!@:]*)(/[^\s\"]+)", re.MULTILINE)
_STANDING_IN = "[Service]\nExecStart=/bin/true\n"


def check_systemd(folder: Path, deployment: Deployment, programs: Programs) -> Iterator[Check]:
    """What systemd says to a copy, in which programs that are missing here are `true`; nothing for containers."""
    if deployment.stack.is_composed:
        return
    analyze = programs.find("systemd-analyze")
    if analyze is None:
        yield Check(name=_NAME, missing="systemd-analyze is not installed; Debian: apt install systemd")
        return
    top = folder / "systemd-asked"
    shutil.copytree(folder / "systemd", top, dirs_exist_ok=True)
    missing = set[str]()
    for path in sorted((*top.rglob("*.service"), *top.rglob("*.conf"))):
        missing |= _stand_in(path)
    _add_units(top)
    units = sorted(path.name for path in (*top.glob("*.service"), *top.glob("*.target")))
    try:
        done = programs.run((analyze, "verify", "--man=no", *(f"{top}/{unit}" for unit in units)), cwd=top)
    except ProcessError as error:
        yield Check(name=_NAME, faults=(str(error),))
        return
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    # It also speaks of what this machine has, which is nobody's fault here.
    ours = (line for line in said if f"{top}/" in line or line.startswith(tuple(f"{unit}:" for unit in units)))
    faults = tuple(dict.fromkeys(line.replace(f"{top}/", "systemd/").strip() for line in ours))
    if done.status and not faults:
        reason = "; ".join(line.strip() for line in said[-3:]) or f"status {done.status}"
        yield Check(name=_NAME, missing=f"systemd-analyze cannot say anything here: {reason}")
        return
    note = f"not installed here, and so not asked for: {', '.join(sorted(missing))}" if missing else ""
    yield Check(name=_NAME, faults=faults, note=note)


def _stand_in(path: Path) -> set[str]:
    """Put `true` for programs that are missing here; gives these."""
    missing = set[str]()

    def here(found: re.Match[str]) -> str:
        if os.access(found[2], os.X_OK):
            return found[0]
        missing.add(found[2])
        return f"{found[1]}/bin/true"

    path.write_text(_PROGRAM.sub(here, path.read_text()))
    return missing


def _add_units(top: Path) -> None:
    """The units that there is something for which are not ours: those of a distribution, and a worker's, of all's."""
    for folder in sorted(top.glob("*.service.d")):
        unit = Path(str(folder).removesuffix(".d"))
        template = top / re.sub(r"@.*\.service$", "@.service", unit.name)
        if template.exists() and not unit.exists():
            shutil.copy(template, unit)
        elif not unit.exists():
            unit.write_text(_STANDING_IN)
