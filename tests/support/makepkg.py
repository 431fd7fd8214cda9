"""makepkg without those of its checks that take two thirds of its time, for tests that are not about them."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.host_view import HostView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LIBRARY = Path("/usr/share/makepkg")
# Each looks for every field of every architecture by a grep of its own; what is printed and built is the same.
_SLOW = tuple(f"lint_pkgbuild/{name}.sh" for name in ("arch_specific", "package_function_variable", "variable"))


@cache
def quick_library() -> dict[str, bytes]:
    """The files of a folder that makepkg is told of by its variable LIBRARY."""
    files = {str(path.relative_to(_LIBRARY)): path for path in _LIBRARY.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name not in _SLOW}


def write_quick_library(folder: Path) -> Path:
    """The same, on disk and readable for everybody."""
    for name, content in quick_library().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def remove_slow_checks(root: Path) -> None:
    """Take them out of a root of its own."""
    for name in _SLOW:
        (root / _LIBRARY.relative_to("/") / name).unlink()


@contextmanager
def builds_without_slow_checks() -> Iterator[None]:
    """Builds of this process lay empty files over those checks, in what they see of this machine."""
    plain = HostView.prepare

    def prepare(view: HostView, places: Sequence[str] = ()) -> None:
        plain(view, places)
        for name in _SLOW:
            path = view.layer / _LIBRARY.relative_to("/") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HostView, "prepare", prepare)
        yield
