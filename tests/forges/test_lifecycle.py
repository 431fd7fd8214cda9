"""The life of reviews, against a GitLab on loopback: what a person sees there after each run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.client import ReviewOptions, ReviewText
from ci_toolkit.forges.lifecycle import show_reviews
from ci_toolkit.forges.marker import Marker, parse_marker, with_marker
from ci_toolkit.forges.spec import WantedReview
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Oid, Pkgbase, review_branch
from ci_toolkit.model.plan import DroppedReview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeReport
    from ci_toolkit.formats.forge_memory import ForgeRecord
    from tests.support.gitlab_service import GitlabService, MergeRequest

OPTIONS = ReviewOptions(labels=("ci", "human-review", "update"))


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


class Life:
    """Runs against one service, each remembering what the last one left."""

    def __init__(self, client: ReviewClient, service: GitlabService) -> None:
        self.client = client
        self.service = service
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
        report = show_reviews(
            self.client, wanted, dropped, memory=self.memory, options=self.options, auto_merge=self.auto_merge
        )
        self.memory = dict(report.memory)
        return report

    def drop(self, name: str, reason: str) -> DroppedReview:
        self.service.remove_branch(f"update-{name}")
        return DroppedReview(pkgbase=Pkgbase(name), head=oid(1), reason=reason)

    @property
    def only(self) -> MergeRequest:
        [one] = self.service.merge_requests
        return one


@pytest.fixture
def life(client: ReviewClient, service: GitlabService) -> Life:
    return Life(client, service)


def test_a_new_review_is_opened_with_its_labels_and_a_marker(life: Life) -> None:
    report = life.run(life.wanted())
    assert life.only.title == "chore(update): foo"
    assert life.only.description.startswith("content 1\n")
    assert parse_marker(life.only.description) == Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1001))
    assert life.only.labels == ["ci", "human-review", "update"]
    assert life.only.removes_branch
    assert report.notes == (f"foo: opened {life.service.url}/group/packages/-/merge_requests/1",)
    assert report.problems == ()


def test_a_second_run_asks_once_and_writes_nothing(life: Life) -> None:
    life.run(life.wanted(), life.wanted("bar", 2))
    life.service.requests.clear()
    report = life.run(life.wanted(), life.wanted("bar", 2))
    assert life.service.requests == ["GET /projects/group%2Fpackages/merge_requests"]
    assert report.notes == ()


def test_without_its_memory_a_run_finds_everything_again(life: Life) -> None:
    life.run(life.wanted())
    before = life.memory
    life.memory = {}
    life.service.requests.clear()
    life.run(life.wanted())
    assert life.service.written() == []
    assert life.memory == before


def test_when_upstream_moves_the_review_is_updated_in_place_and_says_so_once(life: Life) -> None:
    life.run(life.wanted())
    life.run(life.wanted(content=2))
    life.run(life.wanted(content=2))
    assert life.only.description.startswith("content 2\n")
    assert life.only.notes == ["now content 2"]


def test_what_a_person_closed_stays_closed_until_the_content_changes(life: Life) -> None:
    life.run(life.wanted())
    life.service.close_by_person(1)
    said = life.run(life.wanted())
    assert "closed by a person" in said.notes[0]
    life.service.requests.clear()
    quiet = life.run(life.wanted())
    assert quiet.notes == ()
    assert len(life.service.requests) == 1, "it is remembered"
    life.memory = {}
    life.run(life.wanted())
    assert life.only.state == "closed", "without memory as well"
    life.run(life.wanted(content=2))
    assert life.only.state == "opened"
    assert life.only.description.startswith("content 2\n")
    assert life.only.notes == ["now content 2"]


def test_one_that_was_closed_before_markers_stays_closed_while_its_branch_stands_still(life: Life) -> None:
    wanted = life.wanted()
    life.service.add_merge_request("update-foo", state="closed")
    life.run(wanted)
    assert life.only.state == "closed"
    life.run(life.wanted(content=2))
    assert life.only.state == "opened"


def test_one_that_cannot_be_reopened_is_replaced_by_one_that_names_it(life: Life) -> None:
    life.run(life.wanted())
    life.service.close_by_person(1)
    life.service.fail("PUT /projects/group%2Fpackages/merge_requests/1", 422)
    life.run(life.wanted(content=2))
    [first, second] = life.service.merge_requests
    assert (first.state, second.state) == ("closed", "opened")
    assert "/merge_requests/1." in second.description


def test_a_dropped_review_is_closed_with_the_reason(life: Life) -> None:
    life.run(life.wanted())
    report = life.run(dropped=[life.drop("foo", "a newer update has been applied")])
    assert life.only.state == "closed"
    assert life.only.notes == ["Closed by ci-toolkit, because a newer update has been applied."]
    url = f"{life.service.url}/group/packages/-/merge_requests/1"
    assert report.notes == (f"update-foo: closed {url}, because a newer update has been applied",)
    assert life.memory == {}


def test_what_ci_toolkit_closed_itself_is_opened_again_with_the_very_same_content(life: Life) -> None:
    life.run(life.wanted())
    life.run(dropped=[life.drop("foo", "it equals the default branch")])
    life.run(life.wanted())
    assert life.only.state == "opened"


def test_a_merged_review_is_not_touched_when_its_branch_is_dropped(life: Life) -> None:
    life.run(life.wanted())
    life.service.merge_by_person(1)
    life.service.requests.clear()
    life.run(dropped=[life.drop("foo", "it has been merged")])
    assert life.service.written() == []
    assert life.only.state == "merged"


def test_one_that_is_merged_while_the_run_goes_on_gets_no_successor_but_new_content_does(life: Life) -> None:
    life.run(life.wanted())
    life.service.merge_by_person(1)
    life.run(life.wanted())
    assert len(life.service.merge_requests) == 1
    life.run(life.wanted(content=2))
    assert [one.state for one in life.service.merge_requests] == ["merged", "opened"]


def test_a_review_of_ours_whose_branch_is_gone_is_closed_and_those_of_people_are_not(life: Life) -> None:
    life.run(life.wanted())
    life.service.add_branch("update-readme", oid(7))
    life.service.add_merge_request("update-readme", description="by hand")
    life.service.add_branch("feature", oid(8))
    stolen = with_marker("text", Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1)))
    life.service.add_merge_request("feature", description=stolen)
    life.service.remove_branch("update-foo")
    life.memory = {}
    life.run()
    assert [one.state for one in life.service.merge_requests] == ["closed", "opened", "opened"]
    assert life.service.comments(1) == ["Closed by ci-toolkit, because its branch is gone or is no review any more."]


def test_one_that_the_bash_template_opened_is_taken_over(life: Life) -> None:
    wanted = life.wanted()
    life.service.add_merge_request("update-foo", title="chore(foo): old [deploy foo]", description="human review!")
    life.run(wanted)
    assert life.only.title == "chore(update): foo"
    assert life.only.description.startswith("content 1\n")
    assert life.only.notes == []


def test_merge_requests_of_forks_and_to_other_branches_are_none_of_ours(life: Life) -> None:
    wanted = life.wanted()
    marker = Marker(package=Pkgbase("foo"), content=oid(1), head=oid(1001))
    life.service.add_merge_request("update-foo", source_project=77, description=with_marker("evil", marker))
    life.service.add_merge_request("update-foo", target="stable", description="backport")
    life.run(wanted)
    assert [one.description.split("\n")[0] for one in life.service.merge_requests] == ["evil", "backport", "content 1"]


def test_of_two_of_ours_for_one_branch_the_newer_is_closed(life: Life) -> None:
    wanted = life.wanted()
    life.run(wanted)
    copy = life.only
    life.service.add_merge_request("update-foo", description=copy.description)
    life.run(wanted)
    assert [one.state for one in life.service.merge_requests] == ["opened", "closed"]


def test_where_people_have_committed_text_and_word_are_theirs(life: Life) -> None:
    life.run(life.wanted())
    life.only.description = "my own words"
    theirs = life.wanted(content=2, by_people=True)
    life.run(theirs)
    assert life.only.description == "my own words"
    life.service.close_by_person(1)
    life.run(theirs)
    life.run(replace(theirs, content=oid(3)))
    assert life.only.state == "closed"


def test_a_branch_of_people_that_was_never_shown_is_not_opened(life: Life) -> None:
    life.run(life.wanted(by_people=True))
    assert life.service.merge_requests == []


def test_a_description_a_person_wrote_below_is_left_while_nothing_moves(life: Life) -> None:
    life.run(life.wanted())
    life.only.description += "\n\nlooks fine to me"
    life.run(life.wanted())
    assert life.only.description.endswith("looks fine to me")


def test_one_failure_stops_no_other_review(life: Life) -> None:
    life.run(life.wanted("bbb", 2))
    life.service.fail("PUT /projects/group%2Fpackages/merge_requests/1", 403)
    report = life.run(life.wanted("aaa", 1), life.wanted("bbb", 5), life.wanted("ccc", 3))
    assert [one.source for one in life.service.open_ones()] == ["update-bbb", "update-aaa", "update-ccc"]
    assert len(report.problems) == 1
    assert report.problems[0].startswith(
        "bbb: updating !1: 127.0.0.1 answers 403: it failed (the token needs scope api"
    )
    life.service.wrong.clear()
    assert life.run(life.wanted("aaa", 1), life.wanted("bbb", 5), life.wanted("ccc", 3)).problems == ()
    assert life.service.merge_request(1).description.startswith("content 5\n")


def test_a_service_that_refuses_everything_is_not_asked_a_thousand_times(life: Life) -> None:
    life.service.fail("POST ", 403)
    report = life.run(*(life.wanted(f"p{number:04}", number) for number in range(1, 1001)))
    assert len(life.service.written()) < 10
    assert report.problems[-1] == "995 more reviews were not tried; the next run does"


def test_a_listing_that_fails_changes_nothing_and_keeps_what_was_known(life: Life) -> None:
    life.run(life.wanted())
    before = life.memory
    life.service.fail("GET /projects", 500)
    report = life.run(life.wanted(content=2), life.wanted("bar", 3))
    assert life.memory == before
    assert "listing open merge requests" in report.problems[0]
    life.service.wrong.clear()
    life.run(life.wanted(content=2), life.wanted("bar", 3))
    assert len(life.service.open_ones()) == 2


@pytest.mark.parametrize("count", [250, 1100])
def test_all_pages_are_read_and_nothing_is_opened_twice(life: Life, count: int) -> None:
    wanted = [life.wanted(f"p{number:04}", number) for number in range(1, count + 1)]
    for one in wanted:
        text = with_marker("x" * 2000, Marker(package=one.pkgbase, content=one.content, head=one.head))
        life.service.add_merge_request(one.branch, description=text)
    report = life.run(*wanted)
    assert report.problems == ()
    assert life.service.written() == []
    assert Counter(life.service.requests) == {"GET /projects/group%2Fpackages/merge_requests": -(-count // 100)}
    assert len(report.memory) == count


def test_a_run_that_died_between_any_two_calls_is_completed_by_the_next(life: Life) -> None:
    """The calls of a busy run, of which each in turn is the last one that is carried out."""
    for calls in range(1, 20):
        start = [life.wanted(name, number) for number, name in enumerate(("moves", "declined", "goes", "again"), 1)]
        life.service.merge_requests.clear()
        life.service.wrong.clear()
        life.memory = {}
        life.run(*start)
        for one in life.service.merge_requests:
            if one.source in ("update-declined", "update-again"):
                life.service.close_by_person(one.iid)
        wanted = [life.wanted("moves", 11), start[1], life.wanted("again", 14), life.wanted("new", 15)]
        dying = _DyingClient(life.client, calls)
        life.client, real = dying, life.client  # type: ignore[assignment]  # it passes every call on
        memory = dict(life.memory)
        try:
            life.run(*wanted, dropped=[life.drop("goes", "it is gone")])
            died = False
        except _KilledError:
            died = True
        life.client = real
        life.memory = memory
        life.run(*wanted)
        shown = {one.source: (one.state, one.description[:10]) for one in life.service.merge_requests}
        assert shown == {
            "update-moves": ("opened", "content 11"),
            "update-declined": ("closed", "content 2\n"),
            "update-goes": ("closed", "content 3\n"),
            "update-again": ("opened", "content 14"),
            "update-new": ("opened", "content 15"),
        }, f"killed after {calls} calls"
        assert len(life.service.merge_requests) == 5
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


def test_only_up_to_the_configured_severity_reviews_merge_themselves(life: Life) -> None:
    life.auto_merge = Severity.LOW
    low, high = life.wanted("low", 1, severity=Severity.LOW), life.wanted("high", 2)
    life.run(low, high)
    assert not any(one.auto_merge for one in life.service.merge_requests), "there is no pipeline yet"
    for one in life.service.merge_requests:
        one.pipeline = "running"
    life.run(low, high)
    assert [one.source for one in life.service.merge_requests if one.auto_merge] == ["update-low"]
    life.service.requests.clear()
    life.run(low, high)
    assert life.service.written() == []


def test_a_branch_that_moved_since_is_not_merged(life: Life) -> None:
    life.auto_merge = Severity.LOW
    low = life.wanted("low", 1, severity=Severity.LOW)
    life.run(low)
    life.only.pipeline = "running"
    life.service.add_branch("update-low", oid(99))
    life.run(low)
    assert not life.only.auto_merge


def test_by_default_nothing_merges_itself(life: Life) -> None:
    low = life.wanted("low", 1, severity=Severity.MINOR)
    life.run(low)
    life.only.pipeline = "success"
    life.run(low)
    assert not life.only.auto_merge


def test_a_text_that_cannot_be_made_is_one_reviews_failure(life: Life) -> None:
    def unreadable() -> ReviewText:
        raise ForgeError("its branch cannot be read")

    report = life.run(life.wanted("aaa", 1, describe=unreadable), life.wanted("bbb", 2))
    assert report.problems == ("aaa: its branch cannot be read",)
    assert [one.source for one in life.service.open_ones()] == ["update-bbb"]
