"""A Nix cache is published to, with a boundary before every change of a file (`killed_everywhere`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ci_toolkit.publishers.nix_cache.publisher import NixCachePublisher
from tests.support.http_service import FakeClock
from tests.support.nix_exports import nix_delivery, nix_tools
from tests.support.pacman_stand import DAY_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.killable import Boundaries

_START_S = 1_800_000_000.0


def prepare(folder: Path) -> None:
    """A cache with a closure that stays, one that is gone for long, and one that is gone now."""
    _publish(folder, _START_S, ["tool", "old"])
    _publish(folder, _START_S, [], gone="old")


def story(folder: Path, boundaries: Boundaries) -> None:
    """One closure more, and one less."""
    for name in ("replace", "unlink", "mkdir", "rename", "fsync", "link"):
        boundaries.before(os, name, lambda *paths: "closures" not in str(paths[-1]))
    tell(folder)


def tell(folder: Path) -> None:
    """The same without boundaries."""
    _publish(folder, _START_S + 2 * DAY_S, ["thing"])


def _publish(folder: Path, now_s: float, names: list[str], gone: str = "") -> None:
    tools = nix_tools(folder / "place", clock=FakeClock(now_s), keep_s=DAY_S)
    libraries = {"old": "two", "tool": "one", "thing": "one"}
    deliveries = [nix_delivery(folder / "closures", name, library=libraries[name]) for name in names]
    with NixCachePublisher().opened(tools) as place:
        assert not place.publish(deliveries, [gone] if gone else [])
