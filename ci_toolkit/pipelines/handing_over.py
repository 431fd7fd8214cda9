"""Giving schedules to the backend, and crossing them off the state branch once it has acknowledged them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import HandOverError
from ci_toolkit.formats.git_objects import ObjectDraft
from ci_toolkit.model.verdict import Code, Weight
from ci_toolkit.pipelines.drafting import draft_state
from ci_toolkit.pipelines.package_folders import RepositoryFolders
from ci_toolkit.pipelines.telling import tell_hand_over
from ci_toolkit.pipelines.workshop import MOST_ATTEMPTS, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.formats.state import RepositoryState
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.model.verdict import Verdict
    from ci_toolkit.scheduling.schedule import Schedule

log = logging.getLogger(__name__)

_PROMISED = "an earlier run scheduled it and no backend has acknowledged that"


def unacknowledged(snapshot: Snapshot, requests: frozenset[str]) -> dict[Pkgbase, str | None]:
    """Builds that earlier runs promised in these requests and no backend has acknowledged, with their class.

    A request that turns up in the middle of a run belongs to another one, which is about to hand it over itself.
    """
    return {
        build.pkgbase: build.builder_class
        for request, builds in snapshot.state.pending.items()
        for build in builds
        if request in requests and build.pkgbase in snapshot.packages
    }


def with_resumed(verdicts: Iterable[Verdict], resumed: Container[str]) -> tuple[Verdict, ...]:
    """The verdicts, in which packages that are built because of an earlier promise alone say so."""
    return tuple(
        replace(verdict, code=Code.RESUMED, why=_PROMISED, now="is built", builds=True)
        if verdict.package in resumed and verdict.weight is Weight.QUIET
        else verdict
        for verdict in verdicts
    )


def hand_over(backend: Backend, schedule: Schedule, workshop: Workshop, snapshot: Snapshot) -> str | None:
    """What the backend says to a schedule; None when it is empty."""
    if schedule.is_empty:
        return None
    folders = RepositoryFolders(repository=workshop.repository, commit=schedule.commit)
    said = backend.submit(schedule, folders, workshop.backend_tools(snapshot))
    tell_hand_over(workshop, snapshot, backend, schedule, said)
    return said


def cross_off(
    requests: frozenset[str],
    workshop: Workshop,
    snapshot: Snapshot,
    *,
    shown: Mapping[Pkgbase, ForgeRecord] | None = None,
) -> None:
    """Take acknowledged schedules off the state branch, and note which reviews are shown (None: as before).

    Whatever else moved there meanwhile stays.
    """
    if not requests and shown is None:
        return

    def change(before: RepositoryState) -> RepositoryState:
        state = before if shown is None else replace(before, forge=shown)
        for request in requests:
            state = state.without_pending(request)
        return state

    if not amend_state(change, workshop, snapshot):
        raise HandOverError("the backend took the schedule, but the state branch moved too often to note it down")


def amend_state(change: Callable[[RepositoryState], RepositoryState], workshop: Workshop, snapshot: Snapshot) -> bool:
    """Push the state branch with a change of what is there by then; whether that succeeded, or nothing changed."""
    style = workshop.style()
    for _ in range(MOST_ATTEMPTS):
        _, heads, before = workshop.reader.read_state()
        state = change(before)
        if state == before:
            return True
        objects = ObjectDraft(hash_name=snapshot.hash_name)
        update, _ = draft_state(objects, state, replace(snapshot, heads=heads), style, base=heads.main)
        workshop.repository.write_objects(objects)
        if workshop.remote.push([update], options=workshop.push_options(skip=True)).done:
            return True
    return False
