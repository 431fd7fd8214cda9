"""The files of branch `state`: one per package, named after it, and a few whose names begin with a dot.

* `<pkgbase>`: key=value. `CI_GIT_COMMIT` and `CI_PKGBUILD_TIMESTAMP` are the bash template's, others are added here;
  keys that are not known survive. `CI_MAINTAINERS` are names with blanks between, `-` for nobody. `CI_AUR_PUSHED`
  is the tree that the AUR has, `CI_AUR_DUE` that of the package folder that has yet to be pushed there.
* `.version-state`: `name:version` lines, kept as it is.
* `.ci-toolkit`: key=value about the branch itself: schema, the commit of the default branch it belongs to, a counter.
* `.verdicts`: one JSON object a line, sorted by package: what the last run said of each package.
* `.reviews`: `pkgbase head content author` a line: what is known of each review branch, to save fetching it again.
* `.forge`: what is known of each package's review at the service that shows it (module forge_memory).
* `.pending-schedule/<request>`: schedules that no backend has acknowledged yet, `pkgbase` or `pkgbase/class` a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ci_toolkit.errors import FormatError, ToolkitError
from ci_toolkit.formats.forge_memory import ForgeRecord, format_forge_memory, parse_forge_memory
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import Oid, Pkgbase, is_maintainer, is_oid, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA = 1
META_FILE = ".ci-toolkit"
VERDICTS_FILE = ".verdicts"
REVIEWS_FILE = ".reviews"
FORGE_FILE = ".forge"
VERSIONS_FILE = ".version-state"
PENDING_FOLDER = ".pending-schedule"
ORPHANED = "-"
"""Stands among maintainers for nobody: the package was seen without any."""

_REQUEST = re.compile(r"[0-9a-f]{16}")
_BUILD = re.compile(r"(?P<pkgbase>[^/\s]+)(?:/(?P<builder_class>[^/\s]+))?")
_REVISION = re.compile(r"[A-Za-z0-9._:+-]{1,128}")
_LONGEST_NUMBER = 12
_HELD = re.compile(r"([0-9]{1,12}) ([A-Za-z0-9._:+-]{1,128})")
_KEYED_HEAD = re.compile(r"([0-9a-f]{12}):([A-Za-z0-9._@:-]{1,128})")

Author = Literal["bot", "person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRevision:
    """A revision that is not taken yet, and since when (unix seconds) it counts as public."""

    revision: str
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageState:
    """What is remembered of one package.

    `upstream_revision` is the revision last taken, sent to review or refused; `review_content` the tree that was
    last sent to review and not seen on the default branch since. `vcs_heads` are the heads last built from of sources
    besides the first git one, by key.

    `maintainers` are those at the last revision that was accepted, `review_maintainers` those of the one in review;
    None: not known. `ORPHANED` among them: the package has been without one then or since. `held` is the revision that
    the cool-down holds back.

    `aur_pushed` is the tree that the AUR is known to have; `aur_due` the package folder's tree that was promised to it.
    """

    git_commit: Oid | None = None
    pkgbuild_timestamp: int | None = None
    upstream_revision: str | None = None
    review_content: Oid | None = None
    vcs_heads: Mapping[str, str] = field(default_factory=dict)
    maintainers: frozenset[str] | None = None
    review_maintainers: frozenset[str] | None = None
    held: HeldRevision | None = None
    aur_pushed: Oid | None = None
    aur_due: Oid | None = None
    file: KeyValueFile = field(default_factory=lambda: KeyValueFile.empty(file=""), repr=False, compare=False)

    def to_bytes(self) -> bytes:
        """The file's bytes, the very ones it was read from when nothing changed; empty when nothing is known."""
        file = self.file
        for key, value in (
            ("CI_GIT_COMMIT", self.git_commit),
            ("CI_PKGBUILD_TIMESTAMP", self.pkgbuild_timestamp),
            ("CI_UPSTREAM_REVISION", self.upstream_revision),
            ("CI_REVIEW_CONTENT", self.review_content),
            ("CI_VCS_HEADS", " ".join(f"{key}:{head}" for key, head in sorted(self.vcs_heads.items())) or None),
            ("CI_MAINTAINERS", _words(self.maintainers)),
            ("CI_REVIEW_MAINTAINERS", _words(self.review_maintainers)),
            ("CI_AUR_PUSHED", self.aur_pushed),
            ("CI_AUR_DUE", self.aur_due),
            ("CI_HELD_REVISION", f"{self.held.since_s} {self.held.revision}" if self.held else None),
        ):
            file = file.without(key) if value is None else file.with_value(key, str(value))
        return file.to_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRecord:
    """What is known of the review branch of a package while it points at `head`.

    `content` names the tree of the package folder there, without `.CI` and `.gitignore`; None: the folder is not there.
    """

    pkgbase: Pkgbase
    head: Oid
    content: Oid | None
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingBuild:
    """One package of a schedule that is not acknowledged."""

    pkgbase: Pkgbase
    builder_class: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """The whole branch. `unknown` are packages whose file could not be read: nothing is known of them."""

    packages: Mapping[Pkgbase, PackageState] = field(default_factory=dict)
    meta: KeyValueFile = field(default_factory=lambda: KeyValueFile.empty(file=META_FILE))
    verdicts: bytes = b""
    versions: bytes | None = None
    reviews: Mapping[Pkgbase, ReviewRecord] = field(default_factory=dict)
    forge: Mapping[Pkgbase, ForgeRecord] = field(default_factory=dict)
    pending: Mapping[str, tuple[PendingBuild, ...]] = field(default_factory=dict)
    unknown: Mapping[Pkgbase, ToolkitError] = field(default_factory=dict)

    @property
    def counter(self) -> int:
        """How many runs have written this branch."""
        return _number(self.meta.get("STATE_COUNTER")) or 0

    @property
    def base(self) -> str | None:
        """The commit of the default branch that this state describes."""
        return self.meta.get("STATE_BASE")

    @property
    def memory(self) -> dict[str, str]:
        """What the branch says about itself and what kinds of sources wanted remembered."""
        return {key: self.meta.get(key) or "" for key in self.meta.keys()}  # noqa: SIM118 - it is no mapping

    def package(self, pkgbase: Pkgbase) -> PackageState:
        """What is remembered of a package; nothing, if it is new."""
        return self.packages.get(pkgbase) or PackageState()

    def without_pending(self, request: str) -> RepositoryState:
        """The state after a schedule was acknowledged."""
        return replace(self, pending={name: builds for name, builds in self.pending.items() if name != request})


def parse_package_state(content: bytes, *, file: str) -> PackageState:
    """One package's file; FormatError names the key whose value cannot be."""
    text = KeyValueFile.parse(content, file=file)

    def read(key: str, *, acceptable: bool) -> str | None:
        value = text.get(key)
        if value and not acceptable:
            raise FormatError(
                "cannot be",
                key=key,
                got=value,
                file=file,
                line=text.line_of(key),
                hint="what it recorded is found anew",
            )
        return value or None

    def people(key: str) -> frozenset[str] | None:
        words = (text.get(key) or "").split(" ")
        fits = all(word == ORPHANED or is_maintainer(word) for word in words)
        return frozenset(words) if read(key, acceptable=fits) else None

    def oid(key: str) -> Oid | None:
        found = read(key, acceptable=is_oid(text.get(key) or ""))
        return Oid(found) if found else None

    held = _HELD.fullmatch(text.get("CI_HELD_REVISION") or "")
    read("CI_HELD_REVISION", acceptable=held is not None)
    revision_text = text.get("CI_UPSTREAM_REVISION") or ""
    read("CI_PKGBUILD_TIMESTAMP", acceptable=_number(text.get("CI_PKGBUILD_TIMESTAMP")) is not None)
    return PackageState(
        git_commit=oid("CI_GIT_COMMIT"),
        pkgbuild_timestamp=_number(text.get("CI_PKGBUILD_TIMESTAMP")),
        upstream_revision=read("CI_UPSTREAM_REVISION", acceptable=_REVISION.fullmatch(revision_text) is not None),
        review_content=oid("CI_REVIEW_CONTENT"),
        aur_pushed=oid("CI_AUR_PUSHED"),
        aur_due=oid("CI_AUR_DUE"),
        maintainers=people("CI_MAINTAINERS"),
        review_maintainers=people("CI_REVIEW_MAINTAINERS"),
        held=HeldRevision(revision=held[2], since_s=int(held[1])) if held else None,
        vcs_heads=dict(_KEYED_HEAD.findall(read("CI_VCS_HEADS", acceptable=_is_heads(text)) or "")),
        file=text,
    )


def _words(people: frozenset[str] | None) -> str | None:
    return None if people is None else " ".join(sorted(people)) or ORPHANED


def _is_heads(text: KeyValueFile) -> bool:
    return all(_KEYED_HEAD.fullmatch(word) for word in (text.get("CI_VCS_HEADS") or "").split(" "))


def parse_state(files: Mapping[str, bytes]) -> RepositoryState:
    """The branch, given as path to content. A broken file makes one package unknown and never fails the whole."""
    packages: dict[Pkgbase, PackageState] = {}
    unknown: dict[Pkgbase, ToolkitError] = {}
    pending: dict[str, tuple[PendingBuild, ...]] = {}
    for path, content in files.items():
        if is_pkgbase(path):
            try:
                packages[Pkgbase(path)] = parse_package_state(content, file=f"branch state, file {path}")
            except FormatError as error:
                unknown[Pkgbase(path)] = error
        folder, _, request = path.partition("/")
        if folder == PENDING_FOLDER and _REQUEST.fullmatch(request):
            pending[request] = parse_pending(content)
    return RepositoryState(
        packages=packages,
        meta=_parse_meta(files.get(META_FILE, b"")),
        verdicts=files.get(VERDICTS_FILE, b""),
        versions=files.get(VERSIONS_FILE),
        reviews=parse_reviews(files.get(REVIEWS_FILE, b"")),
        forge=parse_forge_memory(files.get(FORGE_FILE, b"")),
        pending=pending,
        unknown=unknown,
    )


def format_state(state: RepositoryState) -> dict[str, bytes]:
    """The branch's files, path to content; packages of which nothing is known have none."""
    files = {str(pkgbase): package.to_bytes() for pkgbase, package in state.packages.items()}
    files = {path: content for path, content in files.items() if content.strip()}
    files[META_FILE] = state.meta.to_bytes()
    if state.versions is not None:
        files[VERSIONS_FILE] = state.versions
    if state.verdicts:
        files[VERDICTS_FILE] = state.verdicts
    if state.reviews:
        files[REVIEWS_FILE] = format_reviews(state.reviews.values())
    if state.forge:
        files[FORGE_FILE] = format_forge_memory(state.forge.values())
    for request, builds in state.pending.items():
        files[f"{PENDING_FOLDER}/{request}"] = format_pending(builds)
    return files


def parse_reviews(content: bytes) -> dict[Pkgbase, ReviewRecord]:
    """`.reviews`; lines that are not understood are left out: the branch is then looked at again."""
    records = {}
    for line in content.decode(errors="replace").split("\n"):
        match line.split(" "):
            case [pkgbase, head, content_id, ("bot" | "person") as author] if is_pkgbase(pkgbase) and is_oid(head):
                known = Oid(content_id) if is_oid(content_id) else None
                record = ReviewRecord(pkgbase=Pkgbase(pkgbase), head=Oid(head), content=known, author=author)
                records[record.pkgbase] = record
            case _:
                continue
    return records


def format_reviews(records: Iterable[ReviewRecord]) -> bytes:
    """`.reviews`, sorted by package."""
    ordered = sorted(records, key=lambda record: record.pkgbase)
    lines = (f"{record.pkgbase} {record.head} {record.content or '-'} {record.author}\n" for record in ordered)
    return "".join(lines).encode()


def parse_pending(content: bytes) -> tuple[PendingBuild, ...]:
    """One file below `.pending-schedule/`; lines that are no package are left out."""
    matches = (_BUILD.fullmatch(line) for line in content.decode(errors="replace").split("\n"))
    return tuple(
        PendingBuild(pkgbase=Pkgbase(match["pkgbase"]), builder_class=match["builder_class"])
        for match in matches
        if match and is_pkgbase(match["pkgbase"])
    )


def format_pending(builds: Iterable[PendingBuild]) -> bytes:
    """One file below `.pending-schedule/`, in the order given."""
    lines = (f"{build.pkgbase}/{build.builder_class}" if build.builder_class else build.pkgbase for build in builds)
    return "".join(f"{line}\n" for line in lines).encode()


def _parse_meta(content: bytes) -> KeyValueFile:
    try:
        return KeyValueFile.parse(content, file=f"branch state, file {META_FILE}")
    except FormatError:
        return KeyValueFile.empty(file=META_FILE)


def _number(text: str | None) -> int | None:
    fits = text is not None and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if fits and text is not None else None
