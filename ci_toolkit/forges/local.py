"""No service at all: a review is its branch, and `ci-toolkit reviews` lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.spec import ForgeReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.forges.spec import ForgeTools, Mark, RunNews, WantedReview
    from ci_toolkit.model.plan import DroppedReview


class LocalForge:
    """Reviews kept as branches of the repository itself."""

    name: ClassVar[str] = "local"

    def publish(
        self, reviews: Sequence[WantedReview], dropped: Sequence[DroppedReview], tools: ForgeTools
    ) -> ForgeReport:
        """There is nobody to tell; says how each new branch is looked at and merged."""
        del dropped  # their branches are gone, and that is all there is to it
        notes = tuple(
            f"{review.branch}: look with git diff origin/{review.target}...origin/{review.branch}, "
            f"take it with git merge origin/{review.branch}, decline it with git push origin --delete {review.branch}"
            for review in reviews
            if review.pushed
        )
        return ForgeReport(memory=tools.memory, notes=notes)

    def conclude(self, news: RunNews, tools: ForgeTools) -> tuple[str, ...]:
        """There is nobody to tell."""
        del news, tools
        return ()

    def mark(self, marks: Sequence[Mark], tools: ForgeTools) -> tuple[str, ...]:
        """ConfigError: commits that only git knows have no marks."""
        del marks, tools
        raise ConfigError("is local, where commits have no marks", key="CI_FORGE", hint="name the service")
