"""The life of reviews, at each of the services on loopback: what a person sees there after each run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.client import ReviewOptions, ReviewText
from ci_toolkit.forges.lifecycle import show_reviews
from ci_toolkit.forges.marker import Marker, parse_marker, with_marker
from ci_toolkit.forges.spec import WantedReview
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Oid, Pkgbase, review_branch
from ci_toolkit.model.plan import DroppedReview
from tests.support.forge_stands import KINDS, Seen, Stand, open_stand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeReport
    from ci_toolkit.formats.forge_memory import ForgeRecord

# Merging by itself is told in other words by each, and tested with each client.
ONLY_GITLAB = pytest.mark.parametrize("stand", ["gitlab"], indirect=True)
OPTIONS = ReviewOptions(labels=("ci", "human-review", "update"))


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


class Life:
    """Runs against one service, each remembering what the last one left."""

    def __init__(self, stand: Stand, top: Path) -> None:
        self.stand = stand
        self.top = top
        self.calls: int | None = None
        self.service = stand.service
        self.memory: dict[Pkgbase, ForgeRecord] = {}
        self.auto_merge: Severity | None = None
        self.options = OPTIONS

    def wanted(self, name: str = "foo", content: int = 1, **more: object) -> WantedReview:
        """A review, whose branch is pushed to the service."""
        head = oid(content + 1000)
        self.service.add_branch(review_branch(Pkgbase(name)), head)
        wanted = WantedReview(
            pkgbase=Pkgbase(name),
            branch=f"update-{name}",
            target="main",
            head=head,
            content=oid(content),
            severity=Severity.HIGH,
            pushed=True,
            describe=lambda: ReviewText(title=f"chore(update): {name}", body=f"content {content}"),
            since=lambda _: f"now content {content}",
        )
        return replace(wanted, **more)  # type: ignore[arg-type]  # fields by name

    def run(self, *wanted: WantedReview, dropped: Sequence[DroppedReview] = ()) -> ForgeReport:
        """One run; `calls` limits how many calls it gets to make before it is killed."""
        with self.stand.connect(self.top) as connected:
            client = connected if self.calls is None else cast("ReviewClient", _DyingClient(connected, self.calls))
            report = show_reviews(
                client, wanted, dropped, memory=self.memory, options=self.options, auto_merge=self.auto_merge
            )
        self.memory = dict(report.memory)
        return report

    def drop(self, name: str, reason: str) -> DroppedReview:
        self.service.remove_branch(f"update-{name}")
        return DroppedReview(pkgbase=Pkgbase(name), head=oid(1), reason=reason)

    @property
    def only(self) -> Seen:
        [one] = self.stand.reviews()
        return one

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.stand.reviews()]

    def shown(self, branch: str) -> Seen:
        """The newest one of a branch, if all before it are closed."""
        *before, newest = [one for one in self.stand.reviews() if one.branch == branch]
        assert {one.state for one in before} <= {"closed", "merged"}
        return newest


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with open_stand(request.param) as running:
        yield running


@pytest.fixture
def life(stand: Stand, tmp_path: Path) -> Life:
    return Life(stand, tmp_path)


def test_a_new_review_is_opened_with_its_labels_and_a_marker(life: Life) -> None:
    report = life.run(life.wanted())
    assert life.only.title == "chore(update): foo"
    assert life.only.body.startswith("content 1\n")
    assert parse_marker(life.only.body) == Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1001))
    assert life.only.labels == ["ci", "human-review", "update"]
    assert report.notes == (f"foo: opened {life.only.url}",)
    assert report.problems == ()


def test_a_second_run_asks_once_and_writes_nothing(life: Life) -> None:
    life.run(life.wanted(), life.wanted("bar", 2))
    life.stand.forget_asked()
    report = life.run(life.wanted(), life.wanted("bar", 2))
    assert life.stand.asked() == [life.stand.listing]
    assert report.notes == ()


def test_without_its_memory_a_run_finds_everything_again(life: Life) -> None:
    life.run(life.wanted())
    before = life.memory
    life.memory = {}
    life.stand.forget_asked()
    life.run(life.wanted())
    assert life.stand.written() == []
    assert life.memory == before


def test_when_upstream_moves_the_review_is_updated_in_place_and_says_so_once(life: Life) -> None:
    life.run(life.wanted())
    life.run(life.wanted(content=2))
    life.run(life.wanted(content=2))
    assert life.only.body.startswith("content 2\n")
    assert life.only.comments == ["now content 2"]


def test_what_a_person_closed_stays_closed_until_the_content_changes(life: Life) -> None:
    life.run(life.wanted())
    life.service.close_by_person(1)
    said = life.run(life.wanted())
    assert "closed by a person" in said.notes[0]
    life.stand.forget_asked()
    quiet = life.run(life.wanted())
    assert quiet.notes == ()
    assert len(life.stand.asked()) == 1, "it is remembered"
    life.memory = {}
    life.run(life.wanted())
    assert life.only.state == "closed", "without memory as well"
    life.run(life.wanted(content=2))
    now = life.shown("update-foo")
    assert (now.state, now.body.endswith("-->"), "content 2\n" in now.body) == ("open", True, True)
    assert now.comments == (["now content 2"] if life.stand.reopens else [])


def test_one_that_was_closed_before_markers_stays_closed_while_its_branch_stands_still(life: Life) -> None:
    wanted = life.wanted()
    life.stand.add_review("update-foo", "by hand", state="closed")
    life.run(wanted)
    assert life.states == ["closed"]
    life.run(life.wanted(content=2))
    assert life.shown("update-foo").state == "open"


def test_one_that_cannot_be_reopened_is_replaced_by_one_that_names_it(life: Life) -> None:
    life.run(life.wanted())
    life.service.close_by_person(1)
    life.stand.refuse_edits(1, 422)
    life.run(life.wanted(content=2))
    [first, second] = life.stand.reviews()
    assert (first.state, second.state) == ("closed", "open")
    assert f"This takes the place of {first.url}." in second.body


def test_a_dropped_review_is_closed_with_the_reason(life: Life) -> None:
    life.run(life.wanted())
    report = life.run(dropped=[life.drop("foo", "a newer update has been applied")])
    assert life.only.state == "closed"
    assert life.only.comments == ["Closed by ci-toolkit, because a newer update has been applied."]
    assert report.notes == (f"update-foo: closed {life.only.url}, because a newer update has been applied",)
    assert life.memory == {}


def test_what_ci_toolkit_closed_itself_is_opened_again_with_the_very_same_content(life: Life) -> None:
    life.run(life.wanted())
    life.run(dropped=[life.drop("foo", "it equals the default branch")])
    life.run(life.wanted())
    assert life.only.state == "open"


def test_what_lost_its_branch_in_a_run_that_died_was_closed_by_no_person(life: Life) -> None:
    life.run(life.wanted())
    life.drop("foo", "that run died after this")
    report = life.run()
    assert "closed" in report.notes[0]
    assert life.only.comments == ["Closed by ci-toolkit, because its branch is gone or is no review any more."]
    assert (life.only.state, life.memory) == ("closed", {})
    life.run(life.wanted())
    assert life.only.state == "open"


def test_a_merged_review_is_not_touched_when_its_branch_is_dropped(life: Life) -> None:
    life.run(life.wanted())
    life.service.merge_by_person(1)
    life.stand.forget_asked()
    life.run(dropped=[life.drop("foo", "it has been merged")])
    assert life.stand.written() == []
    assert life.only.state == "merged"


def test_one_that_is_merged_while_the_run_goes_on_gets_no_successor_but_new_content_does(life: Life) -> None:
    life.run(life.wanted())
    life.service.merge_by_person(1)
    life.run(life.wanted())
    assert life.states == ["merged"]
    life.run(life.wanted(content=2))
    assert life.states == ["merged", "open"]


def test_a_review_of_ours_whose_branch_is_gone_is_closed_and_those_of_people_are_not(life: Life) -> None:
    life.run(life.wanted())
    life.service.add_branch("update-readme", oid(7))
    life.stand.add_review("update-readme", "by hand")
    life.service.add_branch("feature", oid(8))
    stolen = with_marker("text", Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1)))
    life.stand.add_review("feature", stolen)
    life.memory = {}
    life.run()
    assert life.states == ["closed", "open", "open"]
    assert life.service.comments(1) == ["Closed by ci-toolkit, because its branch is gone or is no review any more."]


def test_one_that_the_bash_template_opened_is_taken_over(life: Life) -> None:
    wanted = life.wanted()
    life.stand.add_review("update-foo", "human review!")
    life.run(wanted)
    assert life.only.title == "chore(update): foo"
    assert life.only.body.startswith("content 1\n")
    assert life.only.comments == []


def test_merge_requests_of_forks_and_to_other_branches_are_none_of_ours(life: Life) -> None:
    wanted = life.wanted()
    marker = Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1001))
    life.stand.add_review("update-foo", with_marker("evil", marker), is_foreign=True)
    life.stand.add_review("update-foo", "backport", target="stable")
    life.run(wanted)
    assert [one.body.split("\n")[0] for one in life.stand.reviews()] == ["evil", "backport", "content 1"]


def test_of_two_of_ours_for_one_branch_the_newer_is_closed(life: Life) -> None:
    wanted = life.wanted()
    life.run(wanted)
    life.stand.add_review("update-foo", life.only.body)
    life.run(wanted)
    assert life.states == ["open", "closed"]


def test_where_people_have_committed_text_and_word_are_theirs(life: Life) -> None:
    life.run(life.wanted())
    life.stand.write_body(1, "my own words")
    theirs = life.wanted(content=2, by_people=True)
    life.run(theirs)
    assert life.only.body == "my own words"
    life.service.close_by_person(1)
    life.run(theirs)
    life.run(replace(theirs, content=oid(3)))
    assert life.only.state == "closed"


def test_a_branch_of_people_that_was_never_shown_is_not_opened(life: Life) -> None:
    life.run(life.wanted(by_people=True))
    assert life.stand.reviews() == []


def test_a_description_a_person_wrote_below_is_left_while_nothing_moves(life: Life) -> None:
    life.run(life.wanted())
    life.stand.write_body(1, f"{life.only.body}\n\nlooks fine to me")
    life.run(life.wanted())
    assert life.only.body.endswith("looks fine to me")


def test_one_failure_stops_no_other_review(life: Life) -> None:
    life.run(life.wanted("bbb", 2))
    life.stand.refuse_edits(1, 403)
    report = life.run(life.wanted("aaa", 1), life.wanted("bbb", 5), life.wanted("ccc", 3))
    assert [one.branch for one in life.stand.reviews()] == ["update-bbb", "update-aaa", "update-ccc"]
    [problem] = report.problems
    assert re.match("bbb: updating [!#]1: 127.0.0.1 answers 403: it failed .the token needs ", problem)
    life.stand.recover()
    assert life.run(life.wanted("aaa", 1), life.wanted("bbb", 5), life.wanted("ccc", 3)).problems == ()
    assert life.stand.reviews()[0].body.startswith("content 5\n")


def test_a_service_that_refuses_everything_is_not_asked_a_thousand_times(life: Life) -> None:
    life.stand.break_down(403, method="POST ")
    report = life.run(*(life.wanted(f"p{number:04}", number) for number in range(1, 1001)))
    assert len(life.stand.written()) < 10
    assert report.problems[-1] == "995 more reviews were not tried; the next run does"


def test_a_listing_that_fails_changes_nothing_and_keeps_what_was_known(life: Life) -> None:
    life.run(life.wanted())
    before = life.memory
    life.stand.break_down(500, method="GET ")
    report = life.run(life.wanted(content=2), life.wanted("bar", 3))
    assert life.memory == before
    assert "reviews are not shown: listing open " in report.problems[0]
    life.stand.recover()
    life.run(life.wanted(content=2), life.wanted("bar", 3))
    assert life.states == ["open", "open"]


def test_a_run_that_died_between_any_two_calls_is_completed_by_the_next(life: Life) -> None:
    """The calls of a busy run, of which each in turn is the last one that is carried out."""
    for calls in range(1, 20):
        start = [life.wanted(name, number) for number, name in enumerate(("moves", "declined", "goes", "again"), 1)]
        life.stand.forget_reviews()
        life.stand.recover()
        life.memory = {}
        life.run(*start)
        for one in life.stand.reviews():
            if one.branch in ("update-declined", "update-again"):
                life.service.close_by_person(one.number)
        wanted = [life.wanted("moves", 11), start[1], life.wanted("again", 14), life.wanted("new", 15)]
        life.calls = calls
        memory = dict(life.memory)
        try:
            life.run(*wanted, dropped=[life.drop("goes", "it is gone")])
            died = False
        except _KilledError:
            died = True
        life.calls = None
        life.memory = memory
        life.run(*wanted)
        for name, state, content in (
            ("moves", "open", "content 11\n"),
            ("declined", "closed", "content 2\n"),
            ("goes", "closed", "content 3\n"),
            ("again", "open", "content 14\n"),
            ("new", "open", "content 15\n"),
        ):
            one = life.shown(f"update-{name}")
            assert (one.state, content in one.body) == (state, True), f"{name}: killed after {calls} calls"
        assert len(life.stand.reviews()) == (5 if life.stand.reopens else 6)
        if not died:
            assert calls > 8
            return
    pytest.fail("it never got to its end")


class _KilledError(BaseException):
    """The process is gone."""


class _DyingClient:
    """Passes calls on until it has passed so many."""

    def __init__(self, client: ReviewClient, calls: int) -> None:
        self._client = client
        self._left = calls

    def __getattr__(self, name: str) -> object:
        real = getattr(self._client, name)

        def call(*arguments: object) -> object:
            if not self._left:
                raise _KilledError
            self._left -= 1
            return real(*arguments)

        return call


@ONLY_GITLAB
def test_only_up_to_the_configured_severity_reviews_merge_themselves(life: Life) -> None:
    life.auto_merge = Severity.LOW
    low, high = life.wanted("low", 1, severity=Severity.LOW), life.wanted("high", 2)
    life.run(low, high)
    assert not any(one.auto_merge for one in life.service.merge_requests), "there is no pipeline yet"
    for one in life.service.merge_requests:
        one.pipeline = "running"
    life.run(low, high)
    assert [one.source for one in life.service.merge_requests if one.auto_merge] == ["update-low"]
    life.stand.forget_asked()
    life.run(low, high)
    assert life.stand.written() == []


@ONLY_GITLAB
def test_a_branch_that_moved_since_is_not_merged(life: Life) -> None:
    life.auto_merge = Severity.LOW
    low = life.wanted("low", 1, severity=Severity.LOW)
    life.run(low)
    life.service.merge_request(1).pipeline = "running"
    life.service.add_branch("update-low", oid(99))
    life.run(low)
    assert not life.service.merge_request(1).auto_merge


@ONLY_GITLAB
def test_by_default_nothing_merges_itself(life: Life) -> None:
    low = life.wanted("low", 1, severity=Severity.MINOR)
    life.run(low)
    life.service.merge_request(1).pipeline = "success"
    life.run(low)
    assert not life.service.merge_request(1).auto_merge


def test_a_text_that_cannot_be_made_is_one_reviews_failure(life: Life) -> None:
    def unreadable() -> ReviewText:
        raise ForgeError("its branch cannot be read")

    report = life.run(life.wanted("aaa", 1, describe=unreadable), life.wanted("bbb", 2))
    assert report.problems == ("aaa: its branch cannot be read",)
    assert [one.branch for one in life.stand.reviews()] == ["update-bbb"]
