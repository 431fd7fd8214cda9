"""Which root the repository's setting means: the machine's own tools, a folder, or an image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.base_root import ArchRoot, HostRoot
from ci_toolkit.effects.image_root import ImageRoots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.base_root import BaseRoot
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes

IMAGE_PREFIX = "oci:"


def find_root(setting: str, *, processes: Processes, environ: Mapping[str, str], cache: Path, clock: Clock) -> BaseRoot:
    """The root of a `CI_BUILD_ROOT`: nothing, a folder's absolute path, or `oci:` and an image's name.

    An image is pulled and unpacked here, the first time and whenever its name means another one; otherwise this takes
    milliseconds. MachineError when there is no such root, or it cannot be had.
    """
    if not setting:
        return HostRoot()
    folder = cache / "roots"
    if setting.startswith(IMAGE_PREFIX):
        roots = ImageRoots(processes=processes, environ=environ, folder=folder / "oci", clock=clock)
        return roots.root(setting.removeprefix(IMAGE_PREFIX))
    name = hashlib.sha256(setting.encode()).hexdigest()[:16]
    root = ArchRoot(top=Path(setting), cache=folder / "packages" / name)
    root.check()
    return root
