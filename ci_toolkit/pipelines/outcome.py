"""What a pipeline run has done, or would do: everything a report needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.additions import DependencyTree
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.plan import DroppedReview
    from ci_toolkit.model.verdict import Verdict
    from ci_toolkit.review.subject import ReviewSubject
    from ci_toolkit.scheduling.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run. `base` is the commit it read, `head` the default branch after it; `effort` is what it cost.

    `problems` are failures that belong to no package, such as a forge that could not be asked. `new` are reviews of
    packages that are to be added, `tree` is what has to come with them.
    """

    pipeline: str
    dry_run: bool
    base: Oid
    head: Oid
    verdicts: tuple[Verdict, ...]
    schedule: Schedule
    handed_over: str | None = None
    dropped_reviews: tuple[DroppedReview, ...] = ()
    review_notes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    new: tuple[ReviewSubject, ...] = ()
    tree: DependencyTree | None = None
    effort: Mapping[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether any package, or anything else, could not be dealt with."""
        return bool(self.problems) or any(verdict.failed for verdict in self.verdicts)
