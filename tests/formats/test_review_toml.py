"""The owner's switches for review rules, and where the mistakes in them are."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.review_toml import parse_review_settings
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.review_settings import ReviewSettings

WHOLE = b"""# our rules
[severity]
depends-changed = "high"   # a comment
"source-added" = 'minor'

[official-dependency]
enabled = true
repositories = [
  "core",
  "multilib",
]
"""


def test_a_whole_file_is_read_with_its_lines() -> None:
    settings = parse_review_settings(WHOLE)
    assert settings.severities == {"depends-changed": Severity.HIGH, "source-added": Severity.MINOR}
    assert settings.lines == {"depends-changed": 3, "source-added": 4}
    assert settings.official_repositories == ("core", "multilib")
    assert settings.file == ".ci/review.toml"
    assert parse_review_settings(WHOLE.replace(b"\n", b"\r\n")) == settings


def test_nothing_said_switches_nothing() -> None:
    assert parse_review_settings(b"") == ReviewSettings()
    assert parse_review_settings(b"[severity]\n[official-dependency]\n") == ReviewSettings()


def test_the_rule_about_official_packages_is_off_until_enabled_and_then_means_core_and_extra() -> None:
    assert parse_review_settings(b'[official-dependency]\nrepositories = ["core"]\n').official_repositories == ()
    assert parse_review_settings(b"[official-dependency]\nenabled = true\n").official_repositories == ("core", "extra")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[severity]\nx = "hihg"\n', 2, "x is no severity: 'hihg' (did you mean high?)"),
        (
            '[severity]\n\nx = "HIGH"\n',
            3,
            "x is no severity: 'HIGH' (there are minor, low, medium, high, critical, refuse)",
        ),
        ("[severity]\nx = 3\n", 2, "x is no severity: '3'"),
        ("[severity]\ny = 'low'\nx.z = 'low'\n", 3, "x is no severity"),
        ("# a\n[severty]\nx = 'low'\n", 2, "severty is no setting of reviews (did you mean severity?)"),
        ("severity = 'low'\n", 1, "severity is a table; write [severity]"),
        ("severity.x = 'no'\n", 1, "x is no severity"),
        ("# a\nseverity = {x = 'no'}\n", 2, "x is no severity"),
        (
            "[severity]\nenabled = 'low'\n[official-dependency]\nenabled = 1\n",
            4,
            "enabled is neither true nor false: '1'",
        ),
        ("[official-dependency]\nenable = true\n", 2, "enable is no setting of reviews (did you mean enabled?)"),
        ("[official-dependency]\nrepositories = 'core'\n", 2, "repositories is no list of repositories"),
        ("[official-dependency]\nrepositories = []\n", 2, "repositories is no list of repositories"),
        ("[official-dependency]\nrepositories = ['../core']\n", 2, "repositories names no repository: '../core'"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_review_settings(text.encode())
    assert str(caught.value).startswith(f".ci/review.toml line {line}: {said}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[severity]\nx = high\n", 2),
        (b"[severity]\n\nx = 'low'\nx = 'high'\n", 4),
        (b"\n[severity\n", 2),
        (b"[severity]\nx = ", 2),
        (b"[severity]\nx = '\xff'\n", 2),
        (b"a = 1\nb = [[[", 2),
        (b"x\0=1\n", 1),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(content: bytes, line: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_review_settings(content)
    assert (caught.value.file, caught.value.line) == (".ci/review.toml", line)
    assert "(at " not in str(caught.value)


def test_brackets_without_end_are_no_traceback() -> None:
    with pytest.raises(FormatError):
        parse_review_settings(b"x = " + b"[" * 100_000)
