from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.token import Token
from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.client import CommitStatus, ReviewOptions, ReviewText
from ci_toolkit.forges.github_client import GithubReviews
from ci_toolkit.model.names import Oid
from tests.support.github_description import github_description
from tests.support.github_service import REPOSITORY, GithubService, Issue
from tests.support.http_service import JSON, FakeClock
from tests.support.refusals import refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient

CANARY = "ghp_canary0123456789canary0123456789"
HEAD = Oid("a" * 40)
TEXT = ReviewText(title="paru: 2.0-1", body="What changed\n\n| a | b |")
PLAIN = ReviewOptions()
PULLS = f".*/repos/{REPOSITORY}/pulls"


@pytest.fixture(params=["", "/api/v3"], ids=["public", "self-hosted"])
def github(request: pytest.FixtureRequest) -> Iterator[GithubService]:
    github_description()  # when it is not installed, that is what to say
    with GithubService(CANARY, prefix=request.param) as service:
        yield service
        assert service.faults_of_requests() == []
        assert [one.path for one in service.requests if CANARY in one.path + str(one.query) + str(one.body)] == []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(github: GithubService, clock: FakeClock) -> GithubReviews:
    return GithubReviews(api_url=github.api_url, repository=REPOSITORY, token=Token(CANARY), timeout_s=0.5, clock=clock)


@pytest.fixture(autouse=True)
def _no_secret_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert CANARY not in caplog.text
    assert [one for one in caplog.records if CANARY in repr(one.__dict__)] == []


def test_it_is_a_review_client(client: GithubReviews) -> None:
    checked: ReviewClient = client
    assert CANARY not in repr(checked) + repr(vars(client))


def test_open_reviews_are_those_of_branches_of_the_project(github: GithubService, client: GithubReviews) -> None:
    github.page_size = 2
    ours = [github.pull(f"update-p{number}", body="one\r\ntwo", head=f"{number:040x}") for number in range(5)]
    github.pull("update-p1", owner_and_name="Other/packages", repository_id=7)
    github.pull("update-p2", owner_and_name="Owner/fork-in-the-same-organisation", repository_id=8)
    github.pull("update-p3", owner_and_name=None)
    github.pull("update-p9", state="closed")
    found = client.open_reviews()
    assert [(one.number, one.branch, one.head, one.status) for one in found] == [
        (one.number, one.branch, one.head, "open") for one in ours
    ]
    assert (found[0].body, found[0].target, found[0].url) == ("one\ntwo", "main", f"{github.url}/{REPOSITORY}/pull/1")
    assert len(github.asked()) == 4
    assert github.requests[0].query["per_page"] == "100"


@pytest.mark.parametrize(
    ("state", "merged", "status"), [("open", False, "open"), ("closed", False, "closed"), ("closed", True, "merged")]
)
def test_the_latest_review_of_a_branch(
    github: GithubService, client: GithubReviews, state: str, merged: bool, status: str
) -> None:
    branch = "update-gtk+@x.y_z"
    github.pull(branch, state="closed")
    newest = github.pull(branch, state=state, merged=merged, body=None)
    github.pull(branch, owner_and_name="Owner/fork", repository_id=8)
    found = client.latest_review(branch)
    assert found is not None
    assert (found.number, found.status, found.body) == (newest.number, status, "")
    assert client.latest_review("update-nothing") is None
    assert len(github.requests) == 2


def test_a_review_is_opened_with_labels_and_people(github: GithubService, client: GithubReviews) -> None:
    options = ReviewOptions(
        labels=("update", "needs: look"), assignees=("ann",), reviewers=("bob", "org/team"), draft=True
    )
    review = client.create_review("update-paru", "main", TEXT, options)
    pull = github.pulls[0]
    assert (pull.title, pull.body, pull.target, pull.draft) == (TEXT.title, TEXT.body, "main", True)
    assert (pull.labels, pull.assignees) == (["update", "needs: look"], ["ann"])
    assert (pull.reviewers, pull.teams) == (["bob"], ["team"])
    assert review == shown(1, url=f"{github.url}/{REPOSITORY}/pull/1", title=TEXT.title, body=TEXT.body, head=HEAD)


def test_without_options_one_request_opens_a_review(github: GithubService, client: GithubReviews) -> None:
    client.create_review("update-paru", "main", TEXT, PLAIN)
    assert [one.method for one in github.requests] == ["POST"]


def test_where_drafts_are_not_allowed_it_is_none(
    github: GithubService, client: GithubReviews, caplog: pytest.LogCaptureFixture
) -> None:
    github.allows_drafts = False
    client.create_review("update-paru", "main", TEXT, ReviewOptions(draft=True))
    assert [one.draft for one in github.pulls] == [False]
    assert "allows no drafts" in caplog.text


def test_one_that_is_there_already_is_taken(github: GithubService, client: GithubReviews) -> None:
    github.pull("update-paru", target="other")
    github.pull("update-paru")
    review = client.create_review("update-paru", "main", TEXT, ReviewOptions(labels=("update",)))
    assert (review.number, len(github.pulls)) == (2, 2)
    assert github.pulls[1].labels == ["update"]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "value": b"<html>Bad Gateway</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 201, "value": b"<html>Welcome</html>", "headers": {"Content-Type": "text/html"}},
        {"cut": True},
        {"truncate": True},
        {"hang_s": 1.5},
    ],
    ids=["500", "502", "html", "cut", "truncated", "slow"],
)
def test_what_was_made_by_a_request_that_failed_is_found(
    github: GithubService, client: GithubReviews, fault: dict[str, Any]
) -> None:
    github.fail(f"POST {PULLS}", acts=True, times=1, **fault)
    review = client.create_review("update-paru", "main", TEXT, PLAIN)
    assert review.number == 1
    assert len(github.pulls) == len(github.asked(f"POST {PULLS}")) == 1


def test_what_was_not_made_is_looked_for_and_not_asked_for_twice(
    github: GithubService, client: GithubReviews, clock: FakeClock
) -> None:
    github.fail(f"POST {PULLS}", 502)
    error = refused(CANARY, lambda: client.create_review("update-paru", "main", TEXT, PLAIN))
    assert str(error) == "opening a review for update-paru: 127.0.0.1 answers 502"
    assert (len(github.asked(f"POST {PULLS}")), len(github.asked(f"GET {PULLS}"))) == (1, 3)
    assert clock.sleeps == [1.0, 3.0]


def test_a_refused_label_is_a_warning_that_names_the_permission(
    github: GithubService, client: GithubReviews, caplog: pytest.LogCaptureFixture
) -> None:
    github.fail("POST .*/labels", 403, {"message": "Resource not accessible by personal access token"})
    options = ReviewOptions(labels=("update",), assignees=("ann",))
    assert client.create_review("update-paru", "main", TEXT, options).number == 1
    (warning,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "#1 is open, but setting its labels" in warning
    assert "Pull requests: write" in warning
    assert github.pulls[0].assignees == ["ann"]


def test_a_review_is_updated_remarked_on_closed_and_reopened(github: GithubService, client: GithubReviews) -> None:
    pull = github.pull("update-paru", head="b" * 40)
    review = client.open_reviews()[0]
    github.requests.clear()
    client.update_review(review, ReviewText(title="t" * 300, body="new"))
    client.comment(review, "since then")
    client.close_review(review)
    assert (len(pull.title), pull.body, pull.comments, pull.state) == (256, "new", ["since then"], "closed")
    assert client.reopen_review(review)
    assert pull.state == "open"
    assert len(github.requests) == 4


def test_what_may_not_be_reopened_stays_closed(github: GithubService, client: GithubReviews) -> None:
    github.pull("update-paru", state="closed", may_reopen=False)
    assert not client.reopen_review(shown(1))
    github.fail("PATCH .*", 403, {"message": "Must have push access"})
    assert "reopening #1" in str(refused(CANARY, lambda: client.reopen_review(shown(1))))


@pytest.mark.parametrize(
    ("methods", "method"), [({"MERGE", "SQUASH"}, "MERGE"), ({"REBASE", "SQUASH"}, "REBASE"), ({"SQUASH"}, "SQUASH")]
)
def test_merging_waits_for_the_checks(
    github: GithubService, client: GithubReviews, methods: set[str], method: str
) -> None:
    pull = github.pull("update-paru")
    github.methods = methods
    client.merge_when_green(shown(1), HEAD)
    assert pull.auto_merge == (HEAD, method)
    assert not pull.merged


def test_a_branch_that_has_moved_is_not_merged(github: GithubService, client: GithubReviews) -> None:
    pull = github.pull("update-paru", head="b" * 40)
    error = refused(CANARY, lambda: client.merge_when_green(shown(1), HEAD))
    assert f"its branch is at {'b' * 40}, not at {HEAD}" in str(error)
    assert (pull.auto_merge, pull.merged) == (None, False)


def test_a_project_without_auto_merge_says_where_it_is_allowed(github: GithubService, client: GithubReviews) -> None:
    github.pull("update-paru")
    github.allows_auto_merge = False
    assert "Settings, General" in str(refused(CANARY, lambda: client.merge_when_green(shown(1), HEAD)))


def test_what_has_passed_already_is_merged_at_once(github: GithubService, client: GithubReviews) -> None:
    pull = github.pull("update-paru")
    github.is_clean, github.checks = True, "SUCCESS"
    client.merge_when_green(shown(1), HEAD)
    assert pull.merged
    assert github.asked("PUT .*")[0].body == {"merge_method": "merge", "sha": HEAD}


@pytest.mark.parametrize("checks", [None, "PENDING", "FAILURE"])
def test_what_no_check_holds_back_is_not_merged_untested(
    github: GithubService, client: GithubReviews, checks: str | None
) -> None:
    pull = github.pull("update-paru")
    github.is_clean, github.checks = True, checks
    assert "require the pipeline's check in a rule for main" in str(
        refused(CANARY, lambda: client.merge_when_green(shown(1), HEAD))
    )
    assert not pull.merged


def test_statuses(github: GithubService, client: GithubReviews) -> None:
    client.set_status(
        HEAD, CommitStatus(context="ci-toolkit", state="pending", text="x" * 200, url="https://ci.example.org")
    )
    client.set_status(HEAD, CommitStatus(context="ci-toolkit", state="success", text="done"))
    (first, said), (_, later) = github.statuses
    assert (first, said["state"], len(said["description"])) == (HEAD, "pending", 140)
    assert later == {"state": "success", "description": "done", "context": "ci-toolkit"}
    assert len(github.requests) == 2


@pytest.mark.parametrize("login", ["bot", "github-actions[bot]"])
def test_the_oldest_issue_of_ones_own_with_the_marker(github: GithubService, client: GithubReviews, login: str) -> None:
    github.login, github.page_size = login, 2
    github.issues = [
        Issue(1, "stranger", "not ours", "<!-- dashboard -->"),
        Issue(2, login, "something else", "body"),
        Issue(3, login, "nor this", "body"),
        Issue(4, login, "Dashboard", "a\r\n<!-- dashboard -->", state="closed"),
        Issue(5, login, "a later one", "<!-- dashboard -->"),
    ]
    found = client.find_issue("<!-- dashboard -->")
    assert found is not None
    assert (found.number, found.is_open, found.body) == (4, False, "a\n<!-- dashboard -->")
    assert client.find_issue("<!-- else -->") is None


def test_an_issue_is_opened_and_updated_in_place(github: GithubService, client: GithubReviews) -> None:
    issue = client.create_issue(TEXT, ["dashboard"])
    assert (issue.number, issue.title, issue.body, issue.is_open) == (1, TEXT.title, TEXT.body, True)
    github.issues[0].state = "closed"
    client.update_issue(issue, ReviewText(title="Dashboard", body="newer"))
    assert (github.issues[0].title, github.issues[0].body, github.issues[0].state) == ("Dashboard", "newer", "open")
    assert github.issues[0].labels == ["dashboard"]


def test_reading_is_repeated_after_faults_that_pass(
    github: GithubService, client: GithubReviews, clock: FakeClock
) -> None:
    github.pull("update-paru")
    github.fail("GET .*", 502, times=1)
    github.fail("GET .*", times=1, cut=True)
    assert len(client.open_reviews()) == 1
    assert len(github.requests) == 3
    assert 1.0 < sum(clock.sleeps) < 5.0


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "30"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000029"}]
)
@pytest.mark.parametrize("status", [403, 429])
def test_a_short_limit_is_waited_for(
    github: GithubService, client: GithubReviews, clock: FakeClock, headers: dict[str, str], status: int
) -> None:
    value = {"message": "You have exceeded a secondary rate limit"}
    github.fail("POST .*", status, value, headers={**JSON, **headers}, times=1)
    client.create_review("update-paru", "main", TEXT, PLAIN)
    assert len(github.pulls) == 1
    assert 30.0 in clock.sleeps


@pytest.mark.parametrize(("reset", "until"), [(1_800_000_060, "08:01:01"), (1_800_003_600, "09:00:01")])
def test_a_limit_further_away_is_said(  # by a second more than a minute, and by an hour
    github: GithubService, client: GithubReviews, clock: FakeClock, reset: int, until: str
) -> None:
    headers = {**JSON, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    github.fail("GET .*", 403, {"message": "API rate limit exceeded for user ID 1."}, headers=headers)
    error = refused(CANARY, client.open_reviews)
    assert str(error) == (
        f"listing open reviews: 127.0.0.1 takes no more requests until 2027-01-15 {until} UTC"
        " (the next run goes on after that)"
    )
    assert clock.sleeps == []


def test_a_limit_without_an_end_is_waited_for_within_bounds(
    github: GithubService, client: GithubReviews, clock: FakeClock
) -> None:
    github.fail("GET .*", 429, {"message": "slow down"})
    assert "takes no more requests until" in str(refused(CANARY, client.open_reviews))
    assert clock.sleeps == [60.0, 60.0]


def test_a_limit_of_graphql_is_one_too(github: GithubService, client: GithubReviews) -> None:
    value = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    headers = {**JSON, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800003600"}
    github.fail("POST .*/graphql", 200, value, headers=headers)
    assert "takes no more requests until 2027-01-15 09:00:01 UTC" in str(
        refused(CANARY, lambda: client.find_issue("x"))
    )


CASES: dict[str, tuple[int, str, dict[str, str], str]] = {
    "revoked": (401, "Bad credentials", {}, "the token is wrong, expired or revoked"),
    "fine-grained": (
        403,
        "Resource not accessible",
        {"X-Accepted-GitHub-Permissions": "pull_requests=write"},
        "it says pull_requests=write",
    ),
    "workflow": (403, "Resource not accessible by integration", {}, "permissions: pull-requests: write"),
    "sso": (403, "Resource protected by organization SAML enforcement", {"X-GitHub-SSO": "required"}, "single sign-on"),
    "actions": (403, "GitHub Actions is not permitted to create or approve pull requests.", {}, "Workflow permissions"),
    "unseen": (404, "Not Found", {}, "the token may not see it: the token needs Pull requests: write"),
    "empty": (422, "No commits between main and update-paru", {}, "holds nothing that its target does not have"),
}


@pytest.mark.parametrize(("status", "said", "headers", "hint"), CASES.values(), ids=CASES)
def test_a_refusal_says_what_is_missing(
    github: GithubService, client: GithubReviews, status: int, said: str, headers: dict[str, str], hint: str
) -> None:
    github.fail(f"POST {PULLS}", status, {"message": f"{said}\x1b[0m {CANARY}"}, headers={**JSON, **headers})
    error = refused(CANARY, lambda: client.create_review("update-paru", "main", TEXT, PLAIN))
    assert f"opening a review for update-paru: 127.0.0.1 answers {status}: {said} [0m [hidden]" in str(error)
    assert hint in str(error)
    assert len(github.requests) == 1


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "html": (
        {"status": 200, "value": f"<html>{CANARY}".encode(), "headers": {"Content-Type": "text/html"}},
        "text/html instead of JSON",
    ),
    "broken": ({"status": 200, "value": f'[{{"number": "{CANARY}"'.encode()}, "something else than its API"),
    "deep": ({"status": 200, "value": b"[" * 100_000}, "something else than its API"),
    "another shape": ({"status": 200, "value": {"message": CANARY}}, "something else than its API"),
    "a number": ({"status": 200, "value": 7}, "something else than its API"),
    "a pull of text": ({"status": 200, "value": [CANARY]}, "something else than its API"),
    "a pull of nulls": (
        {"status": 200, "value": [{"number": CANARY, "head": 5, "base": []}]},
        "something else than its API",
    ),
    "later": ({"status": 202, "value": []}, "answers 202"),
    "moved": (
        {
            "status": 301,
            "value": {"message": "Moved Permanently"},
            "headers": {**JSON, "Location": f"https://evil.example.org/{CANARY}?t={CANARY}"},
        },
        "redirects to https://evil.example.org/[hidden], which is not followed",
    ),
    "not text": ({"status": 200, "value": b'["\xff"]'}, "something else than UTF-8"),
    "elsewhere": ({"status": 200, "value": [], "headers": {**JSON, "Link": '<http://127.0.0.1:9/x>; rel="next"'}}, ""),
}


@pytest.mark.parametrize(("fault", "said"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_an_error_that_says_so(
    github: GithubService, client: GithubReviews, fault: dict[str, Any], said: str
) -> None:
    github.fail("GET .*", **fault)
    if not said:  # an empty page has no next one, whatever is said
        assert client.open_reviews() == ()
        return
    assert said in str(refused(CANARY, client.open_reviews))


@pytest.mark.parametrize("elsewhere", ["127.0.0.2", "sub.127.0.0.1"])
def test_pages_do_not_lead_to_another_host(github: GithubService, client: GithubReviews, elsewhere: str) -> None:
    github.pull("update-paru")
    page = github.answer(github.requests[0]).value if client.open_reviews() else None
    github.fail("GET .*", 200, page, headers={**JSON, "Link": f'<http://{elsewhere}:9/repos>; rel="next"'}, times=1)
    assert "something else than its API" in str(refused(CANARY, client.open_reviews))
    assert len(github.requests) == 2


def test_a_list_without_end_is_left(
    github: GithubService, client: GithubReviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_toolkit.forges.github_library._MOST_PULLS", 5)
    github.pull("update-paru")
    page = github.answer(github.requests[0]).value if client.open_reviews() else None
    again = f'<{github.api_url}/repos/{REPOSITORY}/pulls?page=2>; rel="next"'
    github.fail("GET .*", 200, page, headers={**JSON, "Link": again})
    assert "something else than its API" in str(refused(CANARY, client.open_reviews))
    assert len(github.requests) == 7


def test_a_filter_that_the_service_did_not_read_is_no_answer(github: GithubService, client: GithubReviews) -> None:
    github.reads_filters = False
    github.pull("update-paru")
    github.pull("update-other")
    found = client.latest_review("update-paru")
    assert found is not None
    assert found.branch == "update-paru"


def test_no_other_credentials_take_the_place_of_the_token(
    github: GithubService, client: GithubReviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.open_reviews() == ()


def test_an_answer_without_end_is_cut_off(github: GithubService, client: GithubReviews) -> None:
    github.fail("GET .*", 200, b'["' + b"x" * (33 << 20) + b'"]')
    assert "answers with more than 33,554,432 bytes" in str(refused(CANARY, client.open_reviews))


def test_silence_is_not_waited_for_for_long(github: GithubService, client: GithubReviews) -> None:
    github.fail("GET .*", hang_s=5)
    assert "no answer in time" in str(refused(CANARY, client.open_reviews))
    assert len(github.requests) == 3


def test_writes_keep_a_distance(github: GithubService, client: GithubReviews, clock: FakeClock) -> None:
    github.pull("update-paru")
    for _ in range(3):
        client.comment(shown(1), "x")
        client.open_reviews()
    assert clock.sleeps == [1.0, 1.0]


@pytest.mark.parametrize(
    ("api_url", "repository", "problem"),
    [
        ("http://github.example.org/api/v3", REPOSITORY, "not encrypted"),
        ("ftp://github.example.org", REPOSITORY, "no address of an API"),
        (f"https://x:{CANARY}@github.example.org", REPOSITORY, "no address of an API"),
        ("https://api.github.com", "packages", "no project"),
        ("https://api.github.com", "a/b/c", "no project"),
        ("https://api.github.com", "../x", "no project"),
    ],
)
def test_addresses_that_are_refused(api_url: str, repository: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        GithubReviews(api_url=api_url, repository=repository, token=Token(CANARY))
    assert CANARY not in str(caught.value)


def test_an_authority_of_ones_own_must_be_there() -> None:
    with pytest.raises(ConfigError, match="no file of certificates"):
        GithubReviews(api_url="https://api.github.com", repository=REPOSITORY, token=Token(CANARY), ca="/nowhere.pem")


def test_nothing_is_asked_before_something_is_wanted(github: GithubService, client: GithubReviews) -> None:
    assert (client.requests, github.requests) == (0, [])
