"""A moment in a world's life that many tests begin at, so that it has to be brought about once."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING

from tests.support.git import GitRepo
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from tests.support.world import World

_PLACES = ("served", "work", "home")
_TOLD = ("aur_packages", "virtual", "filler", "dump_body", "latency_s", "token", "has_aur_api")


class Moment:
    """What a world is when this is made: its files, and what its upstreams were told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._saved = world.folder / "saved"
        for head in [*(world.folder / "served").rglob("HEAD"), world.work / ".git/HEAD"]:
            # One file instead of hundreds to copy.
            GitRepo(head.parent, world.env).git("repack", "-adq")
        for place in _PLACES:
            shutil.copytree(world.folder / place, self._saved / place, symlinks=True)
        self._told = {name: copy.deepcopy(getattr(world.upstreams, name)) for name in _TOLD}

    def return_to(self) -> None:
        """Make the world that again, with nothing that fails and nothing counted."""
        for place in _PLACES:
            shutil.rmtree(self.world.folder / place)
            shutil.copytree(self._saved / place, self.world.folder / place, symlinks=True)
        upstreams = self.world.upstreams
        for name, value in self._told.items():
            setattr(upstreams, name, copy.deepcopy(value))
        upstreams.faults.clear()
        upstreams.on_request = None
        upstreams.forget()
        self.world.clock = QuickClock()
