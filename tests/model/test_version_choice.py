"""Which tag is an upstream's newest version."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.version import is_version_text
from ci_toolkit.model.version_choice import (
    LENGTH_MAX,
    RULES_WITHOUT_FILTER,
    Candidate,
    Rule,
    choose_version,
    version_in,
)

COUNTS = [
    # tag, current, version
    ("1.5.0", "1.4.2", "1.5.0"),
    ("v1.5.0", "1.4.2", "1.5.0"),
    ("V1.5.0", "1.4.2", "1.5.0"),
    ("release-1.5.0", "1.4.2", "1.5.0"),
    ("rel_1.5.0", "1.4.2", "1.5.0"),
    ("release_1.5.0", "1.4.2", "1.5.0"),
    ("release-v1.5.0", "1.4.2", "1.5.0"),
    ("release/1.5.0", "1.4.2", "1.5.0"),
    ("foo-bar-1.5.0", "1.4.2", "1.5.0"),
    ("foo/v1.5.0", "1.4.2", "1.5.0"),
    ("@scope/foo/1.5.0", "1.4.2", "1.5.0"),
    ("2.0", "1.4.2", "2.0"),
    ("1.4.2.1.1", "1.4.2", "1.4.2.1.1"),
    ("1.2rc1", "1.2rc0", "1.2rc1"),
    ("1.2", "1.2rc0", "1.2"),
    ("1.2-4", "1.2_3", "1.2_4"),
    ("v1.2.3-4", "1.2.2_9", "1.2.3_4"),
    ("1_3", "1_2", "1_3"),
    ("r13", "r12", "r13"),
    ("v1.3", "v1.2", "v1.3"),
    ("foo-r13", "r12", "r13"),
    ("20250101", "20190101", "20250101"),
    ("2025.01.01", "2019.12.31", "2025.01.01"),
    ("999", "0.1", "999"),
    ("5000.1", "5.1", "5000.1"),
    ("1.0+5", "1.0+4", "1.0+5"),
]
COUNTS_NOT = [
    # tag, current, why
    ("1.2rc1", "1.1", "a word that the version has not"),
    ("1.3-beta", "1.1", "a hyphen, and a word"),
    ("1.3.beta", "1.1", "a word"),
    ("2.0.dev3", "1.1", "a word"),
    ("1.2a", "1.2", "a letter"),
    ("1.3beta", "1.2rc0", "another word than the version has"),
    ("1.3-4", "1.2", "a hyphen, where the version has nothing"),
    ("1-2.4", "1.2_3", "a hyphen, where the version has a dot"),
    ("1_3", "1.2", "a separator that the version has not"),
    ("1.3+1", "1.2", "a separator that the version has not"),
    ("beta-1.3", "1.2", "a prefix that says it is none"),
    ("foo-rc-1.3", "1.2", "a prefix that says it is none"),
    ("Nightly/1.3", "1.2", "a prefix that says it is none"),
    ("gtk4-1.3", "1.2", "a prefix with a digit"),
    ("foo1.3", "1.2", "a prefix without an end"),
    ("version1.3", "1.2", "a prefix without an end"),
    ("1.3", "r12", "a version that begins otherwise"),
    ("r13", "1.2", "a version that begins otherwise"),
    ("main", "1.2", "no number"),
    ("latest", "latest", "no number"),
    ("v", "1.2", "no number"),
    ("", "1.2", "nothing"),
    ("20190101", "1.4.2", "a date in place of a count"),
    ("2019.01.01", "1.4.2", "a date in place of a count"),
    ("1.5.0.0.0.1", "1.4.2", "three numbers more"),
    ("5001.1", "5.1", "a first number of more than a thousand times the old one"),
    ("1001", "0.1", "likewise"),
    ("1.3~1", "1.2", "a character that does not belong there"),
    ("1:1.3", "1.2", "an epoch"),
    ("1." + "3" * 63, "1.2", "too long"),
    ("a/" * 100 + "1.3", "1.2", "too long"),
    ("../../1.3", "1.2", "a way out"),
    ("v1..3", "1.2", "a way out"),
    ("$(x)1.3", "1.2", "a command"),
    ("$(x)-1.3", "1.2", "a command"),
    ("1.3$(x)", "1.2", "a command"),
    ("1.3;x", "1.2", "a command"),
    ("`x`/1.3", "1.2", "a command"),
    ("1.3\n", "1.2", "a line end"),
    ("\n1.3", "1.2", "a line end"),
    ("1.3 ", "1.2", "a blank"),
    ("v1.3\x00", "1.2", "a control character"),
    ("１.３", "1.2", "digits beyond ASCII"),
    ("v1.3\u202e", "1.2", "a character that cannot be seen"),
    ("-1.3", "1.2", "an option"),
    ("--1.3", "1.2", "an option"),
    ("/1.3", "1.2", "a path"),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "current", "version"), COUNTS)
def test_tags_that_count(tag: str, current: str, version: str) -> None:
    assert version_in(tag, current=current) == version


@pytest.mark.parametrize(("tag", "current"), [row[:2] for row in COUNTS_NOT], ids=[f"{row[2]} {i}" for i, row in enumerate(COUNTS_NOT)])  # fmt: skip
def test_tags_that_do_not_count(tag: str, current: str) -> None:
    assert version_in(tag, current=current) is None


BROKEN = {
    "is harmless in a PKGBUILD": ("1..3", "1.2"),
    "is letters, digits and . _ + only": ("1~3", "1~2"),
    "is short": ("1." + "3" * LENGTH_MAX, "1.2"),
    "has a number": ("a", "a"),
    "begins alike": ("r1.3", "1.2r"),
    "has no new words": ("1.3rc1", "1.2"),
    "has no new separators": ("1_3", "1.2"),
    "has about as many numbers": ("1.2.3.4", "1"),
    "has a first number of about that size": ("20190101", "1"),
}


@pytest.mark.parametrize("rule", RULES_WITHOUT_FILTER, ids=lambda rule: rule.says)
def test_each_rule_refuses_something(rule: Rule) -> None:
    assert not rule.holds(*BROKEN[rule.says])
    assert rule.holds("1.3", "1.2")


def test_every_rule_has_its_pair() -> None:
    assert [rule.says for rule in RULES_WITHOUT_FILTER] == list(BROKEN)


@pytest.mark.parametrize(
    ("tag", "pattern", "version"),
    [
        ("foo-1.3", "^foo-", "1.3"),
        ("bar-1.3", "^foo-", None),
        ("foo4-1.3", "^foo4-(.*)$", "1.3"),
        ("foo4-1.3", "^foo4-", None),
        ("1.3-final", "^([0-9.]+)-final$", "1.3"),
        ("1.3-4", "^(.*)$", None),
        ("1.3rc1", "^(.*)$", None),
        ("20190101", "^(20[0-9]{6})$", "20190101"),
        ("20190101", "^20[0-9]{6}$", "20190101"),
        ("1.3", "(x)?1", None),
        ("$(x)", "(.*)", None),
        ("../../x", "(.*)", None),
        ("1.3\nx", "([0-9.]+)", None),
        ("x" * 1000 + "1.3", "([0-9.]+)", None),
    ],
)
def test_a_filter_decides_and_its_group_is_the_version(tag: str, pattern: str, version: str | None) -> None:
    assert version_in(tag, current="1.2", pattern=re.compile(pattern)) == version


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["v1.9", "v1.10", "v1.2"], ("v1.10", "1.10")),
        (["v1.0"], ("v1.0", "1.0")),
        (["v2.0rc1", "v1.4", "20190101", "nightly"], ("v1.4", "1.4")),
        (["release-1.4", "v1.4", "1.4"], ("1.4", "1.4")),
        (["main"], None),
        ([], None),
    ],
)
def test_the_newest_is_chosen(tags: list[str], expected: tuple[str, str] | None) -> None:
    chosen = Candidate(tag=expected[0], version=expected[1]) if expected else None
    assert choose_version(tags, current="1.2") == chosen
    assert choose_version(reversed(tags), current="1.2") == chosen


def test_of_equal_tags_the_one_known_before_is_taken() -> None:
    tags = ["1.4", "v1.4", "release-1.4"]
    assert choose_version(tags, current="1.2", preferred={"v1.4"}) == Candidate(tag="v1.4", version="1.4")
    newer = choose_version([*tags, "v1.5"], current="1.2", preferred={"v1.4"})
    assert newer == Candidate(tag="v1.5", version="1.5")


@given(st.text(max_size=30), st.text(max_size=100), st.sampled_from([None, re.compile("(.*)"), re.compile("[0-9]")]))
def test_whatever_comes_out_is_harmless(tag: str, current: str, pattern: re.Pattern[str] | None) -> None:
    version = version_in(tag, current=current, pattern=pattern)
    assert version is None or (is_version_text(version) and len(version) <= LENGTH_MAX)


def test_a_current_version_of_any_length_is_no_trouble() -> None:
    assert version_in("1.3", current="9" * 10_000) == "1.3"


def test_ten_thousand_tags_are_looked_through_quickly() -> None:
    tags = [f"v1.{number}" for number in range(10_000)] + ["v" * 200, "-" * 200, "a-" * 100]
    started = time.process_time()
    assert choose_version(tags, current="1.2") == Candidate(tag="v1.9999", version="1.9999")
    assert time.process_time() - started < 5
