"""What a change of maintainers means, by the names alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.state import ORPHANED
from ci_toolkit.model.finding import Finding, Severity
from ci_toolkit.review.trust import remembered_maintainers, trust_findings

NOBODY: tuple[str, ...] = ()


def people(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(text.split())


def one(seen: str | None, now: tuple[str, ...] | None, **more: object) -> Finding | None:
    found = trust_findings(people(seen), now, frozenset({"kestrel"}), **more)  # type: ignore[arg-type]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("seen", "now", "rule", "severity", "said"),
    [
        ("alice", ("mallory",), "maintainer-changed", Severity.HIGH, "its maintainers were alice and are now mallory"),
        ("alice", ("alice", "mallory"), "maintainer-changed", Severity.HIGH, "are now alice, mallory"),
        ("alice", ("alice", "kestrel"), "maintainer-changed", Severity.HIGH, "are now alice, kestrel"),
        ("alice bob", ("alice",), "maintainer-changed", Severity.LOW, "bob no longer maintains it; alice does"),
        ("-", ("mallory",), "package-adopted", Severity.CRITICAL, "nobody maintained it, and mallory has adopted it"),
        ("", ("mallory",), "package-adopted", Severity.CRITICAL, "nobody maintained it, and mallory has adopted it"),
        (
            "- alice",
            ("Mallory",),
            "package-adopted",
            Severity.CRITICAL,
            "nobody maintained it after alice, and Mallory",
        ),
        ("-", ("wren",), "package-adopted", Severity.HIGH, "wren has adopted it"),
        ("-", ("wren", "eve"), "package-adopted", Severity.CRITICAL, "eve, wren has adopted it"),
        ("- alice bob", ("bob",), "maintainer-changed", Severity.LOW, "alice no longer maintains it"),
        ("alice", NOBODY, "package-orphaned", Severity.MEDIUM, "alice no longer maintains it"),
        ("-", NOBODY, "package-orphaned", Severity.HIGH, "somebody has changed it in between"),
        ("- alice", NOBODY, "package-orphaned", Severity.HIGH, "after alice"),
        ("alice", ("\u212aestrel",), "maintainer-unreadable", Severity.HIGH, "is called"),
        ("alice", ("alice", "a b\n# x"), "maintainer-unreadable", Severity.HIGH, r"'a b\n# x'"),
        ("alice", ("alice", "-"), "maintainer-unreadable", Severity.HIGH, "'-'"),
        ("alice", ("x" * 500,), "maintainer-unreadable", Severity.HIGH, "…"),
        ("alice", ("a\ud800",), "maintainer-unreadable", Severity.HIGH, "is called"),
    ],
)
def test_other_people_are_a_finding(seen: str, now: tuple[str, ...], rule: str, severity: Severity, said: str) -> None:
    found = one(seen, now, known=frozenset({"alice", "wren"}), had_record=True)
    assert found is not None
    assert (found.rule, found.severity) == (rule, severity)
    assert said in found.text
    assert found.text.isprintable()


@pytest.mark.parametrize(
    ("seen", "now"),
    [
        ("alice", ("alice",)),
        ("Alice bob", ("BOB", "alice")),
        ("- alice", ("alice",)),
        ("alice", None),
        ("alice", ("Kestrel",)),
        ("-", ("kestrel",)),
        (None, ("mallory",)),
        (None, NOBODY),
    ],
    ids=["same", "case", "back-again", "not-told", "trusted", "trusted-adopter", "first-sight", "first-orphan"],
)
def test_the_same_people_trusted_ones_and_a_first_sight_are_none(seen: str | None, now: tuple[str, ...] | None) -> None:
    assert one(seen, now) is None


def test_who_was_never_seen_is_a_finding_once_something_was_known_of_the_package() -> None:
    known = frozenset({"alice"})
    assert one(None, ("Alice",), known=known, had_record=True) is None
    found = one(None, ("alice", "mallory"), known=known, had_record=True)
    assert found is not None
    assert found.rule == "maintainer-unseen"
    assert "mallory maintains it" in found.text
    orphan = one(None, NOBODY, known=known, had_record=True)
    assert orphan is not None
    assert orphan.rule == "package-orphaned"


names = st.sampled_from(["alice", "bob", "mallory", "eve"])


@given(st.lists(st.tuples(st.frozensets(names, max_size=2), st.booleans()), max_size=12))
def test_whoever_was_not_accepted_is_a_finding_however_long_he_has_been_there(
    history: list[tuple[frozenset[str], bool]],
) -> None:
    """A history of who maintains it, and whether a revision was accepted then."""
    seen: frozenset[str] | None = frozenset({"alice"})
    accepted = frozenset({"alice"})
    for now, was_accepted in history:
        found = trust_findings(seen, tuple(now), frozenset())
        assert bool(found) == (now != accepted or not now)
        seen = remembered_maintainers(seen, tuple(now), accepted=was_accepted)
        accepted = now if was_accepted else accepted
        assert seen is not None
        assert seen - {ORPHANED} == accepted


def test_what_is_not_told_or_cannot_be_changes_nothing_that_is_remembered() -> None:
    alice = frozenset({"alice"})
    for now in (None, ("a b",), ("alice", "")):
        assert remembered_maintainers(alice, now, accepted=True) == alice
        assert remembered_maintainers(None, now, accepted=True) is None
    assert remembered_maintainers(None, NOBODY, accepted=True) == frozenset({ORPHANED})
    assert remembered_maintainers(None, ("alice",), accepted=False) is None
    assert remembered_maintainers(alice, NOBODY, accepted=False) == frozenset({ORPHANED, "alice"})
