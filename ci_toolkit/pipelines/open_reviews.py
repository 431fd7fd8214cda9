"""Open reviews as what they are about: a review branch, or the change that was just put on one, beside what we have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ci_toolkit.errors import ForgeError, GitError, ToolkitError
from ci_toolkit.forges.client import ReviewText
from ci_toolkit.forges.marker import parse_marker
from ci_toolkit.formats.git_objects import decode_commit
from ci_toolkit.formats.state import ORPHANED
from ci_toolkit.model.finding import Assessment
from ci_toolkit.model.names import review_branch
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.pipelines.commit_messages import REVISION_TRAILER
from ci_toolkit.pipelines.sides import Side, read_commit_side
from ci_toolkit.review.facts import Facts, facts_of
from ci_toolkit.review.links import source_comparison
from ci_toolkit.review.report import describe, since
from ci_toolkit.review.subject import ReviewSubject
from ci_toolkit.review.trust import trust_findings

if TYPE_CHECKING:
    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.forges.client import ForgeReview
    from ci_toolkit.formats.state import PackageState, ReviewRecord
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.model.plan import Change
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.review.assessing import Judge


@dataclass(frozen=True, kw_only=True)
class OpenReview:
    """One review branch as `record` has it, and its texts, which are made only when somebody wants to read them.

    `state` is what is remembered of the package; `change` what this run put on the branch, None for an earlier run's.
    """

    workshop: Workshop
    snapshot: Snapshot
    judge: Judge
    record: ReviewRecord
    state: PackageState
    change: Change | None = None

    def describe(self) -> ReviewText:
        """Title and description; ForgeError when the branch cannot be read."""
        description = describe(self.subject)
        return ReviewText(title=description.title, body=description.body)

    def since(self, shown: ForgeReview) -> str:
        """A remark on what is different from what a review showed."""
        marker = parse_marker(shown.body)
        before = f"from {marker.head[:10]} " if marker else ""
        return (
            f"{since(shown.body, self.subject)}\n\nThe branch went {before}to {self.record.head[:10]}; "
            "an approval of what was here before does not count for this."
        )

    @cached_property
    def subject(self) -> ReviewSubject:
        """What the review is about; ForgeError when the branch cannot be read."""
        package = self.snapshot.packages[self.record.pkgbase]
        if self.change is not None:
            return _of_change(self.change, package, self.snapshot, self.workshop.repository, self.record)
        try:
            self._fetch()
            return subject_of_branch(
                package, self.record, self.state, self.snapshot, self.workshop.repository, self.judge
            )
        except ToolkitError as error:
            raise ForgeError(f"its branch cannot be read: {error.what}") from error

    def _fetch(self) -> None:
        repository, head = self.workshop.repository, self.record.head
        if head not in repository.sizes([head]):
            ref = f"refs/heads/{review_branch(self.record.pkgbase)}"
            self.workshop.remote.fetch([ref], depth=1 if repository.is_shallow() else None)
        if head not in repository.sizes([head]):
            raise GitError("it moved while it was read")


def our_side(package: Package, snapshot: Snapshot, repository: Repository) -> Side:
    """The package as the default branch has it."""
    files = package.upstream_files()
    blobs = repository.read_blobs(file.oid for file in files.values())
    held = {path: UpstreamFile(mode=file.mode, content=blobs[file.oid]) for path, file in files.items()}
    return Side(files=held, name=package.pkgbase, revision=snapshot.heads.main)


def subject_of_branch(
    package: Package,
    record: ReviewRecord,
    state: PackageState,
    snapshot: Snapshot,
    repository: Repository,
    judge: Judge,
) -> ReviewSubject:
    """What a review branch, whose commit is here, changes; the people are those of when it was offered."""
    new = read_commit_side(repository, record.head, package.pkgbase)
    old = our_side(package, snapshot, repository)
    offered = None if state.review_maintainers is None else tuple(sorted(state.review_maintainers - {ORPHANED}))
    people = trust_findings(state.maintainers, offered, snapshot.trusted_maintainers)
    assessment = Assessment(findings=new.refused)
    if not new.refused:
        assessment = judge.assess(old.files, new.files, allowed=package.config.allow_patterns, also=people)
    commit = repository.read_objects([record.head])[record.head]
    revision = _trailer(decode_commit(commit[1]).message) if commit else None
    subject = ReviewSubject(
        pkgbase=package.pkgbase,
        assessment=assessment,
        old_version=old.version if old.files else None,
        new_version=new.version,
        revision=revision or record.head,
        compare=source_comparison(old.sources, new.sources),
        facts=Facts() if new.refused else facts_of(old.files, new.files),
    )
    return _with_circumstances(subject, package, record, state.maintainers, offered, snapshot)


def _of_change(
    change: Change, package: Package, snapshot: Snapshot, repository: Repository, record: ReviewRecord
) -> ReviewSubject:
    old, new = our_side(package, snapshot, repository), Side(files=change.files)
    subject = ReviewSubject(
        pkgbase=package.pkgbase,
        assessment=change.assessment,
        old_version=change.old_version,
        new_version=change.new_version,
        revision=change.revision,
        link=change.link,
        compare=source_comparison(old.sources, new.sources),
        facts=facts_of(old.files, new.files),
    )
    return _with_circumstances(subject, package, record, change.old_maintainers, change.maintainers, snapshot)


def _with_circumstances(
    subject: ReviewSubject,
    package: Package,
    record: ReviewRecord,
    seen: frozenset[str] | None,
    now: tuple[str, ...] | None,
    snapshot: Snapshot,
) -> ReviewSubject:
    return replace(
        subject,
        old_revision=snapshot.state.package(package.pkgbase).upstream_revision,
        old_maintainers=None if seen is None else tuple(sorted(seen - {ORPHANED})),
        maintainers=now,
        upstream=package.config.source,
        branch=review_branch(package.pkgbase),
        target=snapshot.branch,
        content=record.content,
    )


def _trailer(message: str) -> str | None:
    """The upstream revision that the toolkit noted in its commit."""
    lines = [line for line in message.split("\n") if line.startswith(f"{REVISION_TRAILER}: ")]
    return lines[-1].partition(": ")[2] if lines else None
