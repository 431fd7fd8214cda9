"""`ci-toolkit builds run` in a process that kills itself at one of its writes: `NUMBER ARGUMENTS`, as in `killable`.

Packages come from the instant recipe. Boundaries stand before every commit of jobs and store, before everything that
moves, links or removes files outside of the published folder, which has a test of its own, and at the end.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends import job_database
from ci_toolkit.building import running_builds
from ci_toolkit.cli.main import run
from ci_toolkit.store import index
from tests.support.instant_recipe import InstantRecipe
from tests.support.killable import Boundaries
from tests.support.killable_publish import before

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    """Count boundaries while the program runs."""
    boundaries = Boundaries(int(sys.argv.pop(1)))
    setattr(running_builds, "load_recipes", lambda: (InstantRecipe(),))  # noqa: B010 - not what it offers to others
    for module in (job_database, index):
        plain = getattr(module, "transaction")  # noqa: B009 - likewise

        @contextmanager
        def watched(connection: Any, plain: Any = plain) -> Iterator[None]:
            with plain(connection):
                yield
                boundaries.cross()  # nothing is written yet, as just after the last one

        setattr(module, "transaction", watched)  # noqa: B010 - likewise
    home = os.environ["HOME"]

    def is_ours(*paths: object) -> bool:
        texts = [str(path) for path in paths if isinstance(path, str | os.PathLike)]
        return any(text.startswith(home) and "/repository/" not in text for text in texts)

    for holder, names in ((os, ("link", "replace", "symlink")), (shutil, ("rmtree",)), (Path, ("replace", "unlink"))):
        for name in names:
            setattr(holder, name, before(boundaries, getattr(holder, name), is_ours))
    status = run()
    boundaries.cross()
    if not boundaries.target:
        print(f"boundaries: {boundaries.count}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
