"""The files that a command left: looked at as if an enemy had made them, and copied out."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import copy_opened
from ci_toolkit.effects.strange_files import opened_inside
from ci_toolkit.errors import UpstreamError
from ci_toolkit.recipes.build import BuiltPackage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO


def output_names(pkgbase: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """What the outputs are called, in their order: like the folder, with the name of the file where there are several.

    >>> output_names("tool", ["dist/tool"]), output_names("tool", ["dist/tool", "tool.1"])
    (('tool',), ('tool@tool', 'tool@tool.1'))
    """
    if len(outputs) == 1:
        return (pkgbase,)
    return tuple(f"{pkgbase}@{output.rpartition('/')[2]}" for output in outputs)


def take_outputs(
    folder: Path, out: Path, outputs: Sequence[str], *, pkgbase: str, version: str, architecture: str
) -> tuple[BuiltPackage, ...]:
    """Copy them from `folder` to `out`, all or none; UpstreamError for one that is missing, empty or no real file."""
    missing = [output for output in outputs if not os.path.lexists(folder / output)]
    if missing:
        raise UpstreamError(f"it did not make {', '.join(missing)}", hint="outputs names what the command leaves")
    for output in outputs:
        with _opened(folder, output):
            pass
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    for output in outputs:
        target = out / output.rpartition("/")[2]
        with _opened(folder, output) as file:
            copy_opened(file, target)
        taken.append(target)
    return described_outputs(taken, outputs, pkgbase=pkgbase, version=version, architecture=architecture)


def described_outputs(
    paths: Sequence[Path], outputs: Sequence[str], *, pkgbase: str, version: str, architecture: str
) -> tuple[BuiltPackage, ...]:
    """The outputs, which lie at `paths` by now; who needs one of them gets all of them."""
    names = output_names(pkgbase, outputs)
    return tuple(
        BuiltPackage(
            path=path,
            name=name,
            version=version,
            arch=architecture,
            size_bytes=path.stat().st_size,
            provides=() if name == pkgbase else (pkgbase,),
            depends=tuple(other for other in names if other != name),
        )
        for path, name in zip(paths, names, strict=True)
    )


@contextmanager
def _opened(folder: Path, output: str) -> Iterator[BinaryIO]:
    """An output, which has something in it."""
    with opened_inside(folder, output) as opened:
        if not os.fstat(opened.fileno()).st_size:
            raise UpstreamError(f"{output} is empty")
        yield opened
