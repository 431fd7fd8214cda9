"""What a person's change does to packages: a review of each one that is different between two commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, ToolkitError
from ci_toolkit.formats.git_objects import TREE_MODE
from ci_toolkit.model.names import Pkgbase, is_oid, is_pkgbase
from ci_toolkit.model.package import is_ours
from ci_toolkit.pipelines.asked_review import review_of_sides
from ci_toolkit.pipelines.sides import NOTHING, Side, read_commit_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.review.assessing import Judge
    from ci_toolkit.review.subject import ReviewSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedChange:
    """Reviews by package, packages that are gone, those that cannot be judged with the reason, and all other paths.

    `beside` are the repository's own files that changed, which no rule looks at: `.ci/config`, `foo/.CI/prepare`.
    """

    subjects: Mapping[str, ReviewSubject]
    gone: tuple[str, ...]
    problems: Mapping[str, str]
    beside: tuple[str, ...]


def review_change(workshop: Workshop, snapshot: Snapshot, judge: Judge, *, base: str, head: str) -> ReviewedChange:
    """What is different at `head`; ConfigError when there is no such commit, also after asking the remote for it."""
    repository = workshop.repository
    old, new = (_commit(workshop, revision) for revision in (base, head))
    before, after = repository.list_folders(old), repository.list_folders(new)
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    subjects: dict[str, ReviewSubject] = {}
    problems: dict[str, str] = {}
    paths = _changed_paths(repository, old, new)
    judged = {path.partition("/")[0] for path in paths if not _is_beside(path)}
    for name in (name for name in changed if name in after and name in judged):
        package = snapshot.packages.get(Pkgbase(name))
        try:
            subjects[name] = review_of_sides(
                _side_before(repository, old, name, before),
                _side_after(repository, new, name),
                judge,
                allowed=package.config.allow_patterns if package else (),
            )
        except ToolkitError as error:
            problems[name] = error.what_and_where
    gone = tuple(name for name in changed if name not in after and not name.startswith("."))
    beside = tuple(path for path in paths if _is_beside(path) and not ("/" in path and path.partition("/")[0] in gone))
    return ReviewedChange(subjects=subjects, gone=gone, problems=problems, beside=beside)


def _commit(workshop: Workshop, revision: str) -> str:
    """A commit that is here, or that the remote has: CI services clone only the newest ones."""
    found = workshop.repository.resolve(f"{revision}^{{commit}}")
    if found is None and is_oid(revision):
        workshop.remote.fetch([revision], depth=1 if workshop.repository.is_shallow() else None)
        found = workshop.repository.resolve(f"{revision}^{{commit}}")
    if found is None:
        raise ConfigError("there is no such commit", got=revision)
    return found


def _side_before(repository: Repository, commit: str, name: str, folders: Mapping[str, str]) -> Side:
    """What was there; nothing where there was no folder of this name, or none with a PKGBUILD in it."""
    if name not in folders or repository.resolve(f"{commit}:{name}/PKGBUILD") is None:
        return NOTHING
    return read_commit_side(repository, commit, name)


def _side_after(repository: Repository, commit: str, name: str) -> Side:
    if not is_pkgbase(name):
        raise ConfigError("is no name for a package", key=repr(name))
    return read_commit_side(repository, commit, name)


def _changed_paths(repository: Repository, old: str, new: str) -> tuple[str, ...]:
    """Files that were added, removed or changed, sorted."""
    before, after = (
        {(entry.path, entry.oid, entry.mode) for entry in repository.list_tree(commit)} for commit in (old, new)
    )
    return tuple(sorted({path for path, _, mode in before ^ after if mode.lstrip("0") != TREE_MODE}))


def _is_beside(path: str) -> bool:
    """Whether a file is the repository's own, and not one that an upstream could have sent."""
    top, _, rest = path.partition("/")
    return not rest or top.startswith(".") or is_ours(rest)
