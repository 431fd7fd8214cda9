"""Package databases as pacman has them, served on loopback."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.world import World


def database(**versions: str | tuple[str, ...]) -> bytes:
    """A database as repo-add lays it out: name to version, or to version and what is provided."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for key, given in versions.items():
            name = key.replace("_", "-")
            version, *provides = (given,) if isinstance(given, str) else given
            text = f"%NAME%\n{name}\n\n%BASE%\n{name}\n\n%VERSION%\n{version}\n\n"
            text += "%PROVIDES%\n" + "".join(f"{item}\n" for item in provides) + "\n" if provides else ""
            folder = tarfile.TarInfo(f"{name}-{version}/")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            entry = tarfile.TarInfo(f"{name}-{version}/desc")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def put(world: World, name: str, content: bytes) -> str:
    """Serve a database; its URL."""
    if world.upstreams.files is None:
        world.upstreams.files = world.folder / "files"
        world.upstreams.files.mkdir()
    (world.upstreams.files / name).write_bytes(content)
    return f"{world.upstreams.url}/files/{name}"
