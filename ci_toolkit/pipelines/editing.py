"""A person's change of the repository: one commit on the default branch, which on-commit then sees like any push."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_remote import RefUpdate
from ci_toolkit.errors import GitError, LostRaceError
from ci_toolkit.formats.git_objects import TREE_MODE, Identity, ObjectDraft, TreeEntry
from ci_toolkit.pipelines.reading import NO_REVIEWS
from ci_toolkit.pipelines.workshop import MOST_ATTEMPTS, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.verdict import Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be changed, and what is said of each package.

    `files` are mode and content by path, beside what is there of a package; `removed` are folders that go.
    """

    message: str
    files: Mapping[Pkgbase, Mapping[str, tuple[str, bytes]]] = field(default_factory=dict)
    removed: Collection[Pkgbase] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.files and not self.removed


def push_edit(
    workshop: Workshop, snapshot: Snapshot, decide: Callable[[Snapshot], Edit], *, dry_run: bool
) -> tuple[Edit, Snapshot, Oid]:
    """Decide on `snapshot`, and again on what it has become whenever the remote moved, until the push is taken.

    Gives the edit, what it was decided on, and the default branch's head after it. Everything lands, or nothing does.
    """
    for _ in range(MOST_ATTEMPTS):
        edit = decide(snapshot)
        objects = ObjectDraft(hash_name=snapshot.hash_name)
        head = _draft(objects, snapshot, edit, workshop) if not edit.is_empty else snapshot.heads.main
        if dry_run or edit.is_empty:
            return edit, snapshot, head
        workshop.repository.write_objects(objects)
        update = RefUpdate(ref=f"refs/heads/{snapshot.branch}", old=snapshot.heads.main, new=head)
        result = workshop.remote.push([update])
        now = workshop.reader.read(reviews=NO_REVIEWS) if not result.done else snapshot
        if result.done or now.heads.main == head:
            return edit, snapshot, head
        if now.heads.main == snapshot.heads.main:
            why = "; ".join(result.refusals.values()) or result.message
            raise GitError(f"{workshop.remote.name} refuses the push: {why}")
        log.info("%s moved; deciding again", snapshot.branch)
        snapshot = now
    raise LostRaceError(
        f"{workshop.remote.name} moved during each of {MOST_ATTEMPTS} attempts; nothing was changed",
        hint="run it again",
    )


def _draft(objects: ObjectDraft, snapshot: Snapshot, edit: Edit, workshop: Workshop) -> Oid:
    folders = {pkgbase: _folder(objects, snapshot, pkgbase, files) for pkgbase, files in edit.files.items()}
    kept = (entry for entry in snapshot.root if entry.name not in folders and entry.name not in edit.removed)
    new = (TreeEntry(mode=TREE_MODE, name=name, oid=oid) for name, oid in folders.items())
    settings = snapshot.settings
    return objects.add_commit(
        tree=objects.add_tree((*kept, *new)),
        parents=(snapshot.heads.main,),
        identity=Identity(name=settings.author_name, email=settings.author_email, seconds=workshop.style().now_s),
        message=edit.message,
    )


def _folder(objects: ObjectDraft, snapshot: Snapshot, pkgbase: Pkgbase, files: Mapping[str, tuple[str, bytes]]) -> Oid:
    package = snapshot.packages.get(pkgbase)
    entries = {path: (file.mode, file.oid) for path, file in package.files.items()} if package else {}
    entries |= {path: (mode, objects.add("blob", content)) for path, (mode, content) in files.items()}
    return objects.add_folder(entries)
