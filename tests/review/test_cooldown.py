"""How long a revision is held back."""

from __future__ import annotations

import pytest

from ci_toolkit.review.cooldown import held_until

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
