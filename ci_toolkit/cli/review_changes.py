"""`ci-toolkit review-changes BASE [HEAD]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.cli.review import STATUSES
from ci_toolkit.cli.surface import Terminal, declare_repository, workshop_for
from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.pipelines.changed_packages import review_change
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.plugins import load_review_rules
from ci_toolkit.reports.change_text import change_summary, change_text
from ci_toolkit.reports.surroundings import Place
from ci_toolkit.review.assessing import Judge

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.pipelines.changed_packages import ReviewedChange

NAME = "review-changes"
HELP = "say what is dangerous in a merge request: every package that it changes"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("base", metavar="BASE", help="the commit before the change")
    parser.add_argument("head", metavar="HEAD", nargs="?", default="HEAD", help="the one after it (default: HEAD)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it to this file, too")
    parser.add_argument(
        "--fail-on",
        choices=("review", "refuse"),
        default="review",
        help="the least verdict that is not a success (default: %(default)s)",
    )
    parser.epilog = "The rules of the default branch count. Exit status: 0 minor, 3 review, 4 refuse, else errors."
    declare_repository(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Judge, print, and give the status of the worst verdict."""
    workshop = workshop_for(options, terminal)
    snapshot = workshop.reader.read(reviews=NO_REVIEWS)
    judge = Judge.of(snapshot.review, load_review_rules())
    change = review_change(workshop, snapshot, judge, base=options.base, head=options.head)
    text = terminal.redactor.clean(change_text(change, terminal.surroundings))
    if options.output:
        write_file(terminal.cwd / options.output, text.encode(errors="backslashreplace"))
    page = terminal.environ.get("GITHUB_STEP_SUMMARY")
    if page and terminal.surroundings.place is Place.GITHUB:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(change_summary(text))
    terminal.say(text)
    return _status(change, fail_on=options.fail_on)


def _status(change: ReviewedChange, *, fail_on: str) -> int:
    verdicts = {subject.assessment.verdict for subject in change.subjects.values()}
    if "refuse" in verdicts:
        return STATUSES["refuse"]
    if change.problems:
        return PackagesFailedError.exit_status
    return STATUSES["review"] if "review" in verdicts and fail_on == "review" else 0
