"""Whether what was merged is what its review offered: a branch may have been moved between the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.deciding.content import content_of
from ci_toolkit.model.names import Oid, Pkgbase, review_branch
from ci_toolkit.model.package import is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.reading import SnapshotReader


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedReviews:
    """Compares the packages that a push changed with what the state branch says was offered for them.

    The state branch is believed and not the commits' trailers: who can push to a review branch can write those.
    """

    repository: Repository
    reader: SnapshotReader

    def tampered(self, snapshot: Snapshot, before: Mapping[Pkgbase, Oid]) -> dict[Pkgbase, str]:
        """The packages whose review has ended with other content than was offered, each with a sentence.

        `before` are the trees of package folders that were handled last. A change that was made on the default branch
        while the review stays open is no end of it.
        """
        suspects = [
            pkgbase
            for pkgbase, package in snapshot.packages.items()
            if before.get(pkgbase) != package.tree and self._differs(snapshot, pkgbase, before.get(pkgbase))
        ]
        still_there = frozenset(pkgbase for pkgbase in suspects if pkgbase in snapshot.heads.reviews)
        looked = self.reader.read(reviews=still_there) if still_there else snapshot
        return {
            pkgbase: self._sentence(snapshot, pkgbase, before.get(pkgbase))
            for pkgbase in suspects
            if pkgbase not in looked.heads.reviews or _has_ended(looked, pkgbase)
        }

    def _differs(self, snapshot: Snapshot, pkgbase: Pkgbase, old_tree: Oid | None) -> bool:
        """Whether a review was offered, and the package changed to something else."""
        offered = snapshot.state.package(pkgbase).review_content
        if offered is None:
            return False
        content = content_of(snapshot.packages[pkgbase].upstream_files(), snapshot.hash_name)
        return content != offered and bool(self._changed_files(snapshot, pkgbase, old_tree))

    def _changed_files(self, snapshot: Snapshot, pkgbase: Pkgbase, old_tree: Oid | None) -> list[str]:
        listing = self.repository.list_tree(old_tree) if old_tree else ()
        old = {entry.path: (entry.mode, entry.oid) for entry in listing if entry.mode.lstrip("0") != "40000"}
        new = {path: (file.mode, file.oid) for path, file in snapshot.packages[pkgbase].files.items()}
        return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path) and not is_ours(path))

    def _sentence(self, snapshot: Snapshot, pkgbase: Pkgbase, old_tree: Oid | None) -> str:
        changed = self._changed_files(snapshot, pkgbase, old_tree)
        return (
            f"what came from {review_branch(pkgbase)} is not what its review offered; "
            f"look at {', '.join(changed[:5])}{f' and {len(changed) - 5} more' if len(changed) > 5 else ''}"
        )


def _has_ended(snapshot: Snapshot, pkgbase: Pkgbase) -> bool:
    """Whether a review branch that is still there is part of the default branch: merged, or squashed into it."""
    content = content_of(snapshot.packages[pkgbase].upstream_files(), snapshot.hash_name)
    return pkgbase in snapshot.merged_reviews or snapshot.reviews[pkgbase].content == content
