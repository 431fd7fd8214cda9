"""What a build backend must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.scheduling.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTools:
    """The effects and settings a backend may use: `top` is the repository's worktree, `environ` the environment."""

    top: Path
    environ: Mapping[str, str]
    settings: Settings


class Backend(Protocol):
    """Takes schedules and builds them."""

    name: ClassVar[str]

    def name_fault(self, pkgbase: Pkgbase) -> str | None:
        """Why this backend would not build a package of that name, or None."""

    def submit(self, schedule: Schedule, tools: BackendTools) -> str:
        """Take a schedule, acknowledged by returning a sentence on what was done; HandOverError otherwise."""
