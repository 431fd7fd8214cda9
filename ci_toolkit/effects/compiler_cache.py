"""What ccache keeps between builds of one package, where the owner of the repository wants that.

A build is as clean as what it begins with, and a compiler cache is something to begin with: code that runs in one build
can leave objects there that the next one links. So there is none unless it is asked for in the repository's own
settings, a package's options alone get one that ends with the build, and each package has its own: no package can
leave anything to another. Who distrusts a package's past removes its folder.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.effects.disk_use import used_bytes
from ci_toolkit.effects.private_folder import remove_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_GIB = 4


@contextmanager
def compiler_cache(folder: Path | None, pkgbase: str) -> Iterator[Path | None]:
    """The cache of a package; None where none is kept, and while another build of the same package has it."""
    if folder is None:
        yield None
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # what lies in it belongs to users that are lent to other builds, too
    descriptor = os.open(folder / f"{pkgbase}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    own = folder / f"{pkgbase}.cache"
    try:
        own.mkdir(exist_ok=True)
        yield own
        # ccache keeps to a limit by itself; what is larger was put there by something else.
        if used_bytes(str(own)) > LARGEST_GIB << 31:
            remove_folder(own)
    finally:
        os.close(descriptor)
