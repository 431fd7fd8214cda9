"""What people and machines read after a run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.formats.state import PackageState, PendingBuild, RepositoryState, ReviewRecord, parse_state
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.plan import DroppedReview
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.reports.explanation import explain_json, explain_text
from ci_toolkit.reports.progress import progress
from ci_toolkit.reports.report import report_json, write_report
from ci_toolkit.reports.review_list import ReviewRow, reviews_text
from ci_toolkit.reports.surroundings import Place, Surroundings, detect
from ci_toolkit.scheduling.schedule import Schedule
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from pathlib import Path

OID = Oid("1" * 40)
EMPTY = Schedule(request="0" * 16, commit=OID, builds=(), deptree=())
VERDICTS = (
    Verdict(package="same", code=Code.UNCHANGED, why="its upstream has not moved"),
    Verdict(package="foo", code=Code.APPLIED, why="only the version changes", now="is built", old="1-1", new="2-1"),
    Verdict(package="a-git", code=Code.UNREACHABLE, why="no connection", now="stays due"),
)


def outcome(*verdicts: Verdict, **more: object) -> Outcome:
    builds = (
        PendingBuild(pkgbase=Pkgbase("foo"), builder_class="2"),
        PendingBuild(pkgbase=Pkgbase("bar"), builder_class=None),
    )
    schedule = replace(EMPTY, builds=builds) if verdicts else EMPTY
    base = Outcome(
        pipeline="on-schedule",
        dry_run=False,
        base=OID,
        head=OID,
        verdicts=verdicts,
        schedule=schedule,
        effort={"seconds": 2},
    )
    return replace(base, **more)  # type: ignore[arg-type]  # fields by name


def written(value: Outcome, place: Place, width: int = 100, page: Path | None = None) -> str:
    stream = io.StringIO()
    environ = {"GITHUB_STEP_SUMMARY": str(page)} if page else {}
    write_report(
        value, stream=stream, surroundings=Surroundings(place=place, width=width), environ=environ, now_s=1_700_000_000
    )
    return stream.getvalue()


def test_plain_lines_stand_in_columns_failures_first() -> None:
    assert written(outcome(*VERDICTS), Place.PLAIN) == (
        "due      a-git             no connection; stays due\n"
        "updated  foo    1-1 → 2-1  only the version changes; is built\n"
        "2 builds in this order: foo/2, bar\n"
        "on-schedule: 3 packages: 1 updated, 1 due, 1 unchanged (2 s)\n"
    )


def test_nothing_to_say_is_one_line() -> None:
    quiet = outcome(VERDICTS[0], schedule=EMPTY)
    for place in (Place.PLAIN, Place.TERMINAL):
        assert written(quiet, place) == "on-schedule: 1 package: 1 unchanged (2 s)\n"


def test_a_dry_run_says_so() -> None:
    assert written(outcome(*VERDICTS, dry_run=True), Place.PLAIN).endswith("dry run, nothing was changed\n")


def test_further_problems_stand_below_their_row() -> None:
    verdict = replace(VERDICTS[1], problems=("its .SRCINFO is broken",))
    assert "\n    its .SRCINFO is broken\n" in written(outcome(verdict), Place.PLAIN)


def test_an_outage_that_hits_very_many_packages_is_one_row_that_counts_them() -> None:
    down = [replace(VERDICTS[2], package=f"p{number:03}") for number in range(40)]
    text = written(outcome(*down, VERDICTS[1], schedule=EMPTY), Place.PLAIN)
    assert text.count("no connection") == 1
    assert "40 packages" in text
    assert "p000, p001" in text
    assert "and 28 more" in text
    assert "40 due" in text
    assert len(json.loads(report_json(outcome(*down)))["verdicts"]) == 40


def test_removed_reviews_are_listed_by_reason() -> None:
    gone = tuple(
        DroppedReview(pkgbase=Pkgbase(f"p{number}"), head=OID, reason="it has been merged") for number in range(3)
    )
    text = written(outcome(dropped_reviews=gone), Place.PLAIN)
    assert "3 review branches removed because it has been merged: update-p0, update-p1, update-p2\n" in text
    assert "would be removed" in written(outcome(dropped_reviews=gone[:1], dry_run=True), Place.PLAIN)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_fits_the_terminal(width: int) -> None:
    text = written(outcome(*VERDICTS), Place.TERMINAL, width)
    assert "package" in text
    assert "foo" in text
    assert max(map(len, text.split("\n"))) <= width


def test_gitlab_gets_sections() -> None:
    text = written(outcome(*VERDICTS), Place.GITLAB)
    assert "\x1b[0Ksection_start:1700000000:packages\r\x1b[0K2 packages to report\n" in text
    assert "section_start:1700000000:schedule[collapsed=true]" in text
    assert text.count("section_start") == text.count("section_end") == 3


def test_github_gets_groups_annotations_and_a_page(tmp_path: Path) -> None:
    page = tmp_path / "summary"
    text = written(outcome(*VERDICTS), Place.GITHUB, page=page)
    assert "::error title=a-git::no connection; stays due\n" in text
    assert text.count("::group::") == text.count("::endgroup::") == 2
    assert "| foo | updated | 1-1 → 2-1 | only the version changes; is built | is built |" in page.read_text()


def test_github_shows_ten_annotations_and_a_page_of_bounded_size(tmp_path: Path) -> None:
    many = [replace(VERDICTS[2], package=f"p{number}", why="x" * 280) for number in range(4_000)]
    page = tmp_path / "summary"
    many = [replace(verdict, new="1") for verdict in many]
    assert written(outcome(*many), Place.GITHUB, page=page).count("::error") == 10
    assert page.stat().st_size < 1 << 20
    assert "more packages are in the job's log" in page.read_text()


HOSTILE = "x\n::error::pwn\r\x1b[31m\x1b]0;t\x07\u202e|`<script>\x00%0A"


@pytest.mark.parametrize("place", list(Place))
def test_text_from_strangers_stays_text(place: Place, tmp_path: Path) -> None:
    verdict = Verdict(
        package=HOSTILE, code=Code.REFUSED, why=HOSTILE, now=HOSTILE, old=HOSTILE, new=HOSTILE, problems=(HOSTILE,)
    )
    value = outcome(verdict, notes=(HOSTILE,), review_notes=(HOSTILE,), handed_over=HOSTILE)
    page = tmp_path / "page"
    text = written(value, place, page=page)
    expected = {"::error title=": 1, "::error": 1} if place is Place.GITHUB else {}
    commands = [line for line in text.split("\n") if line.startswith("::error")]
    assert len(commands) == expected.get("::error", 0)
    assert "\x1b[31m" not in text
    assert "\x1b]0" not in text
    assert "\u202e" not in text
    assert "\x00" not in text
    if place is Place.GITHUB:
        assert "<script>" not in page.read_text()
        assert page.read_text().count("\n| ") == 3, "a header, a rule and one row"


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(list(Code)))
def test_no_text_makes_a_line_of_its_own(text: str, code: Code) -> None:
    verdict = Verdict(package="p", code=code, why=f"why {text}", now=text, old=text, new=text)
    plain = written(outcome(verdict, schedule=EMPTY), Place.PLAIN)
    assert plain.count("\n") == (1 if verdict.weight.value == "quiet" else 2)
    assert all(character.isprintable() or character == "\n" for character in plain)


def test_json_is_for_machines() -> None:
    value = json.loads(report_json(outcome(*VERDICTS)))
    assert value["summary"] == {"unchanged": 1, "applied": 1, "unreachable": 1}
    assert value["verdicts"][1] == {
        "package": "foo",
        "code": "applied",
        "from": "1-1",
        "to": "2-1",
        "why": "only the version changes",
        "now": "is built",
    }
    assert value["schedule"]["builds"] == [{"package": "foo", "class": "2"}, {"package": "bar", "class": None}]
    assert value["failed"] is True
    assert report_json(outcome(Verdict(package="ü", code=Code.APPLIED, why="ü"))).isascii()


def test_surroundings_are_recognised() -> None:
    stream = io.StringIO()
    assert detect({"GITLAB_CI": "true"}, stream).place is Place.GITLAB
    assert detect({"GITHUB_ACTIONS": "true"}, stream).place is Place.GITHUB
    assert detect({}, stream).place is Place.PLAIN

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert detect({"COLUMNS": "77"}, Screen()) == Surroundings(place=Place.TERMINAL, width=77, colours=True)
    assert detect({"NO_COLOR": "1"}, Screen()).colours is False
    assert detect({"TERM": "dumb"}, Screen()).place is Place.PLAIN


def test_progress_in_a_log_is_silent_when_short_and_rare_when_long() -> None:
    stream, clock = io.StringIO(), QuickClock()
    with progress(100, stream=stream, surroundings=Surroundings(place=Place.PLAIN), clock=clock) as done:
        for number in range(100):
            if number == 50:
                assert stream.getvalue() == ""
                clock.sleep(11)
            done(f"p{number}")
    assert stream.getvalue() == "asked 51 of 100 upstreams\n"


def test_an_explanation_says_what_is_remembered() -> None:
    state = parse_state(
        {"foo": b"CI_PKGBUILD_TIMESTAMP=0\n", ".ci-toolkit": f"STATE_COUNTER=7\nSTATE_BASE={OID}\n".encode()}
    )
    record = ReviewRecord(pkgbase=Pkgbase("foo"), head=OID, content=None, author="person")
    text = explain_text(Pkgbase("foo"), VERDICTS[1], state, record)
    assert text.startswith("foo: updated, 1-1 → 2-1 [applied]\n  because only the version changes\n")
    assert "1970-01-01 00:00 UTC" in text
    assert "update-foo at 1111111111, committed to by people too" in text
    assert "run 7" in text
    assert "recorded anything" in explain_text(Pkgbase("bar"), None, RepositoryState(), None)
    assert json.loads(explain_json(Pkgbase("foo"), VERDICTS[1], state, record))["review"]["author"] == "person"
    huge = RepositoryState(packages={Pkgbase("foo"): PackageState(pkgbuild_timestamp=10**11 * 9)})
    assert "900000000000 s since 1970" in explain_text(Pkgbase("foo"), None, huge, None)


def test_the_list_of_reviews_tells_how_to_go_on() -> None:
    assert reviews_text([], "main", "origin") == "no reviews are open\n"
    row = ReviewRow(package="foo", branch="update-foo", head=OID, standing="waits for a review", details=(HOSTILE,))
    text = reviews_text([row], "main", "origin")
    assert "git diff main...origin/update-foo" in text
    assert "\x1b" not in text
