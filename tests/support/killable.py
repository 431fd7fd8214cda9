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


class Boundaries:
    """Counts boundaries and kills at one of them."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.count = 0

    def cross(self) -> None:
        """One more."""
        self.count += 1
        if self.count == self.target:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, function: Callable[..., Any], applies: Callable[..., bool]) -> Callable[..., Any]:
        """The function with a boundary before and after it, where `applies` says that it writes."""

        def call(*arguments: Any, **options: Any) -> Any:
            if not applies(*arguments):
                return function(*arguments, **options)
            self.cross()
            try:
                return function(*arguments, **options)
            finally:
                self.cross()

        return call


def _writes(_self: Processes, argv: tuple[str, ...], *_: object) -> bool:
    return any(word in _WRITING for word in argv)


def main() -> int:
    """Count boundaries while the program runs."""
    boundaries = Boundaries(int(sys.argv.pop(1)))
    Processes.run = boundaries.watch(Processes.run, _writes)  # type: ignore[method-assign]  # that is the point
    for module in (files, chaotic_manager, cache_files):
        for name in ("write_file", "remove_file"):
            if hasattr(module, name):
                setattr(module, name, boundaries.watch(getattr(module, name), lambda *_: True))
    status = run()
    if not boundaries.target:
        print(f"boundaries: {boundaries.count}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
