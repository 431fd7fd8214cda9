"""Store paths are brought, deleted and collected, with a boundary before every change (`killed_everywhere`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ci_toolkit.store.object_store import open_store
from tests.support.killed_submission import watch_statements
from tests.support.trees import bring, exported, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.killable import Boundaries

OLD = (exported("a", "first"), exported("b", "second", "a"), exported("c", "third", "ab"))
ALONE = exported("d", "same as of another")
NEW = (exported("f", "new"), exported("g", "large" * 100_000, "f"), exported("h", "same as of another", "h"))
LAST = exported("k", "kept", "f")


class At:
    """A clock that stands still."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def now(self) -> float:
        return self.at_s

    def monotonic(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        raise AssertionError


def prepare(folder: Path) -> None:
    """A store with three old paths, which hang together, and one alone."""
    with open_store(folder / "store", clock=At(10.0)) as store:
        bring(store, *OLD, ALONE)


def story(folder: Path, boundaries: Boundaries) -> None:
    """Brings some, one of them with the content of another; deletes one with a referrer; collects what is old."""
    for name in ("replace", "unlink", "mkdir", "rmdir", "fchmod", "fsync"):
        boundaries.before(os, name)
    watch_statements(boundaries, only="COMMIT")  # what was not committed never was
    with open_store(folder / "store", clock=At(100.0)) as store:
        bring(store, *NEW)
        store.delete(paths=[named("b")], with_referrers=True)
        bring(store, LAST)
        store.collect(before_s=50.0, referenced=())
