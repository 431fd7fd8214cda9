"""What a run is going to do, as values: nothing here has happened yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.state import PackageState, RepositoryState
    from ci_toolkit.model.finding import Assessment
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New content of a package folder (`files` without what is ours) and where it comes from.

    `content` names the tree of `files`, `assessment` is what was found in them. `maintainers` are those of upstream
    now, None where it tells of none, `old_maintainers` those remembered from the last update that was accepted.
    """

    pkgbase: Pkgbase
    files: Mapping[str, UpstreamFile]
    content: Oid
    revision: str
    old_version: str | None
    new_version: str | None
    assessment: Assessment
    maintainers: tuple[str, ...] | None = None
    old_maintainers: frozenset[str] | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDecision:
    """What one package's observation leads to.

    At most one of `applied` and `reviewed` is set; `config` is new content of its `.CI/config`; `builds` asks the
    backend for it whether or not anything changed in git; `drops_review` gives the reason why its review branch has no
    use any more.
    """

    pkgbase: Pkgbase
    verdict: Verdict
    state: PackageState
    applied: Change | None = None
    reviewed: Change | None = None
    builds: bool = False
    drops_review: str | None = None
    config: bytes | None = None

    @property
    def changes_main(self) -> bool:
        """Whether something of it on the default branch changes."""
        return self.applied is not None or self.config is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedReview:
    """A review branch that is to be removed, and why."""

    pkgbase: Pkgbase
    head: Oid
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole run's decisions. `notes` are remarks on review branches that belong to no package's verdict."""

    decisions: Mapping[Pkgbase, PackageDecision]
    state: RepositoryState
    verdicts: tuple[Verdict, ...]
    dropped_reviews: tuple[DroppedReview, ...] = ()
    notes: tuple[str, ...] = ()
    applied: tuple[Change, ...] = ()
    configs: Mapping[Pkgbase, bytes] = field(default_factory=dict)
    reviewed: tuple[Change, ...] = ()
    builds: tuple[Pkgbase, ...] = ()
    moves_tag: bool = True
    files: Mapping[str, bytes] = field(default_factory=dict)
