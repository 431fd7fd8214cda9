"""Builds to be taken into a store: files with contents that nobody packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.store.index import StoredBuild
from ci_toolkit.store.object_store import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.store.object_store import ObjectStore


def add(
    store: ObjectStore, place: Path, identity: str, built_at_s: float = 100.0, own: str = "own", /, **contents: str
) -> StoredBuild:
    """Take a build that made packages of these names with these contents; its files are written below `place`."""
    folder = place / "out" / identity
    folder.mkdir(parents=True, exist_ok=True)
    outputs = []
    for name, content in contents.items():
        path = folder / f"{name}-1-1-any.pkg.tar.zst"
        path.unlink(missing_ok=True)
        path.write_text(content)
        outputs.append(
            Output(path=path, name=name, version="1-1", arch="any", provides=(f"{name}-x",), depends=("glibc>=2",))
        )
    made = StoredBuild(
        identity=identity,
        pkgbase=identity,
        job=7,
        built_at_s=built_at_s,
        own=own,
        built_with=(("lib", "lib", "1-1"),),
        packages=(),
    )
    return store.add(outputs, made)


def contents(store: ObjectStore, identity: str) -> dict[str, str] | None:
    """What a build made, by package, as the store has it; None when it has not."""
    build = store.build(identity)
    return None if build is None else {one.name: store.path(one.sha256).read_text() for one in build.packages}


def files(store: ObjectStore) -> Iterator[Path]:
    """Everything below the objects."""
    return (path for path in store._files._objects.rglob("*") if not path.is_dir())


def damage(path: Path, content: str = "damaged") -> str:
    """Give a file another content, whatever else is linked to it; its checksum before."""
    before = sha256_of(path)
    path.unlink()
    path.write_text(content)
    return before
