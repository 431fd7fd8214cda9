"""What a forge must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.forges.client import CommitStatus, ForgeReview, ReviewText
    from ci_toolkit.forges.dashboard import Dashboard
    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.model.finding import Severity
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.plan import DroppedReview
    from ci_toolkit.model.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReview:
    """A review that people should see now, whether its branch moved in this run (`pushed`) or long ago.

    `content` names the tree of the package folder on the branch, `head` the branch's commit. `describe` makes title and
    description, `since` a remark on what changed since a review showed something else; both may take a while and are
    called only where they are needed. `by_people`: people have committed to the branch, so its text is theirs, too.
    """

    pkgbase: Pkgbase
    branch: str
    target: str
    head: Oid
    content: Oid
    severity: Severity
    pushed: bool
    describe: Callable[[], ReviewText]
    since: Callable[[ForgeReview], str]
    by_people: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeTools:
    """What a forge is handed. `top` is the worktree, `memory` what earlier runs left of each package's review."""

    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    top: Path
    memory: Mapping[Pkgbase, ForgeRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeReport:
    """What was done: sentences for the report, failures as sentences, and what to remember from now on."""

    memory: Mapping[Pkgbase, ForgeRecord]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews:
    """The end of a run: the default branch's commit, what to mark it with, and the dashboard, where one is wanted."""

    commit: Oid
    status: CommitStatus | None = None
    dashboard: Dashboard | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A commit of the project and what it is to be marked with."""

    commit: str
    status: CommitStatus


class Forge(Protocol):
    """Shows reviews to people. All calls come after a push and may come again with the same values."""

    name: ClassVar[str]

    def publish(
        self, reviews: Sequence[WantedReview], dropped: Sequence[DroppedReview], tools: ForgeTools
    ) -> ForgeReport:
        """Open, update and close, so that exactly `reviews` are shown. What fails is in the answer."""

    def conclude(self, news: RunNews, tools: ForgeTools) -> tuple[str, ...]:
        """Tell how the run ended, after the hand-over; gives a sentence for each thing that failed."""

    def mark(self, marks: Sequence[Mark], tools: ForgeTools) -> tuple[str, ...]:
        """Mark commits; gives a sentence for each that the forge will never take, as it does not have that commit.

        ToolkitError when it cannot be asked, or limits what it takes: then some of the marks are not there.
        """
