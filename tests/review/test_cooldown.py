"""How long a revision is held back."""

from __future__ import annotations

import pytest

from ci_toolkit.formats.state import HeldRevision
from ci_toolkit.review.cooldown import held_until, public_since

HOUR = 3_600
NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("revision", "hours", "until"),
    [
        (NOW - 10 * HOUR, 0, None),
        (NOW, 0, None),
        (None, 48, None),
        (NOW, 48, NOW + 48 * HOUR),
        (NOW - 47 * HOUR, 48, NOW + HOUR),
        (NOW - 48 * HOUR + 1, 48, NOW + 1),
        (NOW - 48 * HOUR, 48, None),
        (0, 48, None),
        (NOW + 1, 48, NOW + 48 * HOUR),
        (NOW + 10**9, 48, NOW + 48 * HOUR),
    ],
)
def test_a_revision_is_held_until_it_was_public_long_enough(
    revision: int | None, hours: int, until: int | None
) -> None:
    assert held_until(revision, hours, NOW) == until


@pytest.mark.parametrize(
    ("revision", "told", "since"),
    [
        ("new", NOW - 5, NOW - 5),
        ("new", NOW - 10, NOW),
        ("new", NOW - 20, NOW),
        ("old", NOW - 10, NOW - 10),
        ("old", NOW - 20, NOW - 10),
        ("old", NOW - 5, NOW - 5),
        ("new", None, None),
    ],
)
def test_a_revision_has_no_time_that_belongs_to_another(revision: str, told: int | None, since: int | None) -> None:
    held = HeldRevision(revision="old", since_s=NOW - 10)
    assert public_since(revision, told, held, NOW) == since
    assert public_since(revision, told, None, NOW) == told
