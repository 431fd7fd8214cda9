"""No service at all: a review is its branch, and `ci-toolkit reviews` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.forges.spec import PublishedReview
    from ci_toolkit.model.plan import DroppedReview


class LocalForge:
    """Reviews kept as branches of the repository itself."""

    name: ClassVar[str] = "local"

    def publish(self, reviews: Sequence[PublishedReview], dropped: Sequence[DroppedReview]) -> tuple[str, ...]:
        """There is nobody to tell; says how each branch is looked at and merged."""
        del dropped  # their branches are gone, and that is all there is to it
        return tuple(
            f"{review.branch}: look with git diff origin/{review.target}...origin/{review.branch}, "
            f"take it with git merge origin/{review.branch}, decline it with git push origin --delete {review.branch}"
            for review in reviews
        )
