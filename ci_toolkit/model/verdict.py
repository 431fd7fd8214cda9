"""What a run says of each package: exactly one verdict, whose code names the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_toolkit.model.names import Pkgbase


class Weight(Enum):
    """How much a reader needs to see of a verdict."""

    QUIET = "quiet"  # nothing happened: counted only
    EVENT = "event"  # something happened
    WARNING = "warning"  # a person should look at it some time
    FAILURE = "failure"  # something is broken: the exit status says so


class Code(Enum):
    """Every reason there is, with its weight and the word a table shows."""

    UNCHANGED = ("unchanged", Weight.QUIET, "unchanged")
    NOTHING_TO_PULL = ("nothing-to-pull", Weight.QUIET, "unchanged")
    NOT_SELECTED = ("not-selected", Weight.QUIET, "not asked")
    OTHER_TRIGGER = ("other-trigger", Weight.QUIET, "not due")
    BASELINE = ("baseline", Weight.QUIET, "recorded")
    REVIEW_PENDING = ("review-pending", Weight.QUIET, "in review")
    REVIEW_CLOSED = ("review-closed", Weight.QUIET, "declined")
    REFUSED_BEFORE = ("refused-before", Weight.QUIET, "refused")
    APPLIED = ("applied", Weight.EVENT, "updated")
    REBUILT = ("rebuilt", Weight.EVENT, "rebuild")
    BUMPED = ("bumped", Weight.EVENT, "rebuild")
    TRIGGERED = ("triggered", Weight.EVENT, "scheduled")
    REVIEW_OPENED = ("review-opened", Weight.EVENT, "to review")
    REVIEW_UPDATED = ("review-updated", Weight.EVENT, "to review")
    CHANGED = ("changed", Weight.EVENT, "scheduled")
    REQUESTED = ("requested", Weight.EVENT, "scheduled")
    ADDED = ("added", Weight.EVENT, "added")
    PRESENT = ("already-there", Weight.EVENT, "is there")
    REMOVED = ("removed", Weight.EVENT, "removed")
    RESUMED = ("resumed", Weight.EVENT, "scheduled")
    COOLING = ("held-back", Weight.EVENT, "held")
    LAGGING = ("upstream-lags", Weight.WARNING, "due")
    REVIEW_HELD = ("review-held", Weight.WARNING, "held")
    NO_SOURCE = ("no-source", Weight.WARNING, "no source")
    NOT_BUMPED = ("not-bumped", Weight.WARNING, "no bump")
    ABSENT = ("absent-upstream", Weight.WARNING, "gone")
    APPEARED = ("appeared-meanwhile", Weight.WARNING, "due")
    UNREACHABLE = ("unreachable", Weight.FAILURE, "due")
    UNMAKEABLE = ("unmakeable", Weight.FAILURE, "due")
    REFUSED = ("refused", Weight.FAILURE, "refused")
    PUSH_REFUSED = ("push-refused", Weight.FAILURE, "due")
    NOT_AS_REVIEWED = ("not-as-reviewed", Weight.FAILURE, "held")
    BAD_CONFIG = ("bad-config", Weight.FAILURE, "error")
    BAD_SRCINFO = ("bad-srcinfo", Weight.FAILURE, "error")
    BAD_NAME = ("bad-name", Weight.FAILURE, "error")
    BAD_STATE = ("bad-state", Weight.FAILURE, "recorded")

    def __init__(self, code: str, weight: Weight, word: str) -> None:
        self.code = code
        self.weight = weight
        self.word = word


CODES = {code.code: code for code in Code}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One package's verdict.

    `old` and `new` are versions or abbreviated commits, where there is something to compare; `why` is a clause that
    gives the reason, `now` one that says what happens next. `problems` are what else is wrong, each a failure.
    """

    package: Pkgbase | str
    code: Code
    why: str
    now: str = ""
    old: str | None = None
    new: str | None = None
    builds: bool = False
    problems: tuple[str, ...] = ()

    @property
    def weight(self) -> Weight:
        """The code's weight, or failure when there are problems besides."""
        return Weight.FAILURE if self.problems else self.code.weight

    @property
    def failed(self) -> bool:
        """Whether something is broken."""
        return self.weight is Weight.FAILURE
