"""makepkg without those of its checks that take two thirds of its time, for tests that are not about them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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
