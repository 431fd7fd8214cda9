"""What a plugin that adds rules to reviews must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.finding import Finding, Rule
    from ci_toolkit.model.observation import UpstreamFile


class ReviewRules(Protocol):
    """Rules of a plugin. They add findings; what other rules found stays."""

    name: ClassVar[str]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What it looks for; no id may be that of another's rule."""

    def check(self, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterable[Finding]:
        """What these rules say of a change: both versions of the folder by path, without what is the repository's own.

        Findings carry ids of `rules`. The files are a stranger's: nothing of them may be run or believed.
        """
