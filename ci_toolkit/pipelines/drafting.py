"""A plan as git objects and ref updates, all in memory: what a push would do, down to the names of its commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_remote import RefUpdate
from ci_toolkit.formats.git_objects import (
    FILE_MODE,
    TREE_MODE,
    Identity,
    ObjectDraft,
    TreeEntry,
    decode_commit,
    decode_tree,
)
from ci_toolkit.formats.state import SCHEMA, RepositoryState, ReviewRecord, format_state
from ci_toolkit.model.names import Oid, Pkgbase, review_branch
from ci_toolkit.model.package_config import CONFIG_PATH
from ci_toolkit.pipelines.commit_messages import STATE_SUBJECT, review_message, update_message
from ci_toolkit.pipelines.reading import SCHEDULED_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.model.plan import Change, Plan
    from ci_toolkit.scheduling.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How commits are made: `now_s` is their time, `skip_ci` marks them for a forge that knows no push option.

    `run` is a name that no other run has: two runs that do the very same at the very same time must not make the same
    commit, or the one that came too late would take the other's push for its own.
    `amend` names the parents to use instead of the default branch's head, and the packages that its commit changed.
    """

    now_s: int
    run: str
    skip_ci: bool
    amend: Amendment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """The automated commit at the head of the default branch, which is to be replaced by a larger one."""

    parents: tuple[Oid, ...]
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a push would move: `main` is the default branch's head after it, `reviews` the heads of review branches."""

    objects: ObjectDraft
    updates: tuple[RefUpdate, ...]
    main: Oid
    reviews: Mapping[Pkgbase, Oid]
    state: RepositoryState

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to push."""
        return not self.updates

    def folders(self, names: Iterable[Pkgbase]) -> dict[Pkgbase, Oid]:
        """The trees of these packages' folders on the default branch, if this draft makes a commit for it."""
        made = self.objects.objects.get(self.main)
        if made is None:
            return {}
        root = self.objects.objects[decode_commit(made[1]).tree][1]
        trees = {entry.name: entry.oid for entry in decode_tree(root, oid_bytes=len(self.main) // 2)}
        return {name: trees[name] for name in names if name in trees}


def draft_plan(snapshot: Snapshot, plan: Plan, style: Style) -> Draft:
    """Everything but the state branch."""
    objects = ObjectDraft(hash_name=snapshot.hash_name)
    settings = snapshot.settings
    identity = Identity(name=settings.author_name, email=settings.author_email, seconds=style.now_s)
    main, main_root = snapshot.heads.main, snapshot.root
    updates: list[RefUpdate] = []
    if plan.applied or plan.configs:
        main_root = _with_changes(objects, snapshot, snapshot.root, plan.applied, plan.configs)
        names = (
            {change.pkgbase for change in plan.applied}
            | plan.configs.keys()
            | set(style.amend.packages if style.amend else ())
        )
        message = update_message(sorted(names), skip_ci=style.skip_ci and plan.moves_tag)
        parents = style.amend.parents if style.amend else (main,)
        main = objects.add_commit(tree=objects.add_tree(main_root), parents=parents, identity=identity, message=message)
        updates.append(RefUpdate(ref=f"refs/heads/{snapshot.branch}", old=snapshot.heads.main, new=main))
        if plan.moves_tag:
            updates.append(RefUpdate(ref=SCHEDULED_TAG, old=snapshot.heads.scheduled_tag, new=main))
    reviews: dict[Pkgbase, Oid] = {}
    for change in plan.reviewed:
        configs = {name: config for name, config in plan.configs.items() if name == change.pkgbase}
        root = _with_changes(objects, snapshot, main_root, (change,), configs)
        message = review_message(change)
        head = objects.add_commit(tree=objects.add_tree(root), parents=(main,), identity=identity, message=message)
        reviews[change.pkgbase] = head
        old = snapshot.heads.reviews.get(change.pkgbase)
        updates.append(RefUpdate(ref=f"refs/heads/{review_branch(change.pkgbase)}", old=old, new=head))
    updates += [
        RefUpdate(ref=f"refs/heads/{review_branch(one.pkgbase)}", old=one.head, new=None)
        for one in plan.dropped_reviews
    ]
    state = replace(plan.state, reviews=_review_records(snapshot, plan, reviews))
    return Draft(objects=objects, updates=tuple(updates), main=main, reviews=reviews, state=state)


def with_schedule(draft: Draft, schedule: Schedule) -> Draft:
    """The same, with a schedule noted in the state until a backend acknowledges it."""
    if schedule.is_empty:
        return draft
    pending = {**draft.state.pending, schedule.request: schedule.builds}
    return replace(draft, state=replace(draft.state, pending=pending))


def with_state(draft: Draft, snapshot: Snapshot, style: Style) -> Draft:
    """The same, with the state branch; unless it says what it said before and nothing else is pushed."""
    files = format_state(draft.state)
    if not draft.updates and files == format_state(snapshot.state):
        return draft
    update, state = draft_state(draft.objects, draft.state, snapshot, style, base=draft.main)
    return replace(draft, updates=(*draft.updates, update), state=state)


def draft_state(
    objects: ObjectDraft, state: RepositoryState, snapshot: Snapshot, style: Style, *, base: Oid
) -> tuple[RefUpdate, RepositoryState]:
    """A new commit for the state branch, without history, one up in its counter."""
    meta = state.meta
    for key, value in (
        ("STATE_SCHEMA", str(SCHEMA)),
        ("STATE_BASE", base),
        ("STATE_COUNTER", str(state.counter + 1)),
        ("STATE_RUN", style.run),
    ):
        meta = meta.with_value(key, value)
    state = replace(state, meta=meta)
    blobs = {path: ("100644", objects.add("blob", content)) for path, content in format_state(state).items()}
    settings = snapshot.settings
    identity = Identity(name=settings.author_name, email=settings.author_email, seconds=style.now_s)
    tree = objects.add_folder(blobs)
    commit = objects.add_commit(tree=tree, parents=(), identity=identity, message=f"{STATE_SUBJECT}\n")
    return RefUpdate(ref="refs/heads/state", old=snapshot.heads.state, new=commit), state


def _with_changes(
    objects: ObjectDraft,
    snapshot: Snapshot,
    root: Iterable[TreeEntry],
    changes: Iterable[Change],
    configs: Mapping[Pkgbase, bytes],
) -> tuple[TreeEntry, ...]:
    """A root tree with the new content of `changes` and `configs`; folders keep what is the repository's own."""
    by_name = {change.pkgbase: change for change in changes}
    folders = {
        name: _folder(objects, snapshot.packages[name], by_name.get(name), configs.get(name))
        for name in (*by_name, *(name for name in configs if name not in by_name))
    }
    kept = (entry for entry in root if entry.name not in folders)
    new = (TreeEntry(mode=TREE_MODE, name=name, oid=oid) for name, oid in folders.items())
    return (*kept, *new)


def _folder(objects: ObjectDraft, package: Package, change: Change | None, config: bytes | None) -> Oid:
    theirs = package.upstream_files() if change else {}
    files = {path: (file.mode, file.oid) for path, file in package.files.items() if path not in theirs}
    for path, file in change.files.items() if change else ():
        files[path] = (file.mode, objects.add("blob", file.content))
    if config is not None:
        files[CONFIG_PATH] = (FILE_MODE, objects.add("blob", config))
    return objects.add_folder(files)


def _review_records(snapshot: Snapshot, plan: Plan, pushed: Mapping[Pkgbase, Oid]) -> dict[Pkgbase, ReviewRecord]:
    """What will be known of every review branch once the push is done."""
    dropped = {one.pkgbase for one in plan.dropped_reviews}
    records = {pkgbase: record for pkgbase, record in snapshot.reviews.items() if pkgbase not in dropped}
    for change in plan.reviewed:
        head = pushed[change.pkgbase]
        records[change.pkgbase] = ReviewRecord(pkgbase=change.pkgbase, head=head, content=change.content, author="bot")
    return records
