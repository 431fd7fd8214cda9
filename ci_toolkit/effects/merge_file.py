"""Three versions of one file made into one, by git."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ci_toolkit.effects.git_command import Git

_MOST_CONFLICTS = 127


class Version(NamedTuple):
    """One version, and what conflict markers call it."""

    label: str
    content: bytes


def merge_file(git: Git, ours: Version, base: Version, theirs: Version) -> tuple[bytes, int]:
    """The merged content, with markers where both sides changed the same lines, and how many such places there are."""
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-merge-") as name:
        paths, labels = [], []
        for number, version in enumerate((ours, base, theirs)):
            path = Path(name) / str(number)
            path.write_bytes(version.content)
            paths.append(str(path))
            labels += ["-L", version.label]
        done = git.run("merge-file", "-p", "--diff3", *labels, *paths, statuses=range(_MOST_CONFLICTS + 1))
    return done.stdout, done.status
