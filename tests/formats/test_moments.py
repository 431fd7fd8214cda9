"""Times as people write them."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.moments import parse_moment

NOW_S = 1_763_759_386.0  # 2025-11-21 21:09:46


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW_S - 5_400),
        ("12h", NOW_S - 43_200),
        ("7d", NOW_S - 604_800),
        ("2w", NOW_S - 1_209_600),
        ("2025-11-21", 1_763_683_200),
        ("2025-11-21T21:09", 1_763_759_340),
        ("2025-11-21 21:09:46", NOW_S),
        ("2025-11-21T21:09:46Z", NOW_S),
        ("1763759386", NOW_S),
        ("1763759386.25", NOW_S + 0.25),
    ],
)
def test_a_time_is_understood(text: str, expected: float) -> None:
    assert parse_moment(text, now_s=NOW_S, key="--since") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "-7d",
        "7 d",
        "7D",
        "9999999d",
        "1e9",
        "nan",
        "inf",
        "0x7d",
        "٧d",
        "2025-02-30",
        "2025-13-01",
        "0000-01-01",
        "2025-11-21T25:00",
        "2025-11-21+01:00",
        "yesterday",
        "7d\n",
        "1" * 5000,
        "7d; DROP TABLE jobs",
    ],
)
def test_anything_else_is_blamed(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_moment(text, now_s=NOW_S, key="--since")
    assert caught.value.key == "--since"
    assert caught.value.hint is not None
    assert len(str(caught.value)) < 400
