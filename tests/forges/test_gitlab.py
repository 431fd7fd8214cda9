"""The GitLab client through real HTTP: what is GitLab's own, and its faults."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.forge_http import ForgeHttp, ForgeManners
from ci_toolkit.effects.token import Token
from ci_toolkit.errors import ConfigError, ForgeError
from ci_toolkit.forges.client import CommitStatus, ReviewOptions, ReviewText
from ci_toolkit.forges.gitlab_address import gitlab_address
from ci_toolkit.forges.gitlab_library import GitlabExchange
from ci_toolkit.forges.gitlab_text import harmless
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from tests.support.certificates import self_signed
from tests.support.gitlab_service import PATH, TOKEN, GitlabService
from tests.support.gitlab_world import FORGE, tools_for
from tests.support.review_contract import BRANCH, HEAD, OPTIONS, TEXT
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ci_toolkit.forges.client import ReviewClient

STATUS = CommitStatus(context="c", state="success", text="t")


@pytest.fixture
def branch(service: GitlabService) -> str:
    service.add_branch(BRANCH, HEAD)
    return BRANCH


def test_people_are_asked_by_name_or_number_and_unknown_ones_are_named(
    client: ReviewClient, service: GitlabService, branch: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = ReviewOptions(assignees=("alice", "12", "@nobody"), reviewers=("bob",))
    with caplog.at_level(logging.WARNING):
        client.create_review(branch, "main", TEXT, options)
    assert (service.merge_request(1).assignees, service.merge_request(1).reviewers) == ([7, 12], [8])
    assert "@nobody" in caplog.text


def test_a_draft_is_opened_as_one_and_stays_what_people_made_of_it(
    client: ReviewClient, service: GitlabService, branch: str
) -> None:
    made = client.create_review(branch, "main", TEXT, ReviewOptions(draft=True))
    assert service.merge_request(1).title == f"Draft: {TEXT.title}"
    client.update_review(made, TEXT)
    assert service.merge_request(1).title == f"Draft: {TEXT.title}"
    service.merge_request(1).title = TEXT.title
    client.update_review(client.open_reviews()[0], TEXT)
    assert service.merge_request(1).title == TEXT.title


@pytest.mark.parametrize(
    "line", ["/merge", "/approve", "/close\r", "\n/merge", "text\r/merge", "\x0b/merge", "a\u2028/merge", "\x00/close"]
)
def test_text_from_upstream_gives_no_commands(
    client: ReviewClient, service: GitlabService, branch: str, line: str
) -> None:
    made = client.create_review(branch, "main", ReviewText(title="t", body=line), OPTIONS)
    client.update_review(made, ReviewText(title="t", body=f"before\n{line}\nafter"))
    client.comment(made, line)
    client.create_issue(ReviewText(title="t", body=line), ())
    assert service.commands == []


def test_ordinary_text_is_sent_as_it_is() -> None:
    text = "# Head\n\n- a/b\n/usr\n\n```\n x /usr\n```\n\ttab"
    assert harmless(text) == text.replace("\n/usr", "\n\\/usr")


def test_a_very_long_title_is_cut(client: ReviewClient, branch: str) -> None:
    client.create_review(branch, "main", ReviewText(title="x" * 1000 + "\ny", body=""), OPTIONS)
    assert len(client.open_reviews()[0].title) == 255


def test_the_next_page_is_asked_for_at_the_same_address(client: ReviewClient, service: GitlabService) -> None:
    service.page_size = 2
    for number in range(5):
        service.add_branch(f"update-{number}", f"{number:040x}")
        service.add_merge_request(f"update-{number}")
    assert [one.number for one in client.open_reviews()] == [1, 2, 3, 4, 5]


def test_an_address_may_have_a_path(tmp_path: Path) -> None:
    with GitlabService(prefix="/gitlab") as service, FORGE.connect(tools_for(service, tmp_path)) as client:
        assert list(client.open_reviews()) == []


def test_a_host_may_be_written_in_capitals(service: GitlabService, tmp_path: Path) -> None:
    tools = tools_for(service, tmp_path, CI_FORGE_URL=service.url.replace("127.0.0.1", "LOCALHOST"))
    with FORGE.connect(tools) as client:
        assert list(client.open_reviews()) == []


def test_a_closed_dashboard_is_opened_again(client: ReviewClient, service: GitlabService) -> None:
    client.create_issue(TEXT, ("dashboard",))
    service.issues[0].state = "closed"
    found = client.find_issue("<!-- last -->")
    assert found is not None
    client.update_issue(found, TEXT)
    assert service.issues[0].state == "opened"


def test_an_issue_whose_answer_is_lost_is_not_opened_twice(client: ReviewClient, service: GitlabService) -> None:
    service.fail("POST", 502, after=True, times=1)
    assert client.create_issue(TEXT, ()).number == 1
    assert len(service.issues) == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"message":"401 Unauthorized"}', "set ACCESS_TOKEN to"),
        (403, b'{"error":"insufficient_scope","error_description":"needs api"}', "scope api"),
        (403, b'{"message":"403 Forbidden"}', "role Developer"),
        (404, b'{"message":"404 Project Not Found"}', "CI_FORGE_PROJECT"),
        (302, b"", "CI_FORGE_URL"),
        (500, b"<html>oops</html>", "answers 500"),
        (400, b'{"message":{"labels":["are wrong", "are too many"]}}', "labels are wrong and are too many"),
        (400, b'{"message":["Another one exists"]}', "answers 400: Another one exists"),
        (400, b'{"error":"id is invalid"}', "answers 400: id is invalid"),
        (200, b"<html><body>Sign in</body></html>", "something else than its API"),
        (200, b'{"message":"hello"}', "something else than its API"),
        (200, b"[1, 2]", "something else than its API"),
        (200, b'[{"iid": 1, "source_project_id": 1, "target_project_id": 1}]', "no merge request"),
        (200, b'[{"iid":', "something else than its API"),
        (200, b"", "something else than its API"),
        (200, b"[" * 100_000, "something else than its API"),
    ],
)
def test_every_kind_of_refusal_says_what_failed_and_what_to_do(
    client: ReviewClient, service: GitlabService, status: int, body: bytes, said: str
) -> None:
    service.fail("merge_requests", status, body=body, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(ForgeError) as caught:
        client.open_reviews()
    assert said in str(caught.value)
    assert TOKEN not in _everything(caught.value)


def test_a_page_of_html_as_the_answer_to_a_creation_is_looked_into(
    client: ReviewClient, service: GitlabService, branch: str
) -> None:
    service.fail("POST", 200, after=True, body=b"<html>", headers={"Content-Type": "text/html"})
    assert client.create_review(branch, "main", TEXT, OPTIONS).number == 1
    assert len(service.merge_requests) == 1


@pytest.mark.parametrize("what", [{"status": 500}, {"cut": True}, {"status": 502, "after": True}])
def test_a_creation_is_sent_once_and_looked_up_whatever_happens(
    client: ReviewClient, service: GitlabService, branch: str, what: dict[str, Any]
) -> None:
    service.fail("POST", **what)
    try:
        made = client.create_review(branch, "main", TEXT, OPTIONS).number
    except ForgeError:
        made = None
    assert len([one for one in service.requests if one.startswith("POST")]) == 1
    assert [one.iid for one in service.merge_requests] == ([made] if made else [])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_trouble_is_waited_for(client: ReviewClient, service: GitlabService, status: int) -> None:
    service.fail("GET", status, times=1, headers={"Retry-After": "3"})
    assert list(client.open_reviews()) == []


def test_a_rate_limit_is_obeyed_for_what_changes_something_too(
    client: ReviewClient, service: GitlabService, branch: str
) -> None:
    service.fail("POST", 429, times=1, headers={"Retry-After": "3"})
    assert client.create_review(branch, "main", TEXT, OPTIONS).number == 1


def test_an_hours_wait_is_not_waited_for_and_the_waits_of_a_run_are_bounded(
    service: GitlabService, tmp_path: Path
) -> None:
    clock = QuickClock()
    with FORGE.connect(tools_for(service, tmp_path, clock=clock)) as client:
        service.fail("GET", 429, times=1, headers={"Retry-After": "3600"})
        with pytest.raises(ForgeError, match="takes no more requests until"):
            client.open_reviews()
        assert clock.slept == []
        service.fail("GET", 429, headers={"Retry-After": "50"})
        for _ in range(20):
            with pytest.raises(ForgeError):
                client.open_reviews()
    assert sum(clock.slept) <= 180


def test_the_time_for_all_requests_of_a_run_is_limited(service: GitlabService) -> None:
    clock = QuickClock()
    http = connection(service.url, clock=clock, manners=ForgeManners(run_limit_s=100.0))
    assert http.ask("GET", "/api/v4/users").status == 200
    clock.sleep(101.0)
    with pytest.raises(ForgeError, match="has taken more than 100 s in all"):
        http.ask("GET", "/api/v4/users")


def test_the_token_goes_to_no_other_address(service: GitlabService) -> None:
    address = f"{service.url}/a"
    with GitlabService() as other, GitlabExchange(connection(address)) as session:
        for url in (other.url, f"{address}b/x", f"http://evil@{service.host}/a/x"):
            with pytest.raises(ValueError, match="another address"):
                session.request("get", url)
        service.fail("GET", 307, headers={"Location": f"{other.url}/api/v4/projects/42/issues"})
        with pytest.raises(ForgeError, match="redirects to"):
            session.request("get", f"{address}/api/v4/projects/42/issues")
        assert other.requests == []


@pytest.mark.parametrize(("path", "times"), [("merge_requests/1", 3), ("merge_requests/1/merge", 1)])
def test_what_may_be_on_its_way_is_not_asked_for_twice(service: GitlabService, path: str, times: int) -> None:
    service.fail("PUT", 502)
    with GitlabExchange(connection(service.url)) as session, pytest.raises(ForgeError, match="502"):
        session.request("put", f"{service.url}/api/v4/projects/42/{path}", json={})
    assert len(service.requests) == times


def connection(url: str, *, clock: QuickClock | None = None, manners: ForgeManners | None = None) -> ForgeHttp:
    """To a service at this address."""
    token = Token(TOKEN)
    return ForgeHttp(
        url=url,
        token=token,
        secret=token.private_header(),
        ca=None,
        clock=clock or QuickClock(),
        manners=manners or ForgeManners(),
    )


def _calls(client: ReviewClient) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every call there is."""
    from ci_toolkit.forges.client import ForgeIssue, ForgeReview  # noqa: PLC0415

    review = ForgeReview(number=1, url="u", branch=BRANCH, target="main", status="open", title="t", body="b")
    issue = ForgeIssue(number=1, url="u", title="t", body="b", is_open=True)
    yield "open_reviews", client.open_reviews
    yield "latest_review", lambda: client.latest_review(BRANCH)
    yield "create_review", lambda: client.create_review(BRANCH, "main", TEXT, ReviewOptions(assignees=("alice",)))
    yield "update_review", lambda: client.update_review(review, TEXT)
    yield "comment", lambda: client.comment(review, "c")
    yield "close_review", lambda: client.close_review(review)
    yield "reopen_review", lambda: client.reopen_review(review)
    yield "merge_when_green", lambda: client.merge_when_green(review, HEAD)
    yield "set_status", lambda: client.set_status(HEAD, STATUS)
    yield "find_issue", lambda: client.find_issue("m")
    yield "create_issue", lambda: client.create_issue(TEXT, ())
    yield "update_issue", lambda: client.update_issue(issue, TEXT)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 401},
        {"status": 403},
        {"status": 404},
        {"status": 429, "headers": {"Retry-After": "9999"}},
        {"status": 500},
        {"status": 503},
        {"status": 400, "body": b'{"message":"you said %s"}' % TOKEN.encode()},
        {"status": 200, "body": b"<html>", "headers": {"Content-Type": "text/html"}},
        {"cut": True, "status": 200, "body": b"x" * 1000},
    ],
    ids=str,
)
def test_no_call_lets_a_foreign_error_or_the_token_out(
    client: ReviewClient, service: GitlabService, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    service.fail("", **fault)
    with caplog.at_level(logging.DEBUG):
        told = {name: _told(call) for name, call in _calls(client)}
    assert [name for name, text in told.items() if TOKEN in text] == []
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(client)


def _told(call: Callable[[], object]) -> str:
    """Everything that an error of a call tells."""
    try:
        return repr(call())
    except ForgeError as error:
        return _everything(error)


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with GitlabService() as gone:
        tools = tools_for(gone, tmp_path)
    with FORGE.connect(tools) as client, pytest.raises(ForgeError) as caught:
        client.open_reviews()
    assert "127.0.0.1 cannot be asked: no connection" in str(caught.value)
    assert TOKEN not in _everything(caught.value)


def _everything(error: BaseException) -> str:
    """The error, its causes and their traces, down to the requests that they hold."""
    texts, seen = [], error
    while seen is not None:
        texts += ["".join(traceback.format_exception(seen)), repr(vars(seen)), repr(seen.args)]
        for holder in (getattr(seen, "request", None), getattr(getattr(seen, "response", None), "request", None)):
            texts.append(repr(getattr(holder, "headers", "")))
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]  # None ends it
    return "\n".join(texts)


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[GitlabService]:
    service = GitlabService()
    service.encrypt(self_signed(tmp_path))
    with service as running:
        yield running


def test_a_certificate_of_ones_own_is_accepted_only_when_it_is_named(encrypted: GitlabService, tmp_path: Path) -> None:
    with FORGE.connect(tools_for(encrypted, tmp_path)) as client, pytest.raises(ForgeError, match="CI_FORGE_CA"):
        client.open_reviews()
    assert encrypted.requests == []
    with FORGE.connect(tools_for(encrypted, tmp_path, CI_FORGE_CA="certificate.pem")) as client:
        assert list(client.open_reviews()) == []
    job = {
        "ACCESS_TOKEN": TOKEN,
        "CI_SERVER_URL": encrypted.url,
        "CI_SERVER_TLS_CA_FILE": str(tmp_path / "certificate.pem"),
    }
    with FORGE.connect(tools_for(encrypted, tmp_path, environ=job)) as client:
        assert list(client.open_reviews()) == []


def test_requests_own_variable_for_certificates_works(
    encrypted: GitlabService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    with FORGE.connect(tools_for(encrypted, tmp_path)) as client:
        assert list(client.open_reviews()) == []


def test_a_certificate_that_is_not_there_is_named(service: GitlabService, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="CI_FORGE_CA names no file"),
        FORGE.connect(tools_for(service, tmp_path, CI_FORGE_CA="nowhere.pem")),
    ):
        pass


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "ACCESS_TOKEN or GITLAB_TOKEN is missing"),
        ({"CI_JOB_TOKEN": TOKEN}, "a job's own token may not open reviews"),
        ({"ACCESS_TOKEN": "two words"}, "ACCESS_TOKEN or GITLAB_TOKEN holds something that is no token"),
    ],
)
def test_without_a_token_it_says_which_to_set(
    service: GitlabService, tmp_path: Path, environ: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught, FORGE.connect(tools_for(service, tmp_path, environ=environ)):
        pass
    assert problem in str(caught.value)
    assert "two words" not in str(caught.value)


def test_the_users_token_counts_more_than_gitlabs(service: GitlabService, tmp_path: Path) -> None:
    for environ in ({"ACCESS_TOKEN": TOKEN, "GITLAB_TOKEN": "other"}, {"GITLAB_TOKEN": TOKEN}):
        with FORGE.connect(tools_for(service, tmp_path, environ=environ)) as client:
            assert list(client.open_reviews()) == []


JOB = {"CI_SERVER_URL": "https://git.example", "CI_API_V4_URL": "https://git.example/api/v4", "CI_PROJECT_ID": "7"}


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ("", JOB, ("https://git.example", "7")),
        ("", {"CI_API_V4_URL": "https://h.example/x/api/v4", "CI_PROJECT_PATH": "a/b"}, ("https://h.example/x", "a/b")),
        ("CI_FORGE_PROJECT=g/s/p\n", JOB, ("https://git.example", "g/s/p")),
        ("CI_FORGE_URL=https://other.example/\nCI_FORGE_PROJECT=9\n", JOB, ("https://other.example", "9")),
        (f"CI_FORGE_PROJECT={PATH}\n", {}, ("https://gitlab.com", PATH)),
        ("", {"CI_SERVER_URL": "http://lan.example", "CI_PROJECT_ID": "7"}, ("http://lan.example", "7")),
    ],
)
def test_explicit_keys_win_over_what_the_job_tells(
    config: str, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    found = gitlab_address(parse_settings(KeyValueFile.parse(config.encode(), file="c"), environ), environ)
    assert (found.url, found.project) == expected


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("", "CI_FORGE_PROJECT is missing"),
        ("CI_FORGE_URL=https://other.example\n", "CI_FORGE_PROJECT is missing"),
        ("CI_FORGE_URL=http://other.example\nCI_FORGE_PROJECT=1\n", "CI_FORGE_URL is not encrypted"),
        ("CI_FORGE_URL=https://u:p@other.example\nCI_FORGE_PROJECT=1\n", "CI_FORGE_URL is no address"),
        ("CI_FORGE_URL=ssh://other.example\nCI_FORGE_PROJECT=1\n", "CI_FORGE_URL is no address"),
        ("CI_FORGE_PROJECT=one\n", "is neither a project's number nor its path"),
        ("CI_FORGE_PROJECT=../../users\n", "is neither a project's number nor its path"),
    ],
)
def test_an_address_that_cannot_be_is_named_with_its_key(config: str, problem: str) -> None:
    environ = {"CI_PROJECT_ID": "7"}
    with pytest.raises(ConfigError) as caught:
        gitlab_address(parse_settings(KeyValueFile.parse(config.encode(), file="c"), environ), environ)
    assert problem in str(caught.value)
