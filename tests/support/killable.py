"""ci-toolkit in a process that kills itself at one of its writes: `python -m tests.support.killable NUMBER ARGUMENTS`.

Boundaries are counted just before and just after everything that changes something: objects, fetches, pushes, files.
With NUMBER 0 nothing is killed and the number of boundaries is printed to stderr at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends import chaotic_manager
from ci_toolkit.cli.main import run
from ci_toolkit.effects import cache_files, files
from ci_toolkit.effects.process import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

_WRITING = ("fetch", "push", "index-pack")


def main() -> int:
    """Count boundaries while the program runs."""
    target = int(sys.argv.pop(1))
    count = 0

    def boundary() -> None:
        nonlocal count
        count += 1
        if count == target:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(function: Callable[..., Any], *, applies: Callable[..., bool]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not applies(*arguments):
                return function(*arguments, **options)
            boundary()
            try:
                return function(*arguments, **options)
            finally:
                boundary()

        return call

    def writes(_self: Processes, argv: tuple[str, ...], *_: object) -> bool:
        return any(word in _WRITING for word in argv)

    Processes.run = watched(Processes.run, applies=writes)  # type: ignore[method-assign]
    for module in (files, chaotic_manager, cache_files):
        for name in ("write_file", "remove_file"):
            if hasattr(module, name):
                setattr(module, name, watched(getattr(module, name), applies=lambda *_: True))
    status = run()
    if not target:
        print(f"boundaries: {count}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
