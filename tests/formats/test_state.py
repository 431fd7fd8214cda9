"""The state branch: as the bash template wrote it, as ci-toolkit writes it, and broken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.state import (
    PendingBuild,
    RepositoryState,
    ReviewRecord,
    format_pending,
    format_reviews,
    format_state,
    parse_package_state,
    parse_pending,
    parse_reviews,
    parse_state,
)
from ci_toolkit.formats.verdicts import format_verdicts, parse_verdicts
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.verdict import Code, Verdict

COMMIT = "c23ad1befa2cdaf9f1c3fc12468f3d3f9feb6397"
OF_THE_TEMPLATE = {
    "86box-git": f"CI_GIT_COMMIT={COMMIT}\n".encode(),
    ".version-state": b"0ad-data:0.28.0-1\n0ad:0.28.0-3\n",
}


def test_the_template_files_come_back_byte_for_byte() -> None:
    state = parse_state(OF_THE_TEMPLATE)
    assert state.package(Pkgbase("86box-git")).git_commit == COMMIT
    written = format_state(state)
    assert {path: written[path] for path in OF_THE_TEMPLATE} == OF_THE_TEMPLATE


def test_unknown_keys_and_comments_survive_a_change() -> None:
    content = f"# mine\nOTHER_TOOL=yes\nCI_GIT_COMMIT={COMMIT}\n".encode()
    state = parse_package_state(content, file="x")
    assert state.to_bytes() == content
    changed = replace(state, git_commit=Oid("1" * 40), pkgbuild_timestamp=5).to_bytes()
    assert changed == f"# mine\nOTHER_TOOL=yes\nCI_GIT_COMMIT={'1' * 40}\nCI_PKGBUILD_TIMESTAMP=5\n".encode()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("CI_GIT_COMMIT=$(reboot)", "CI_GIT_COMMIT"),
        ("CI_PKGBUILD_TIMESTAMP=soon", "CI_PKGBUILD_TIMESTAMP"),
        ("CI_PKGBUILD_TIMESTAMP=-1", "CI_PKGBUILD_TIMESTAMP"),
        ("CI_UPSTREAM_REVISION=a b", "CI_UPSTREAM_REVISION"),
        ("CI_REVIEW_CONTENT=main", "CI_REVIEW_CONTENT"),
        ("CI_HELD_REVISION=soon abc", "CI_HELD_REVISION"),
        ("CI_HELD_REVISION=12", "CI_HELD_REVISION"),
    ],
)
def test_a_broken_file_makes_its_package_unknown_and_no_other(line: str, key: str) -> None:
    state = parse_state({**OF_THE_TEMPLATE, "bad": f"# x\n{line}\n".encode(), "nul": b"\0"})
    assert set(state.unknown) == {"bad", "nul"}
    assert set(state.packages) == {"86box-git"}
    error = state.unknown[Pkgbase("bad")]
    assert isinstance(error, FormatError)
    assert (error.key, error.line, error.file) == (key, 2, "branch state, file bad")


def test_names_that_are_no_package_and_foreign_files_are_passed_over() -> None:
    state = parse_state({"-rf": b"x", ".hidden": b"x", ".pending-schedule/../x": b"x", ".ci-toolkit": b"\0"})
    assert (dict(state.packages), dict(state.pending), state.counter) == ({}, {}, 0)


oids = st.text("0123456789abcdef", min_size=40, max_size=40).map(Oid)
pkgbases = st.from_regex(r"[a-z0-9@_+][a-z0-9@_+-]{0,10}", fullmatch=True).map(Pkgbase)


@given(st.dictionaries(pkgbases, st.tuples(oids, st.none() | oids, st.sampled_from(["bot", "person"])), max_size=5))
def test_review_records_read_back(rows: dict[Pkgbase, tuple[Oid, Oid | None, str]]) -> None:
    records = {
        name: ReviewRecord(pkgbase=name, head=head, content=content, author="bot" if author == "bot" else "person")
        for name, (head, content, author) in rows.items()
    }
    assert parse_reviews(format_reviews(records.values())) == records


@given(st.lists(st.builds(PendingBuild, pkgbase=pkgbases, builder_class=st.none() | st.sampled_from(["1", "big"]))))
def test_pending_schedules_read_back_in_order(builds: list[PendingBuild]) -> None:
    assert parse_pending(format_pending(builds)) == tuple(builds)


def test_acknowledging_takes_off_one_request_only() -> None:
    build = (PendingBuild(pkgbase=Pkgbase("a"), builder_class=None),)
    state = RepositoryState(pending={"0" * 16: build, "1" * 16: build})
    assert set(state.without_pending("0" * 16).pending) == {"1" * 16}
    assert parse_state(format_state(state)).pending == state.pending


@given(st.lists(st.tuples(pkgbases, st.sampled_from(list(Code)), st.text(), st.text()), unique_by=lambda row: row[0]))
def test_verdicts_read_back_whatever_their_text(rows: list[tuple[Pkgbase, Code, str, str]]) -> None:
    verdicts = {name: Verdict(package=name, code=code, why=why, now=now) for name, code, why, now in rows}
    content = format_verdicts(verdicts.values())
    assert content.count(b"\n") == len(verdicts)
    assert parse_verdicts(content) == verdicts


def test_verdicts_of_a_newer_version_are_passed_over() -> None:
    assert parse_verdicts(b'{"package": "a", "code": "of-tomorrow"}\nnonsense\n[]\n\xff\n') == {}


def test_maintainers_are_kept_as_names_and_nobody_as_a_dash() -> None:
    content = b"CI_MAINTAINERS=- Wren alice\nCI_REVIEW_MAINTAINERS=-\n"
    state = parse_package_state(content, file="x")
    assert state.maintainers == frozenset({"-", "alice", "Wren"})
    assert state.review_maintainers == frozenset({"-"})
    assert state.to_bytes() == content
    assert replace(state, maintainers=frozenset(), review_maintainers=None).to_bytes() == b"CI_MAINTAINERS=-\n"
    assert parse_package_state(b"CI_GIT_COMMIT=\n", file="x").maintainers is None


@pytest.mark.parametrize("value", ["$(reboot)", "alice  bob", "-a", "alice,bob", "k\u00e9strel"])
def test_maintainers_that_cannot_be_make_their_package_unknown(value: str) -> None:
    state = parse_state({"bad": f"CI_MAINTAINERS={value}\n".encode()})
    assert state.unknown[Pkgbase("bad")].key == "CI_MAINTAINERS"
