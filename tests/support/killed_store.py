"""A store is changed in every way, with a boundary before every change of a file or row (`killed_everywhere`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ci_toolkit.store.object_store import open_store
from tests.support.killed_submission import watch_statements
from tests.support.stores import add

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.killable import Boundaries

CONTENTS = {
    "old": {"a": "first", "both": "shared"},
    "gone": {"b": "of no use"},
    "broken": {"c": "whole", "both": "shared"},
    "new": {"d": "large" * 1000, "both": "shared", "again": "shared"},
}


def prepare(folder: Path) -> None:
    """A store with one build that is old, one that nobody needs, and one of which a file is damaged."""
    with open_store(folder / "store") as store:
        add(store, folder, "old", **CONTENTS["old"])
        add(store, folder, "gone", 1.0, **CONTENTS["gone"])
        made = add(store, folder, "broken", **CONTENTS["broken"])
        path = store.path(next(one.sha256 for one in made.packages if one.name == "c"))
        path.unlink()
        path.write_text("damaged")


def story(folder: Path, boundaries: Boundaries) -> None:
    """Adds a build, finds the damage, and collects."""
    for name in ("link", "replace", "unlink", "mkdir", "rmdir", "chmod", "fsync"):
        boundaries.before(os, name, lambda *paths: "out" not in str(paths[-1]))
    watch_statements(boundaries)
    with open_store(folder / "store") as store:
        add(store, folder, "new", **CONTENTS["new"])
        assert store.build("broken") is None
        assert len(store.collect(before_s=50.0, referenced=()).objects) == 1
