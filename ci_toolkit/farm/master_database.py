"""Buildbot's own database, made or brought up to date before its master begins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError
from ci_toolkit.farm.farm_file import read_farm_file

if TYPE_CHECKING:
    from pathlib import Path


def prepare_master(top: Path) -> None:
    """Have it in the form that this Buildbot wants; MachineError when that fails."""
    read_farm_file(top)
    from buildbot.scripts.upgrade_master import upgradeMaster  # noqa: PLC0415 - long, and it starts nothing

    status = upgradeMaster({"basedir": str(top), "quiet": True})
    if status:
        raise MachineError(f"Buildbot's database in {top} cannot be prepared", hint="what it said stands above")
    sys.stdout.flush()
