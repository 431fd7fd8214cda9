"""What a thread is handed that makes one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.backends.spec import PackageFolder
    from ci_toolkit.model.job import Job
    from ci_toolkit.scheduling.built_with import AvailablePackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a thread is handed.

    `available` are our packages that may be built with, `published` those that clients have. `begun` is called with the
    name of the recipe before the first program runs, `phase` with every new phase, and `ending` says why the build has
    to end, if it has.
    """

    job: Job
    folder: PackageFolder
    available: Mapping[str, AvailablePackage]
    published: Mapping[str, AvailablePackage]
    work: Path
    log: Path
    begun: Callable[[str], None]
    phase: Callable[[str], None]
    ending: Callable[[], str | None]
