"""Pushing packages back to the AUR, once all else of a run is done.

A run promises each package's folder on the state branch in the very push that says that the run is done, and takes the
promise off when the AUR has it. So a push that failed, or a run that was killed, is made good by the next run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.deciding.aur_files import aur_files, size_faults
from ci_toolkit.effects.aur_ssh import AurDoor, AurHead, open_aur, pinned_hosts
from ci_toolkit.errors import ConfigError, GitError, ToolkitError
from ci_toolkit.formats.git_objects import (
    FILE_MODE,
    Identity,
    ObjectDraft,
    TreeEntry,
    decode_tree,
    encode_tree,
    object_name,
)
from ci_toolkit.pipelines.commit_messages import aur_message
from ci_toolkit.pipelines.handing_over import amend_state
from ci_toolkit.pipelines.reading import NO_REVIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.formats.state import RepositoryState
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.pipelines.outcome import Outcome
    from ci_toolkit.pipelines.workshop import Workshop

_SECRET = "AUR_KEY"  # noqa: S105 - the name of the variable
# The AUR ends connections of those who open many at once.
_MOST_AT_ONCE = 4
# The AUR side's own; they are kept, as the bash template keeps them.
_THEIRS = frozenset({".gitignore", ".gitattributes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AurResult:
    """What became of one package: `content` is what the AUR has now, None when `fault` says why it has not."""

    content: Oid | None = None
    pushed: bool = False
    fault: str = ""


def promise(state: RepositoryState, folders: Mapping[Pkgbase, Oid], snapshot: Snapshot) -> RepositoryState:
    """The state with a promise for those of these package folders (name to tree) that belong to the AUR."""
    if not snapshot.settings.manage_aur:
        return state
    promised = {
        pkgbase: replace(state.package(pkgbase), aur_due=tree)
        for pkgbase, tree in folders.items()
        if pkgbase in snapshot.packages and snapshot.packages[pkgbase].config.manage_aur
    }
    return replace(state, packages={**state.packages, **promised})


def promised(snapshot: Snapshot) -> tuple[Package, ...]:
    """The packages whose folder is, unchanged, what was promised to the AUR."""
    if not snapshot.settings.manage_aur:
        return ()
    return tuple(
        package
        for pkgbase, package in snapshot.packages.items()
        if package.config.manage_aur and snapshot.state.package(pkgbase).aur_due == package.tree
    )


def with_aur_pushes(outcome: Outcome, workshop: Workshop, *, replaces: frozenset[str] = frozenset()) -> Outcome:
    """The outcome after everything that is promised was pushed, with what became of it.

    `replaces` names packages whose foreign commits at the AUR are built upon nevertheless.
    """
    snapshot = workshop.reader.read(reviews=NO_REVIEWS)
    packages = promised(snapshot)
    if not packages:
        return outcome
    names = [package.pkgbase for package in packages]
    key = workshop.environ.get(_SECRET, "")
    if not key.strip():
        note = f"{_SECRET} is not set, so the AUR has to wait for {', '.join(names)}"
        return replace(outcome, notes=(*outcome.notes, note))
    results = dict(zip(names, AurPush(workshop, snapshot, replaces).push(packages, key), strict=True))
    noted = amend_state(lambda state: _without_promises(state, results, snapshot), workshop, snapshot)
    return _told(outcome, results, noted=noted)


@dataclass(frozen=True, slots=True)
class AurPush:
    """The pushes of one run."""

    workshop: Workshop
    snapshot: Snapshot
    replaces: frozenset[str] = frozenset()

    def push(self, packages: Iterable[Package], key: str) -> tuple[AurResult, ...]:
        """Push all, a few at once; one that fails stops no other, and what concerns all is said of each."""
        packages = tuple(packages)
        try:
            return self._push_all(packages, key)
        except ConfigError as error:
            return tuple(AurResult(fault=error.what) for _ in packages)

    def _push_all(self, packages: Iterable[Package], key: str) -> tuple[AurResult, ...]:
        settings = self.snapshot.settings
        with (
            open_aur(
                key=key,
                url=settings.aur_push_url,
                known_hosts=self._known_hosts(),
                processes=self.workshop.processes,
                environ=self.workshop.environ,
            ) as door,
            ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, settings.max_parallel)) as pool,
        ):
            return tuple(pool.map(lambda package: self._attempt(package, door), packages))

    def _known_hosts(self) -> bytes:
        chosen = self.snapshot.settings.aur_known_hosts
        if chosen is None:
            return pinned_hosts()
        path = self.workshop.top / chosen
        if not path.is_file():
            raise ConfigError("names no file", key="CI_AUR_KNOWN_HOSTS", got=chosen)
        return path.read_bytes()

    def _attempt(self, package: Package, door: AurDoor) -> AurResult:
        try:
            return self._push_one(package, door)
        except GitError as error:
            return AurResult(fault=_why(error.problem))
        except ToolkitError as error:
            return AurResult(fault=error.what)

    def _push_one(self, package: Package, door: AurDoor) -> AurResult:
        chosen = aur_files(package)
        oids = {path: file.oid for path, file in chosen.files.items()}
        sizes = self.workshop.repository.sizes(oids.values())
        faults = chosen.faults or size_faults({path: sizes[oid] for path, oid in oids.items() if oid in sizes})
        if faults:
            return AurResult(fault="; ".join(faults))
        objects = ObjectDraft()
        blobs = self.workshop.repository.read_blobs(oids.values())
        files = {path: (file.mode, objects.add("blob", blobs[file.oid])) for path, file in chosen.files.items()}
        content = objects.add_folder(files)
        known = self.snapshot.state.package(package.pkgbase).aur_pushed
        if known == content:
            return AurResult(content=content)
        there = door.repository(package.pkgbase)
        head = there.head()
        now = _content_of(head) if head else None
        if now == content:
            return AurResult(content=content)
        if head is not None and not self._is_ours(package, head, now, known):
            return AurResult(fault=_foreign(package.pkgbase, head))
        commit = self._commit(package, objects, content, head)
        result = there.push(objects, commit, onto=head)
        if not result.done:
            said = result.message if "remote:" in result.message else "; ".join(result.refusals.values())
            return AurResult(fault=_why(f"the AUR refuses: {said or result.message}"))
        return AurResult(content=content, pushed=True)

    def _is_ours(self, package: Package, head: AurHead, now: Oid | None, known: Oid | None) -> bool:
        """Whether what the AUR has is what was last pushed there, by this program or by another of the same name."""
        bot = self.snapshot.settings.author_email
        by_bot = {head.commit.author_email, head.commit.committer_email} == {bot}
        return now == known or by_bot or package.pkgbase in self.replaces

    def _commit(self, package: Package, objects: ObjectDraft, content: Oid, head: AurHead | None) -> Oid:
        settings = self.snapshot.settings
        seconds = self.workshop.style().now_s
        kept = [entry for entry in head.entries if _is_theirs(entry)] if head else []
        tree = content
        if kept:
            # The top of our own tree is in the draft, and theirs is in the scratch repository already.
            tree = objects.add_tree([*decode_tree(objects.objects[content][1]), *kept])
        return objects.add_commit(
            tree=tree,
            parents=(head.oid,) if head else (),
            identity=Identity(name=settings.author_name, email=settings.author_email, seconds=seconds),
            message=aur_message(package.pkgbase, package.version, self.snapshot.branch, self.workshop.environ),
        )


def _is_theirs(entry: TreeEntry) -> bool:
    return entry.name in _THEIRS and entry.mode == FILE_MODE


def _content_of(head: AurHead) -> Oid:
    return object_name("tree", encode_tree(entry for entry in head.entries if not _is_theirs(entry)))


def _foreign(pkgbase: Pkgbase, head: AurHead) -> str:
    return (
        f"the AUR has commit {head.oid[:10]}, which was not pushed from here and is not overwritten: bring its changes"
        f" into {pkgbase}/, or run ci-toolkit on-commit --replace-at-aur {pkgbase}"
    )


def _why(text: str) -> str:
    """A failure in the words of ssh, git or the AUR, and what to do about the usual ones."""
    if "Host key verification failed" in text or "HOST IDENTIFICATION HAS CHANGED" in text:
        hint = "its host key is none of those pinned, and nothing was sent; CI_AUR_KNOWN_HOSTS names a file with others"
        return f"the AUR cannot be trusted: {hint}"
    if "Permission denied (publickey" in text:
        return f"the AUR does not accept the key in {_SECRET}; is its public half in the account's profile?"
    if "stale info" in text or "fetch first" in text or "non-fast-forward" in text:
        return "the AUR's branch moved meanwhile, and it is not overwritten; the next run looks again"
    return text


def _without_promises(
    state: RepositoryState, results: Mapping[Pkgbase, AurResult], snapshot: Snapshot
) -> RepositoryState:
    """The state with what the AUR has now; promises that were made meanwhile stay."""
    packages = dict(state.packages)
    for pkgbase, result in results.items():
        if result.content is None:
            continue
        known = state.package(pkgbase)
        kept = known.aur_due != snapshot.packages[pkgbase].tree
        packages[pkgbase] = replace(known, aur_pushed=result.content, aur_due=known.aur_due if kept else None)
    return replace(state, packages=packages)


def _told(outcome: Outcome, results: Mapping[Pkgbase, AurResult], *, noted: bool) -> Outcome:
    """The outcome with failures among the problems of their packages, and with one note for the others."""
    faults = {str(pkgbase): result.fault for pkgbase, result in results.items() if result.content is None}
    verdicts = tuple(
        replace(verdict, problems=(*verdict.problems, f"not pushed to the AUR: {faults[verdict.package]}"))
        if verdict.package in faults
        else verdict
        for verdict in outcome.verdicts
    )
    pushed = [pkgbase for pkgbase, result in results.items() if result.pushed]
    equal = [pkgbase for pkgbase, result in results.items() if result.content and not result.pushed]
    notes = [f"pushed to the AUR: {', '.join(pushed)}"] if pushed else []
    notes += [f"the AUR has this already: {', '.join(equal)}"] if equal else []
    problems = () if noted else ("the state branch moved too often to note down what the AUR has; the next run looks",)
    return replace(outcome, verdicts=verdicts, notes=(*outcome.notes, *notes), problems=(*outcome.problems, *problems))
