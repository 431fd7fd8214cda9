"""Packages that a person takes out of the repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import RefusedError
from ci_toolkit.model.package_lists import choose_names
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.commit_messages import DROP_ACTION, list_message
from ci_toolkit.pipelines.editing import Edit, push_edit
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.scheduling.dependencies import deptree_records, edges
from ci_toolkit.scheduling.schedule import make_schedule

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualDrop:
    """One run for a list of packages. `forced` drops also what others of the repository depend on."""

    workshop: Workshop
    unwanted: Sequence[str]
    forced: bool = False
    dry_run: bool = False

    def run(self, snapshot: Snapshot) -> Outcome:
        """Push one commit without their folders; what was published of them goes with the on-commit that follows."""
        edit, seen, head = push_edit(self.workshop, snapshot, self._decide, dry_run=self.dry_run)
        return Outcome(
            pipeline="drop",
            dry_run=self.dry_run,
            base=seen.heads.main,
            head=head,
            verdicts=edit.verdicts,
            schedule=make_schedule(seen, {}, commit=head),
            pushed=() if self.dry_run else (f"refs/heads/{seen.branch}",),
        )

    def _decide(self, snapshot: Snapshot) -> Edit:
        dropped = choose_names(self.unwanted, snapshot.packages)
        if not self.forced:
            _refuse_needed(snapshot, dropped)
        return Edit(
            message=list_message(DROP_ACTION, "dropped", dropped),
            removed=dropped,
            verdicts=tuple(
                Verdict(
                    package=pkgbase,
                    code=Code.REMOVED,
                    why="asked for",
                    now="its folder goes, and with the next on-commit what was built of it",
                    old=snapshot.packages[pkgbase].version,
                )
                for pkgbase in dropped
            ),
        )


def _refuse_needed(snapshot: Snapshot, dropped: Collection[Pkgbase]) -> None:
    needs = edges(deptree_records(snapshot.packages.values()))
    left = {
        pkgbase: sorted(needed & set(dropped))
        for pkgbase, needed in sorted(needs.items())
        if pkgbase not in dropped and needed & set(dropped)
    }
    if left:
        told = "; ".join(f"{pkgbase} depends on {', '.join(needed)}" for pkgbase, needed in left.items())
        raise RefusedError(told, hint="nothing was dropped; drop those too, or use --force")
