"""The list of open reviews, for people who have no forge to look at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """One review branch: `standing` is a clause such as `waits for a review`, `details` the lines of its commit."""

    package: str
    branch: str
    head: str
    standing: str
    details: tuple[str, ...]


def reviews_text(rows: Sequence[ReviewRow], branch: str, remote: str) -> str:
    """All reviews, and how one is looked at and merged."""
    if not rows:
        return "no reviews are open\n"
    lines = [f"{len(rows)} open {'review' if len(rows) == 1 else 'reviews'}:"]
    for row in rows:
        lines += ["", f"{row.package}  ({row.branch} at {row.head[:10]}, {row.standing})"]
        lines += [f"  {one_line(line)}" for line in row.details]
    lines += [
        "",
        f"look at one:  git fetch {remote} && git diff {branch}...{remote}/{rows[0].branch}",
        f"take it:      git merge {remote}/{rows[0].branch} && git push {remote} {branch}",
        f"decline it:   git push {remote} --delete {rows[0].branch}",
    ]
    return "".join(f"{line}\n" for line in lines)


def reviews_json(rows: Sequence[ReviewRow]) -> str:
    """The same for machines."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"
