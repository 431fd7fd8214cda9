"""Which builder classes let a chaotic-manager build a package before what it needs."""

from __future__ import annotations

import pytest

from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.scheduling.schedule import lost_order

APP, LIB = Pkgbase("app"), Pkgbase("lib")


@pytest.mark.parametrize(
    ("app", "lib", "lost"),
    [
        (None, None, False),
        ("2", "2", False),
        ("3", "2", False),
        ("02", "2", False),
        ("2", "3", True),
        (None, "2", True),
        ("9", "10", True),
        ("fast", "fast", False),
        ("fast", "slow", True),
        ("fast", None, True),
        (None, "fast", True),
    ],
    ids=str,
)
def test_a_builder_that_takes_a_package_and_not_what_it_needs_may_overtake(
    app: str | None, lib: str | None, *, lost: bool
) -> None:
    builds = [PendingBuild(pkgbase=LIB, builder_class=lib), PendingBuild(pkgbase=APP, builder_class=app)]
    said = [f"app (class {app or 1}) needs lib (class {lib or 1}) and may be built before it"]
    assert list(lost_order(builds, {APP: frozenset({LIB})})) == (said if lost else [])


def test_what_is_not_queued_with_it_is_nothing_to_wait_for() -> None:
    builds = [PendingBuild(pkgbase=APP, builder_class="1")]
    assert lost_order(builds, {APP: frozenset({LIB})}) == ()
