"""`ci-toolkit reviews`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.cli.surface import Terminal, declare_repository, workshop_for
from ci_toolkit.deciding.content import content_of
from ci_toolkit.formats.git_objects import decode_commit
from ci_toolkit.model.names import review_branch
from ci_toolkit.reports.review_list import ReviewRow, reviews_json, reviews_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.formats.state import ReviewRecord
    from ci_toolkit.model.package import Snapshot

NAME = "reviews"
HELP = "list the open reviews, and how to look at them"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Read the review branches and list them."""
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read()
    heads = {pkgbase: record.head for pkgbase, record in sorted(snapshot.reviews.items())}
    present = workshop.repository.sizes(heads.values())
    missing = [f"refs/heads/{review_branch(pkgbase)}" for pkgbase, head in heads.items() if head not in present]
    if missing:
        workshop.remote.fetch(missing, depth=1 if workshop.repository.is_shallow() else None)
    commits = workshop.repository.read_objects(heads.values())
    rows = []
    for pkgbase, head in heads.items():
        commit = commits[head]
        message = decode_commit(commit[1]).message if commit else ""
        details = tuple(line for line in message.split("\n")[1:] if line.strip())
        standing = _standing(snapshot, snapshot.reviews[pkgbase])
        rows.append(
            ReviewRow(package=pkgbase, branch=review_branch(pkgbase), head=head, standing=standing, details=details)
        )
    terminal.say(reviews_json(rows) if options.json else reviews_text(rows, snapshot.branch, options.remote))
    return 0


def _standing(snapshot: Snapshot, record: ReviewRecord) -> str:
    package = snapshot.packages.get(record.pkgbase)
    if record.pkgbase in snapshot.merged_reviews:
        return "merged"
    if package is None:
        return "its package is gone"
    if record.content == content_of(package.upstream_files(), snapshot.hash_name):
        return f"equal to {snapshot.branch}"
    return "people have committed to it" if record.author == "person" else "waits for a review"
