from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.token import Token
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.client import CommitStatus, ReviewOptions, ReviewText
from ci_toolkit.forges.gitea_client import GiteaReviews
from ci_toolkit.model.names import Oid
from tests.support.gitea_service import REPOSITORY, GiteaService, Issue
from tests.support.http_service import JSON, FakeClock
from tests.support.refusals import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.forges.client import ReviewClient

CANARY = "canary0123456789abcdef0123456789abcdef01"
HEAD = Oid("a" * 40)
TEXT = ReviewText(title="paru: 2.0-1", body="What changed")
PLAIN = ReviewOptions()
PULLS = f".*/repos/{REPOSITORY}/pulls"


@pytest.fixture
def gitea() -> Iterator[GiteaService]:
    with GiteaService(CANARY) as service:
        yield service
        assert [one.path for one in service.requests if CANARY in one.path + str(one.query) + str(one.body)] == []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(gitea: GiteaService, clock: FakeClock) -> GiteaReviews:
    return GiteaReviews(url=gitea.url, repository=REPOSITORY, token=Token(CANARY), ca=None, timeout_s=0.5, clock=clock)


@pytest.fixture(autouse=True)
def _no_secret_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert CANARY not in caplog.text
    assert [one for one in caplog.records if CANARY in repr(one.__dict__)] == []


def test_it_is_a_review_client(client: GiteaReviews) -> None:
    checked: ReviewClient = client
    assert CANARY not in repr(checked) + repr(vars(client))


@pytest.mark.parametrize("tells_total", [True, False])
def test_open_reviews_are_those_of_branches_of_the_project(
    gitea: GiteaService, client: GiteaReviews, tells_total: bool
) -> None:
    gitea.page_size, gitea.tells_total = 2, tells_total
    for number in range(4):
        gitea.pull(f"update-p{number}", body="one\r\ntwo", head=f"{number:040x}")
    gitea.pull("update-p1", repository_id=7)
    gitea.pull("update-p2", repository_id=-1, branch_is_gone=True)
    gitea.pull("update-p9", state="closed")
    found = client.open_reviews()
    assert [(one.number, one.branch, one.head) for one in reversed(found)] == [
        (number + 1, f"update-p{number}", f"{number:040x}") for number in range(4)
    ]
    assert (found[0].body, found[0].status, found[0].url) == ("one\ntwo", "open", f"{gitea.url}/{REPOSITORY}/pulls/4")
    assert len(gitea.requests) == (3 if tells_total else 4)


def test_the_latest_review_of_a_branch_is_found_by_one_listing_for_all(
    gitea: GiteaService, client: GiteaReviews
) -> None:
    gitea.page_size = 2
    gitea.pull("update-old", state="closed", merged=True, branch_is_gone=True)
    gitea.pull("update-gtk+@x", state="closed")
    newest = gitea.pull("update-gtk+@x", state="closed")
    gitea.pull("update-gtk+@x", repository_id=7)
    gitea.pull("update-new")
    found = client.latest_review("update-gtk+@x")
    assert found is not None
    assert (found.number, found.status) == (newest.number, "closed")
    assert len(gitea.asked(f"GET {PULLS}")) == 2
    newest.state = "open"
    again = client.latest_review("update-gtk+@x")
    assert again is not None
    assert again.status == "open"
    merged = client.latest_review("update-old")
    assert merged is not None
    assert (merged.status, merged.branch) == ("merged", "update-old")
    assert client.latest_review("update-nothing") is None
    assert client.latest_review("update-nothing") is None
    assert len(gitea.asked(f"GET {PULLS}")) == 3


def test_a_listing_that_failed_half_way_is_gone_on_with(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.page_size = 1
    gitea.pull("update-old", state="closed")
    gitea.pull("update-new")
    assert client.latest_review("update-new") is not None
    fault = gitea.fail(f"GET {PULLS}", 500, {"message": "database is locked"})
    assert "looking for the review of update-old" in str(refused(CANARY, lambda: client.latest_review("update-old")))
    fault.times = 0
    assert client.latest_review("update-old") is not None


def test_a_review_is_opened_with_labels_and_people(gitea: GiteaService, client: GiteaReviews) -> None:
    options = ReviewOptions(labels=("old", "new"), assignees=("ann",), reviewers=("bob", "org/team"), draft=True)
    review = client.create_review("update-paru", "main", TEXT, options)
    pull = gitea.pulls[0]
    assert (pull.title, pull.body, pull.target) == (f"WIP: {TEXT.title}", TEXT.body, "main")
    assert (gitea.label_numbers, pull.labels, pull.assignees) == ({"old": 1, "new": 2}, [1, 2], ["ann"])
    assert (pull.reviewers, pull.teams) == (["bob"], ["team"])
    assert review == shown(1, url=f"{gitea.url}/{REPOSITORY}/pulls/1", title=TEXT.title, body=TEXT.body, head=HEAD)


def test_a_draft_stays_one_when_it_is_updated(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.pull("update-a", title="WIP: 1.0")
    gitea.pull("update-b", title="1.0")
    for review in client.open_reviews():
        assert review.title == "1.0"
        client.update_review(review, ReviewText(title="2.0", body="new"))
    assert [(one.title, one.body) for one in gitea.pulls] == [("WIP: 2.0", "new"), ("2.0", "new")]


def test_one_that_is_there_already_is_taken(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.pull("update-paru", target="other")
    gitea.pull("update-paru")
    assert client.create_review("update-paru", "main", TEXT, PLAIN).number == 2
    assert len(gitea.pulls) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "value": b"<html>Bad Gateway</html>", "headers": {"Content-Type": "text/html"}},
        {"cut": True},
        {"truncate": True},
        {"hang_s": 1.5},
    ],
    ids=["500", "502", "cut", "truncated", "slow"],
)
def test_what_was_made_by_a_request_that_failed_is_found(
    gitea: GiteaService, client: GiteaReviews, fault: dict[str, Any]
) -> None:
    gitea.fail(f"POST {PULLS}", acts=True, times=1, **fault)
    assert client.create_review("update-paru", "main", TEXT, PLAIN).number == 1
    assert len(gitea.pulls) == len(gitea.asked(f"POST {PULLS}")) == 1


def test_what_was_not_made_is_not_asked_for_twice(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.fail(f"POST {PULLS}", 500, {"message": "database is locked"})
    error = refused(CANARY, lambda: client.create_review("update-paru", "main", TEXT, PLAIN))
    assert str(error) == "opening a review for update-paru: 127.0.0.1 answers 500: database is locked"
    assert len(gitea.asked(f"POST {PULLS}")) == 1


def test_a_refused_label_is_a_warning_that_names_the_scope(
    gitea: GiteaService, client: GiteaReviews, caplog: pytest.LogCaptureFixture
) -> None:
    gitea.fail(
        "POST .*/labels", 403, {"message": "token does not have at least one of required scope(s): [write:issue]"}
    )
    options = ReviewOptions(labels=("new",), assignees=("ann",))
    assert client.create_review("update-paru", "main", TEXT, options).number == 1
    (warning,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "#1 is open, but setting its labels" in warning
    assert "the token needs the scope write:issue" in warning
    assert gitea.pulls[0].assignees == ["ann"]


def test_a_review_is_remarked_on_closed_and_reopened(gitea: GiteaService, client: GiteaReviews) -> None:
    pull = gitea.pull("update-paru")
    client.comment(shown(1), "since then")
    client.close_review(shown(1))
    assert (pull.comments, pull.state) == (["since then"], "closed")
    assert client.reopen_review(shown(1))
    assert pull.state == "open"
    pull.merged = True
    assert not client.reopen_review(shown(1))


@pytest.mark.parametrize("lists_refs", [False, True])
def test_one_whose_branch_has_moved_is_not_reopened_because_it_would_show_older_commits(
    gitea: GiteaService, client: GiteaReviews, lists_refs: bool
) -> None:
    gitea.lists_refs = lists_refs
    gitea.add_branch("update-paru", "b" * 40)
    review = client.create_review("update-paru", "main", TEXT, PLAIN)
    client.close_review(review)
    assert client.reopen_review(review)
    client.close_review(review)
    gitea.add_branch("update-paru", "c" * 40)
    assert not client.reopen_review(review)
    gitea.remove_branch("update-paru")
    assert not client.reopen_review(review)
    assert gitea.pulls[0].state == "closed"


def test_the_commit_of_a_closed_one_is_the_one_that_it_shows(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.add_branch("update-paru", "b" * 40)
    client.close_review(client.create_review("update-paru", "main", TEXT, PLAIN))
    gitea.add_branch("update-paru", "c" * 40)
    found = client.latest_review("update-paru")
    assert found is not None
    assert (found.status, found.head) == ("closed", "b" * 40)
    gitea.fail("GET .*/git/refs/.*", 404, {"message": "The target couldn't be found."})
    unknown = client.latest_review("update-paru")
    assert unknown is not None
    assert unknown.head is None


def test_merging_waits_for_the_checks(gitea: GiteaService, client: GiteaReviews) -> None:
    pull = gitea.pull("update-paru")
    gitea.style = "rebase"
    client.merge_when_green(shown(1), HEAD)
    client.merge_when_green(shown(1), HEAD)
    assert (pull.scheduled, pull.merged) == ("rebase", False)
    assert gitea.asked("POST .*/merge")[0].body == {
        "Do": "rebase",
        "merge_when_checks_succeed": True,
        "head_commit_id": HEAD,
    }


def test_a_branch_that_has_moved_is_not_merged(gitea: GiteaService, client: GiteaReviews) -> None:
    pull = gitea.pull("update-paru", head="b" * 40)
    assert f"not at {HEAD}" in str(refused(CANARY, lambda: client.merge_when_green(shown(1), HEAD)))
    assert (pull.scheduled, pull.merged) == (None, False)


@pytest.mark.parametrize(("checks", "merged"), [("success", True), ("pending", False), ("", False), ("failure", False)])
def test_without_required_checks_only_what_has_passed_is_merged(
    gitea: GiteaService, client: GiteaReviews, checks: str, merged: bool
) -> None:
    pull = gitea.pull("update-paru", target="release/1")
    gitea.requires_checks, gitea.checks = False, checks
    if merged:
        client.merge_when_green(shown(1), HEAD)
    else:
        error = refused(CANARY, lambda: client.merge_when_green(shown(1), HEAD))
        assert "require the pipeline's check in the branch protection of release/1" in str(error)
    assert (pull.merged, pull.scheduled) == (merged, None)


def test_statuses(gitea: GiteaService, client: GiteaReviews) -> None:
    client.set_status(
        HEAD, CommitStatus(context="ci-toolkit", state="failure", text="x" * 200, url="https://ci.example.org")
    )
    ((commit, said),) = gitea.statuses
    assert (commit, said["state"], len(said["description"]), said["target_url"]) == (
        HEAD,
        "failure",
        140,
        "https://ci.example.org",
    )


def test_the_oldest_issue_of_ones_own_with_the_marker(gitea: GiteaService, client: GiteaReviews) -> None:
    gitea.page_size = 2
    gitea.issues = [
        Issue(1, "stranger", "not ours", "<!-- dashboard -->"),
        Issue(2, "bot", "something else", "body"),
        Issue(3, "bot", "Dashboard", "a\r\n<!-- dashboard -->", state="closed"),
        Issue(4, "bot", "a later one", "<!-- dashboard -->"),
    ]
    found = client.find_issue("<!-- dashboard -->")
    assert found is not None
    assert (found.number, found.is_open, found.body) == (3, False, "a\n<!-- dashboard -->")
    assert client.find_issue("<!-- else -->") is None


def test_an_issue_is_opened_and_updated_in_place(gitea: GiteaService, client: GiteaReviews) -> None:
    issue = client.create_issue(TEXT, ["old"])
    assert (issue.number, issue.title, issue.body, issue.is_open) == (1, TEXT.title, TEXT.body, True)
    gitea.issues[0].state = "closed"
    client.update_issue(issue, ReviewText(title="Dashboard", body="newer"))
    kept = gitea.issues[0]
    assert (kept.title, kept.body, kept.state, kept.labels) == ("Dashboard", "newer", "open", [1])


CASES: dict[str, tuple[int, str, str]] = {
    "revoked": (401, "invalid username, password or token", "the token is wrong, expired or revoked"),
    "scope": (
        403,
        "token does not have at least one of required scope(s): [write:repository]",
        "the scope write:repository",
    ),
    "unseen": (404, "The target couldn't be found.", "the token may not see it"),
    "archived": (423, "packages is archived", "the project is archived"),
}


@pytest.mark.parametrize(("status", "said", "hint"), CASES.values(), ids=CASES)
def test_a_refusal_says_what_is_missing(
    gitea: GiteaService, client: GiteaReviews, status: int, said: str, hint: str
) -> None:
    gitea.fail(f"POST {PULLS}", status, {"message": f"{said} {CANARY}"})
    error = refused(CANARY, lambda: client.create_review("update-paru", "main", TEXT, PLAIN))
    assert f"127.0.0.1 answers {status}: {said} [hidden]" in str(error)
    assert hint in str(error)
    assert len(gitea.requests) == 1


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "html": (
        {"status": 200, "value": f"<html>{CANARY}".encode(), "headers": {"Content-Type": "text/html"}},
        "text/html instead of JSON",
    ),
    "broken": ({"status": 200, "value": f'[{{"number": "{CANARY}"'.encode()}, "broken JSON"),
    "deep": ({"status": 200, "value": b"[" * 100_000}, "broken JSON"),
    "another shape": ({"status": 200, "value": {"message": CANARY}}, "something else than its API"),
    "rows of text": ({"status": 200, "value": [CANARY]}, "something else than its API"),
    "rows of nulls": ({"status": 200, "value": [{"number": None, "head": None}]}, "something else than its API"),
    "moved": (
        {"status": 307, "headers": {**JSON, "Location": f"https://evil.example.org/{CANARY}"}},
        "redirects to https://evil.example.org/[hidden], which is not followed",
    ),
}


@pytest.mark.parametrize(("fault", "said"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_an_error_that_says_so(
    gitea: GiteaService, client: GiteaReviews, fault: dict[str, Any], said: str
) -> None:
    gitea.fail("GET .*", **fault)
    assert said in str(refused(CANARY, client.open_reviews))


def test_a_list_without_end_is_left(gitea: GiteaService, client: GiteaReviews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.forges.gitea_api._MOST_PAGES", 5)
    gitea.pull("update-paru")
    page = gitea.answer(gitea.requests[0]).value if client.open_reviews() else None
    gitea.fail("GET .*", 200, page)
    assert "something else than its API" in str(refused(CANARY, client.open_reviews))
    assert len(gitea.requests) == 6


def test_limits_of_a_proxy_are_kept(gitea: GiteaService, client: GiteaReviews, clock: FakeClock) -> None:
    gitea.fail(f"POST {PULLS}", 429, b"slow down", headers={"Retry-After": "7"}, times=1)
    client.create_review("update-paru", "main", TEXT, PLAIN)
    assert clock.sleeps == [7.0]
    gitea.fail("GET .*", 429, b"slow down", headers={"Retry-After": "Fri, 15 Jan 2027 10:00:00 GMT"})
    assert "takes no more requests until 2027-01-15 10:00:00 UTC" in str(refused(CANARY, client.open_reviews))


def test_a_service_below_a_path(gitea: GiteaService) -> None:
    gitea.fail("GET /git/api/v1/.*", 200, [])
    client = GiteaReviews(url=f"{gitea.url}/git/", repository=REPOSITORY, token=Token(CANARY), ca=None)
    assert client.open_reviews() == ()


def test_a_token_is_not_sent_without_encryption() -> None:
    with pytest.raises(ConfigError, match="not encrypted"):
        GiteaReviews(url="http://git.example.org", repository=REPOSITORY, token=Token(CANARY), ca=None)
