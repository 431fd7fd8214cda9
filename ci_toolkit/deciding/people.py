"""Whose revisions of a package have been accepted, from one run to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.formats.state import ORPHANED
from ci_toolkit.review.trust import folded, remembered_maintainers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.formats.state import PackageState
    from ci_toolkit.model.names import Oid


def known_people(states: Iterable[PackageState]) -> frozenset[str]:
    """Everybody who is remembered as a maintainer of any package, folded."""
    return frozenset(folded(name) for state in states for name in state.maintainers or () if name != ORPHANED)


def with_merged_review(state: PackageState, ours: Oid) -> PackageState:
    """The state in which a review counts as accepted once the folder has its content, which is named `ours`.

    The maintainers are then those whom the review was about, and not those of today.
    """
    if state.review_content != ours or state.review_maintainers is None:
        return state
    return replace(state, maintainers=state.review_maintainers, review_maintainers=None)


def with_unmoved(state: PackageState, now: tuple[str, ...] | None, *, refused: bool) -> PackageState:
    """The state after its upstream had nothing new: only what was never known is learnt from that.

    While something waits for a review or was refused, its maintainers are not accepted by being there.
    """
    first = state.maintainers is None and state.review_content is None and not refused
    return replace(state, maintainers=remembered_maintainers(state.maintainers, now, accepted=first))


def with_same_content(state: PackageState, now: tuple[str, ...] | None) -> PackageState:
    """The state after a revision that changes nothing: it needs no acceptance, and nobody has given one."""
    return replace(with_unmoved(state, now, refused=False), review_content=None, review_maintainers=None, held=None)


def with_applied(state: PackageState, now: tuple[str, ...] | None) -> PackageState:
    """The state after a revision was accepted."""
    people = remembered_maintainers(state.maintainers, now, accepted=True)
    return replace(state, maintainers=people, review_content=None, review_maintainers=None, held=None)


def with_review(state: PackageState, content: Oid, now: tuple[str, ...] | None) -> PackageState:
    """The state after a revision was sent to review."""
    people = remembered_maintainers(None, now, accepted=True)
    return replace(state, review_content=content, review_maintainers=people, held=None)
