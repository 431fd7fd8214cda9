"""What a forge must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.plan import Change, DroppedReview


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedReview:
    """A review whose branch has just been pushed: `head` is the branch's commit, `is_new` whether it was not there."""

    change: Change
    branch: str
    target: str
    head: Oid
    is_new: bool


class Forge(Protocol):
    """Shows reviews to people. It is called after the push and may be called again with the same reviews."""

    name: ClassVar[str]

    def publish(self, reviews: Sequence[PublishedReview], dropped: Sequence[DroppedReview]) -> tuple[str, ...]:
        """Open, update and close; gives one sentence a review on where it is found."""
