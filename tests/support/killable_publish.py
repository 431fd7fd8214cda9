"""`ci-toolkit publish` in a process that kills itself at one of its writes: `NUMBER ARGUMENTS`, as in `killable`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from ci_toolkit.cli.main import run
from ci_toolkit.effects.process import Processes
from tests.support.killable import Boundaries

if TYPE_CHECKING:
    from collections.abc import Callable

_WRITES = ("replace", "symlink", "unlink", "mkdir", "rmdir")


def before(boundaries: Boundaries, function: Callable[..., Any], applies: Callable[..., bool]) -> Callable[..., Any]:
    """The function with a boundary before it alone: what is just after it is just before the next."""

    def call(*arguments: Any, **options: Any) -> Any:
        if applies(*arguments):
            boundaries.cross()
        return function(*arguments, **options)

    return call


def main() -> int:
    """Count boundaries while the program runs; those of the folder for the key are left out."""
    boundaries = Boundaries(int(sys.argv.pop(1)))
    repository = sys.argv[sys.argv.index("--repo") + 1]

    def is_published(*paths: object) -> bool:
        return any(str(path).startswith(repository) for path in paths if isinstance(path, str | os.PathLike))

    for name in _WRITES:
        setattr(os, name, before(boundaries, getattr(os, name), is_published))
    for name in ("rmtree", "copyfileobj"):
        applies = (lambda *_: True) if name == "copyfileobj" else is_published
        setattr(shutil, name, before(boundaries, getattr(shutil, name), applies))
    programs = ("repo-add", "repo-remove")
    Processes.run = before(boundaries, Processes.run, lambda _self, argv, *_: argv[0] in programs)  # type: ignore[method-assign]
    status = run()
    boundaries.cross()
    if not boundaries.target:
        print(f"boundaries: {boundaries.count}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
