"""What upstreams said: exactly one outcome a package and question, and "could not ask" is an outcome of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.model.names import Oid, Pkgbase


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFile:
    """One file of a package folder as its upstream has it."""

    mode: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved:
    """The upstream is where it was when it was last dealt with.

    `timestamp_s` and `revision` are set when there is one to remember; without a revision the known one stays.
    `maintainers` None: this kind of upstream tells of none.
    """

    timestamp_s: int | None = None
    revision: str | None = None
    maintainers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The upstream has another revision than the one last dealt with.

    `timestamp_s` None: the upstream's clock is not to be believed yet and the question stays open. `maintainers` None:
    this kind of upstream tells of none. `formatted` is PKGBUILD after formatting, None: it does not parse.
    `review` is a reason why a person looks at the change, however small it is and whoever made it.
    `public_s` is when the upstream got this revision, by the service's own clock and never by that of a commit, which
    its author sets; None: the service does not tell.
    `evaluated` is the `.SRCINFO` that makepkg printed in the sandbox for PKGBUILD, None: it was not asked, or could not
    say. `unconfirmed` are findings on commits that are not known to belong to the repositories they are taken from.
    """

    revision: str
    files: Mapping[str, UpstreamFile]
    formatted: bytes | None
    evaluated: bytes | None = None
    timestamp_s: int | None = None
    maintainers: tuple[str, ...] | None = None
    link: str | None = None
    review: str | None = None
    public_s: int | None = None
    unconfirmed: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """The upstream has a new revision that must not be taken, whoever asks."""

    revision: str
    reason: str
    timestamp_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToPull:
    """There is no upstream, on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The upstream was asked and does not have the package."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lagging:
    """The upstream announces a revision that its mirror does not have yet; it is asked again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CouldNotAsk:
    """The upstream could not be asked, or answered nonsense; the package stays due."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotMake:
    """The upstream has a new version, but the package's files for it cannot be made; it is tried again."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """The upstream announces a version, and the package's files for it are still to be made.

    `revision` is what to remember once it is dealt with, `commit` the commit of its tag where that is known,
    `review` a reason why a person looks at it in any case.
    """

    version: str
    revision: str
    commit: Oid | None = None
    link: str | None = None
    review: str | None = None


SourceOutcome = Unmoved | Moved | Unusable | NothingToPull | Absent | Lagging | CouldNotAsk | CannotMake


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the followed branch of a VCS source is."""

    commit: Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFollowed:
    """There is no head to follow: not a VCS package, or its source is pinned."""

    reason: str


HeadOutcome = Head | NotFollowed | CouldNotAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherHeads:
    """Heads besides the one of the first git source, by key of the source: where each is, and its URL as `labels`.

    A source that could not be asked has no revision but a problem.
    """

    revisions: Mapping[str, str]
    labels: Mapping[str, str]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadReport:
    """Where everything is that a package follows; `further` None: nothing besides the first git source."""

    head: HeadOutcome
    further: FurtherHeads | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was found out for one package. `asked` is the configuration it answers.

    `next_head` is the head that the package would follow once its upstream's new version is applied, where that is
    another one.
    """

    asked: str | None
    source: SourceOutcome
    head: HeadOutcome
    next_head: HeadOutcome | None = None
    further: FurtherHeads | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one kind of source found: an outcome for every package it was asked about, and what it wants remembered."""

    outcomes: Mapping[Pkgbase, SourceOutcome | NewVersion]
    memory: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReport:
    """What pacman databases tell: versions of package bases and of shared libraries, and which could not be read.

    A library that is provided in several versions has them all, with commas between. `official` has the names of
    packages and of what they provide, by name of the database, for the databases of which they were asked for.
    """

    versions: Mapping[str, str]
    problems: tuple[str, ...] = ()
    official: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All answers of a run.

    `our_blobs` are the contents of our folders whose upstream moved, `our_formatted` their PKGBUILDs as the formatter
    would have them (None: it does not understand them);
    `memory` is what kinds of sources want remembered on the state branch; `databases` None: they were not asked.
    """

    packages: Mapping[Pkgbase, Observation]
    our_blobs: Mapping[Oid, bytes] = field(default_factory=dict)
    our_formatted: Mapping[Oid, bytes | None] = field(default_factory=dict)
    memory: Mapping[str, str] = field(default_factory=dict)
    databases: DatabaseReport | None = None
