"""The review of a person's change, for a log, a file and the summary page of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.reports.review_text import review_text
from ci_toolkit.review.markdown import cut, fenced
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.pipelines.changed_packages import ReviewedChange
    from ci_toolkit.reports.surroundings import Surroundings

_LONGEST_NAME = 200
_LARGEST_SUMMARY = 900_000  # GitHub takes 1 MiB a step


def change_text(change: ReviewedChange, surroundings: Surroundings) -> str:
    """Every review, then what no rule looked at."""
    parts = [f"{review_text(subject, surroundings)}\n" for subject in change.subjects.values()]
    parts += _listed("gone, and with it what was built of it", change.gone)
    parts += _listed("cannot be judged", (f"{name}: {why}" for name, why in change.problems.items()))
    parts += _listed("changed and not judged: the repository's own files", change.beside)
    return "".join(parts) or "no package is different\n"


def change_summary(text: str) -> str:
    """The same text as Markdown in which it stays text."""
    shown = text if len(text) <= _LARGEST_SUMMARY // 4 else cut(text, _LARGEST_SUMMARY // 4)
    return fenced(f" {line}" for line in shown.splitlines()) + "\n"


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    # The dot keeps a name from being taken for a command by whoever reads the log of a CI job.
    shown = [f"  · {cut(one_visible_line(line), _LONGEST_NAME)}\n" for line in lines]
    return [f"{title}:\n", *shown, "\n"] if shown else []
