"""Packages that have no upstream to pull from: `CI_PKGBUILD_SOURCE=custom`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.model.observation import NothingToPull, SourceReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.sources.spec import SourceRequest, SourceTools


class CustomSource:
    """Nothing to pull."""

    name: ClassVar[str] = "custom"

    def accepts(self, text: str) -> bool:
        """The word `custom` alone."""
        return text == "custom"

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """Says so for each package."""
        for request in requests:
            tools.done(request.pkgbase)
        return SourceReport(outcomes={request.pkgbase: NothingToPull() for request in requests})
