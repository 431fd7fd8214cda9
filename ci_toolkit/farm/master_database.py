"""Buildbot's own database, made or brought up to date before its master begins."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import MachineError
from ci_toolkit.farm.farm_file import read_farm_file

if TYPE_CHECKING:
    from pathlib import Path

_PREPARED = "prepared-for"


def prepare_master(top: Path) -> None:
    """Have it in the form that this Buildbot wants, unless it was before; MachineError when that fails."""
    database = read_farm_file(top).database
    wanted = f"{version('buildbot')} {hashlib.sha256(database.encode()).hexdigest()}\n"
    noted = top / _PREPARED
    if noted.is_file() and noted.read_text() == wanted:
        return
    # Long to import, and it starts nothing.
    from buildbot.scripts.upgrade_master import upgradeMaster  # noqa: PLC0415

    if upgradeMaster({"basedir": str(top), "quiet": True}):
        raise MachineError(f"Buildbot's database in {top} cannot be prepared", hint="what it said stands above")
    write_file(noted, wanted.encode())
