"""Keeping the files that call ci-toolkit's CI templates current: in a review, or in a commit where that is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_remote import RefUpdate
from ci_toolkit.effects.merge_file import Version, merge_file
from ci_toolkit.errors import ConfigError, ForgeError, GitError, ToolkitError
from ci_toolkit.forges.client import ReviewText
from ci_toolkit.forges.spec import WantedReview
from ci_toolkit.formats.changelog import changes_between
from ci_toolkit.formats.git_objects import FILE_MODE, Identity, ObjectDraft, decode_commit
from ci_toolkit.formats.source_url import GitRemote, parse_git_url
from ci_toolkit.formats.version import compare_versions
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.pipelines.caller_files import (
    SERVICES,
    Pin,
    Service,
    caller_file,
    caller_paths,
    read_pin,
    template_path,
    with_pin,
)
from ci_toolkit.pipelines.drafting import draft_state
from ci_toolkit.pipelines.reading import SCHEDULED_TAG
from ci_toolkit.pipelines.tree_edits import tree_with
from ci_toolkit.review.markdown import fenced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.effects.remote_heads import RemoteHeads
    from ci_toolkit.effects.upstream_cache import UpstreamCache
    from ci_toolkit.formats.git_objects import Commit
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.workshop import Workshop

_NAME = "ci-toolkit-update"
BRANCH = f"refs/heads/{_NAME}"
OFFERED_KEY = "TEMPLATE_OFFERED"
_CHANGELOG = "docs/changelog.md"
_TAG = re.compile(r"v([0-9]{1,9}(?:\.[0-9]{1,9}){1,2})")
_MARKERS = """
Both this repository and the template changed the same lines of {files}. Each such place stands between
`<<<<<<< yours` and `>>>>>>> template`: first your lines, after `|||||||` the old template's, after `=======` the
new template's. Keep what is right, remove the markers, and merge then.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReview:
    """The branch that offers an update, to be shown where reviews are: title and description are its commit's."""

    workshop: Workshop
    target: str
    head: Oid
    pushed: bool

    def wanted(self) -> WantedReview:
        """As a forge takes it."""
        return WantedReview(
            pkgbase=Pkgbase(_NAME),
            branch=_NAME,
            target=self.target,
            head=self.head,
            content=self.head,
            severity=Severity.MEDIUM,
            pushed=self.pushed,
            describe=self.describe,
            since=lambda _: "A later version is there; the description is about that one.",
        )

    def describe(self) -> ReviewText:
        """Title and description; ForgeError when the branch cannot be read."""
        commit = _fetched_commit(self.workshop, self.head)
        if commit is None:
            raise ForgeError("its branch moved while it was read")
        title, _, body = commit.message.partition("\n")
        return ReviewText(title=title, body=fenced(f"  {line}" for line in body.strip().split("\n")))


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateResult:
    """What is to be said of it, whether anything was pushed, and the review that is open."""

    notes: tuple[str, ...] = ()
    pushed: bool = False
    review: TemplateReview | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """New content of files by path; `conflicts` are the paths with markers in them."""

    old: Pin
    version: str
    files: Mapping[str, bytes]
    changelog: str
    conflicts: tuple[str, ...] = field(default=())

    @property
    def message(self) -> str:
        parts = [f"chore(ci): update ci-toolkit from v{self.old.version} to v{self.version}"]
        parts += [_MARKERS.format(files=", ".join(self.conflicts)).strip()] if self.conflicts else []
        parts += [self.changelog] if self.changelog else []
        return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUpdate:
    """One look at the template's versions; `heads` and `upstreams` ask strangers."""

    workshop: Workshop
    heads: RemoteHeads
    upstreams: UpstreamCache

    def run(self, snapshot: Snapshot, *, dry_run: bool) -> TemplateResult:
        """Offer, or take, the newest version. What cannot be asked is a note: packages are not kept waiting by it."""
        if not snapshot.settings.template_updates:
            return TemplateResult()
        there = self._ours(snapshot)
        for service in SERVICES:
            ours = {path: there[path] for path in caller_paths(service) if path in there}
            pin = next(filter(None, (read_pin(service, content) for content in ours.values())), None)
            if pin is None or not (pin.project or snapshot.settings.template_repo):
                continue
            try:
                offer = self._offer(snapshot, service, pin, ours)
                return self._push(snapshot, offer, dry_run=dry_run) if offer else TemplateResult()
            except ToolkitError as error:
                return TemplateResult(notes=(f"ci-toolkit's template cannot be updated: {error.what}",))
        return TemplateResult()

    def _offer(self, snapshot: Snapshot, service: Service, pin: Pin, ours: Mapping[str, bytes]) -> _Offer | None:
        remote = self._remote(snapshot, service, pin)
        tags = self.heads.tags(remote)
        versions = {match[1]: oid for name, oid in tags.items() if (match := _TAG.fullmatch(name))}
        newest = max(versions, key=cmp_to_key(compare_versions), default=pin.version)
        if compare_versions(newest, pin.version) <= 0:
            return None
        wanted = {
            f"refs/tags/v{version}": versions[version] for version in (newest, pin.version) if version in versions
        }
        with self.upstreams.fetched(remote, wanted) as fetched:
            there = fetched.repository
            changelog = _file(there, versions[newest], _CHANGELOG) or b""
            merged, conflicts = {}, []
            for path, content in ours.items():
                base, theirs = (
                    _caller(there, versions.get(version), service, path, content, version)
                    for version in (pin.version, newest)
                )
                text, count = merge_file(
                    self.workshop.repository.git,
                    Version("yours", content),
                    Version(f"template v{pin.version}", base),
                    Version(f"template v{newest}", theirs),
                )
                merged[path] = text
                conflicts += [path] if count else []
        return _Offer(
            old=pin,
            version=newest,
            files={path: text for path, text in merged.items() if text != ours[path]},
            changelog=changes_between(changelog, pin.version, newest),
            conflicts=tuple(conflicts),
        )

    def _ours(self, snapshot: Snapshot) -> dict[str, bytes]:
        """What is there of the files of all services, asked for at once."""
        names = {f"{snapshot.heads.main}:{path}": path for service in SERVICES for path in caller_paths(service)}
        found = self.workshop.repository.read_objects(names)
        return {path: entry[1] for name, path in names.items() if (entry := found[name]) and entry[0] == "blob"}

    def _remote(self, snapshot: Snapshot, service: Service, pin: Pin) -> GitRemote:
        settings = snapshot.settings
        host = self.workshop.environ.get("CI_SERVER_URL") or "https://gitlab.com"
        address = settings.template_repo or f"{settings.github_url if service == 'github' else host}/{pin.project}.git"
        try:
            return parse_git_url(address, allow_local=settings.allow_local_upstreams)
        except ConfigError as error:
            raise error.located(key="TEMPLATE_REPO") from None

    def _push(self, snapshot: Snapshot, offer: _Offer, *, dry_run: bool) -> TemplateResult:
        what = f"ci-toolkit v{offer.version} is there, and v{offer.old.version} is pinned"
        at_once = snapshot.settings.template_commits and not offer.conflicts
        branch = BRANCH.removeprefix("refs/heads/")
        there = self.workshop.remote.refs()[0].get(BRANCH)
        if not at_once:
            offered = snapshot.state.meta.get(OFFERED_KEY) == offer.version
            if there is None and offered:
                return TemplateResult()
            if there is not None and not self._is_bots(there, snapshot):
                return TemplateResult(notes=(f"{what}: branch {branch} has commits of people and is left to them",))
            if there is not None and offered:
                note = f"{what}: branch {branch} offers it"
                return TemplateResult(notes=(note,), review=self._review(snapshot, there, pushed=False))
        if dry_run or not offer.files:
            return TemplateResult(notes=(what,))
        objects = ObjectDraft(hash_name=snapshot.hash_name)
        updates = self._updates(objects, snapshot, offer, there, at_once=at_once)
        self.workshop.repository.write_objects(objects)
        result = self.workshop.remote.push(updates, options=self.workshop.push_options(skip=at_once))
        if not result.done:
            raise GitError("; ".join(result.refusals.values()) or result.message)
        shown = f"pushed to {snapshot.branch}" if at_once else f"to review in branch {branch}"
        review = None if at_once else self._review(snapshot, updates[0].new, pushed=True)
        return TemplateResult(notes=(f"{what}: the update is {shown}",), pushed=True, review=review)

    def _review(self, snapshot: Snapshot, head: Oid | None, *, pushed: bool) -> TemplateReview | None:
        if head is None:
            return None
        return TemplateReview(workshop=self.workshop, target=snapshot.branch, head=head, pushed=pushed)

    def _updates(
        self, objects: ObjectDraft, snapshot: Snapshot, offer: _Offer, there: Oid | None, *, at_once: bool
    ) -> list[RefUpdate]:
        settings, style, main = snapshot.settings, self.workshop.style(), snapshot.heads.main
        listing = self.workshop.repository.list_tree(main)
        changes = {path: (FILE_MODE, objects.add("blob", content)) for path, content in offer.files.items()}
        subject, _, body = offer.message.partition("\n")
        skip = " [skip ci]" if at_once and style.skip_ci else ""
        commit = objects.add_commit(
            tree=tree_with(objects, listing, changes),
            parents=(main,),
            identity=Identity(name=settings.author_name, email=settings.author_email, seconds=style.now_s),
            message=f"{subject}{skip}\n{body}",
        )
        if at_once:
            updates = [RefUpdate(ref=f"refs/heads/{snapshot.branch}", old=main, new=commit)]
            if snapshot.heads.scheduled == main:
                updates.append(RefUpdate(ref=SCHEDULED_TAG, old=snapshot.heads.scheduled_tag, new=commit))
            return updates
        state = replace(snapshot.state, meta=snapshot.state.meta.with_value(OFFERED_KEY, offer.version))
        return [
            RefUpdate(ref=BRANCH, old=there, new=commit),
            draft_state(objects, state, snapshot, style, base=main)[0],
        ]

    def _is_bots(self, head: Oid, snapshot: Snapshot) -> bool:
        """Whether nobody but this program committed to the head of the branch."""
        commit = _fetched_commit(self.workshop, head)
        bot = snapshot.settings.author_email
        return commit is not None and {commit.author_email, commit.committer_email} == {bot}


def _fetched_commit(workshop: Workshop, head: Oid) -> Commit | None:
    """The commit at the branch's head, None when it has moved."""
    repository = workshop.repository
    if head not in repository.sizes([head]):
        workshop.remote.fetch([BRANCH], depth=1 if repository.is_shallow() else None)
    found = repository.read_objects([head])[head]
    return decode_commit(found[1]) if found and found[0] == "commit" else None


def _file(repository: Repository, commit: Oid, path: str) -> bytes | None:
    found = repository.read_objects([f"{commit}:{path}"])[f"{commit}:{path}"]
    return found[1] if found and found[0] == "blob" else None


def _caller(
    repository: Repository, commit: Oid | None, service: Service, path: str, ours: bytes, version: str
) -> bytes:
    """A file as a version of the template has it; where that keeps none, as this program would write it.

    A file that calls another project's templates is the repository's own, and only the version in it is the template's.
    """
    pin = read_pin(service, ours)
    if pin is not None and pin.project:
        return with_pin(service, ours, version)
    found = _file(repository, commit, template_path(service, path)) if commit else None
    return caller_file(service, path, version) if found is None else found
