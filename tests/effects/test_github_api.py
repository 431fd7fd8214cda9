"""GitHub's API for many heads at once: what it answers, how it refuses, and where its token goes."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.github_api import REPOSITORIES_A_REQUEST, GithubApi, decode_heads, encode_query
from ci_toolkit.effects.token import Token, github_token
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.formats.service_url import parse_service
from ci_toolkit.formats.source_url import parse_git_url
from tests.support.packages import SamplePackage
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.upstreams import Upstreams
    from tests.support.world import World

CANARY = "ghp_Canary0123456789secret"
OID, OTHER = "1" * 40, "2" * 40
JSON = {"Content-Type": "application/json"}
ONE = {("o", "n"): ("HEAD",)}


@pytest.fixture
def api(upstreams: Upstreams) -> GithubApi:
    upstreams.apis.token = CANARY
    web = Web(clock=QuickClock(), manners=WebManners(allow_local=True, read_timeout_s=0.5))
    return GithubApi(web=web, service=parse_service(upstreams.url, allow_local=True), token=Token(CANARY))


def serve(upstreams: Upstreams, *paths: str, **refs: str) -> None:
    for path in paths:
        upstreams.virtual[f"/{path}.git"] = {"HEAD": OID, "refs/heads/main": OID, **refs}


def test_refs_of_several_repositories_come_with_one_request(api: GithubApi, upstreams: Upstreams) -> None:
    serve(upstreams, "o/n", **{"refs/heads/next": OTHER})
    serve(upstreams, "o/other")
    wanted = {("o", "n"): ("HEAD", "refs/heads/next", "refs/heads/gone"), ("o", "other"): ("HEAD",)}
    assert api.heads(wanted) == {
        ("o", "n"): {"HEAD": OID, "refs/heads/next": OTHER},
        ("o", "other"): {"HEAD": OID},
    }
    assert upstreams.count() == {"graphql": 1}


def test_a_thousand_repositories_take_seven_requests(api: GithubApi, upstreams: Upstreams) -> None:
    names = [f"n{number}" for number in range(1000)]
    serve(upstreams, *(f"o/{name}" for name in names))
    found = api.heads({("o", name): ("HEAD",) for name in names})
    assert len(found) == 1000
    assert upstreams.count() == {"graphql": -(-1000 // REPOSITORIES_A_REQUEST)} == {"graphql": 7}


def test_what_is_missing_or_forbidden_is_left_out_and_the_rest_is_not(api: GithubApi, upstreams: Upstreams) -> None:
    serve(upstreams, "o/n", "o/secret")
    upstreams.apis.forbidden.add("o/secret")
    asked = {("o", "gone"): ("HEAD",), ("o", "secret"): ("HEAD",), ("o", "n"): ("HEAD",)}
    assert api.heads(asked) == {("o", "n"): {"HEAD": OID}}


def test_an_empty_repository_has_no_head(api: GithubApi, upstreams: Upstreams) -> None:
    upstreams.virtual["/o/n.git"] = {}
    assert api.heads(ONE) == {("o", "n"): {}}


@pytest.mark.parametrize(
    "name", ["", ".", "..", 'x"){id}', "$(x)", "a/b", "a b", "a\nb", "a%2fb", "ä", "x" * 101, "a:b", "a@b"]
)
def test_names_that_are_none_are_not_sent(api: GithubApi, upstreams: Upstreams, name: str) -> None:
    assert api.heads({("o", name): ("HEAD",), (name, "n"): ("HEAD",)}) == {}
    assert upstreams.count() == {}


@pytest.mark.parametrize("ref", ['x"){id}', "$(x)", "ünicode", "a}b{c", "$o0", "\\", "x" * 280])
def test_hostile_branch_names_are_text_and_nothing_else(api: GithubApi, upstreams: Upstreams, ref: str) -> None:
    serve(upstreams, "o/n", **{f"refs/heads/{ref}": OTHER})
    assert api.heads({("o", "n"): (f"refs/heads/{ref}",)}) == {("o", "n"): {f"refs/heads/{ref}": OTHER}}
    assert ref not in upstreams.apis.queries[0]["query"] or ref == "$o0"


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/heads/\n", "refs/heads/" + "x" * 300, "", "main"])
def test_refs_that_are_no_branches_are_not_asked(api: GithubApi, upstreams: Upstreams, ref: str) -> None:
    serve(upstreams, "o/n", **{ref: OTHER})
    assert api.heads({("o", "n"): (ref,)}) == {("o", "n"): {}}
    assert upstreams.apis.queries[0]["variables"] == {"o0": "o", "n0": "n"}


def _body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"status": 401, "body": b'{"message": "Bad credentials"}'}, "answers 401"),
        ({"status": 403, "headers": {"X-RateLimit-Remaining": "0", "Retry-After": "60"}}, "answers 403"),
        ({"status": 429, "headers": {"Retry-After": "3600"}}, "answers 429"),
        ({"status": 502}, "answers 502"),
        ({"status": 503, "headers": {"Retry-After": "1"}}, "answers 503"),
        ({"cut": True}, "cut off"),
        ({"hang_s": 3.0}, "no answer in time"),
        ({"status": 304}, "answers 304, which nobody asked for"),
        ({"status": 204, "headers": JSON}, "answers 204"),
        ({"status": 200, "body": b"<html>", "headers": {"Content-Type": "text/html"}}, "else than JSON: 'text/html'"),
        ({"status": 200, "body": _body({"data": {}})}, "else than JSON: ''"),
        ({"status": 200, "body": b'{"data": {"a0"', "headers": JSON}, "broken JSON"),
        ({"status": 200, "body": b"\xff", "headers": JSON}, "broken JSON"),
        ({"status": 200, "body": b"[" * 100_000, "headers": JSON}, "broken JSON"),
        ({"status": 200, "body": b"9" * 10_000, "headers": JSON}, "broken JSON"),
        ({"status": 200, "body": b"NaN", "headers": JSON}, "broken JSON"),
        ({"status": 200, "body": b"null", "headers": JSON}, "none of GraphQL"),
        ({"status": 200, "body": b"[]", "headers": JSON}, "none of GraphQL"),
        ({"status": 200, "body": b'{"data": null}', "headers": JSON}, "none of GraphQL"),
        ({"status": 200, "body": gzip.compress(b" " * 50_000_000, 9), "headers": {**JSON, "Content-Encoding": "gzip"}}, "broken JSON"),
        ({"status": 200, "body": b" " * (5 << 20), "headers": JSON}, "more than 4194304 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_request_that_fails_as_a_whole_is_an_error(
    api: GithubApi, upstreams: Upstreams, fault: dict[str, Any], why: str
) -> None:
    upstreams.fail("graphql", **fault)
    with pytest.raises(UpstreamError, match=why) as caught:
        api.heads(ONE)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("limit", "why"), [(200, "RATE_LIMITED"), (403, "403"), (429, "429")])
def test_a_rate_limit_is_an_error(api: GithubApi, upstreams: Upstreams, limit: int, why: str) -> None:
    upstreams.apis.limit = limit
    with pytest.raises(UpstreamError, match=why):
        api.heads(ONE)


def test_a_refused_token_is_an_error_that_does_not_show_it(api: GithubApi, upstreams: Upstreams) -> None:
    upstreams.apis.token = "another"
    with pytest.raises(UpstreamError, match="answers 401") as caught:
        api.heads(ONE)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert upstreams.count()["graphql"] == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"data": {"a0": 1}}, "in place of a repository"),
        ({"data": {"a0": []}}, "in place of a repository"),
        ({"data": {"a0": {}}}, "in place of a commit"),
        ({"data": {"a0": {"r0": "x"}}}, "in place of a commit"),
        ({"data": {"a0": {"r0": {"target": None}}}}, "in place of a commit"),
        ({"data": {"a0": {"r0": {"target": {"oid": "main"}}}}}, "in place of a commit"),
        ({"data": {"a0": {"r0": {"target": {"oid": OID.upper() + "\n"}}}}}, "in place of a commit"),
        ({"data": {"a0": {"r0": {"target": {"oid": 1}}}}}, "in place of a commit"),
        ({"data": {}, "errors": {}}, "list of errors is none"),
        ({"data": {}, "errors": [{"type": "SOME_LIMIT"}]}, "refuses: SOME_LIMIT"),
        ({"data": {}, "errors": [{"path": [], "type": f"<{CANARY}>"}]}, "without a known type"),
        ({"errors": [1]}, "without a known type"),
        ({"errors": None}, "without a known type"),
    ],
)
def test_answers_of_another_shape_are_refused(answer: Any, why: str) -> None:
    with pytest.raises(UpstreamError, match=why):
        decode_heads(answer, ONE)


def test_what_an_answer_says_beyond_the_question_is_not_looked_at() -> None:
    answer = {"data": {"a0": {"r0": {"target": {"oid": OID}}, "r7": 3}, "a9": {"r0": {"target": {"oid": OTHER}}}}}
    assert decode_heads(answer, ONE) == {("o", "n"): {"HEAD": OID}}
    in_doubt = {**answer, "errors": [{"path": ["a0", "r0"], "type": "INTERNAL"}]}
    assert decode_heads(in_doubt, ONE) == {}


def test_the_query_names_each_thing_once() -> None:
    assert encode_query({("o", "n"): ("HEAD", "refs/heads/x")}) == {
        "query": "query($o0:String!,$n0:String!,$q0_1:String!){a0:repository(owner:$o0,name:$n0)"
        "{id r0:defaultBranchRef{target{oid}} r1:ref(qualifiedName:$q0_1){target{oid}}}}",
        "variables": {"o0": "o", "n0": "n", "q0_1": "refs/heads/x"},
    }


# ------------------------------------------------------------------ the token


def test_the_token_goes_into_one_header_of_one_request(api: GithubApi, upstreams: Upstreams) -> None:
    serve(upstreams, "o/n")
    api.heads(ONE)
    host = upstreams.url.removeprefix("http://")
    assert upstreams.apis.authorizations == [(host, "/api/graphql", f"bearer {CANARY}")]
    assert CANARY not in json.dumps(upstreams.apis.queries)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://localhost:{port}/api/graphql", "http://127.0.0.1:1/api/graphql", "https://127.0.0.1:{port}/x", "//localhost:{port}/x"])  # fmt: skip
def test_no_redirect_takes_the_token_elsewhere(api: GithubApi, upstreams: Upstreams, status: int, target: str) -> None:
    location = target.format(port=upstreams.url.rpartition(":")[2])
    upstreams.fail(lambda seen: seen.path == "/api/graphql", status=status, headers={"Location": location}, times=1)
    with pytest.raises(UpstreamError, match="is not followed"):
        api.heads(ONE)
    assert len(upstreams.seen) == 1


def test_an_answer_from_another_path_of_the_host_is_not_taken(api: GithubApi, upstreams: Upstreams) -> None:
    upstreams.fail(lambda seen: seen.path == "/api/graphql", status=307, headers={"Location": "/files/x"})
    upstreams.fail("file", status=200, headers=JSON, body=_body({"data": {"a0": {"r0": {"target": {"oid": OID}}}}}))
    with pytest.raises(UpstreamError, match="from another place"):
        api.heads(ONE)


def test_a_redirect_loop_ends(api: GithubApi, upstreams: Upstreams) -> None:
    upstreams.fail("graphql", status=302, headers={"Location": "/api/graphql"})
    with pytest.raises(UpstreamError, match="redirects more than 5 times"):
        api.heads(ONE)


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda token: f"{token!r}"])
def test_the_token_shows_itself_to_nobody(api: GithubApi, show: Callable[[object], str]) -> None:
    assert CANARY not in show(api)
    assert CANARY not in show(api.token)
    with pytest.raises(TypeError):
        pickle.dumps(api.token)


@pytest.mark.parametrize("text", ["a b", "a\nb", "ä", f"{CANARY}\r\nX-Evil: 1", "x" * 1025])
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="no bearer token") as caught:
        Token(text)
    assert text not in str(caught.value)


def test_which_variable_counts() -> None:
    assert github_token({}) is None
    assert github_token({"GH_TOKEN": " ", "GITHUB_TOKEN": ""}) is None
    both = github_token({"GH_TOKEN": f"{CANARY}\n", "GITHUB_TOKEN": "b"})
    assert both is not None
    assert both.header() == {"Authorization": f"bearer {CANARY}"}


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/o/n", ("o", "n")),
        ("https://github.com/o/n.git", ("o", "n")),
        ("https://github.com/o/n.git/", ("o", "n")),
        ("http://GitHub.com/o/n", ("o", "n")),
        ("https://github.com:443/o/n.js", ("o", "n.js")),
        ("https://github.com/o", None),
        ("https://github.com/o/n/x", None),
        ("https://github.com//n", None),
        ("https://github.com/o/..", None),
        ("https://github.com/o/%6e", None),
        ("https://github.com:8443/o/n", None),
        ("https://github.com.evil.org/o/n", None),
        ("https://gitlab.com/o/n", None),
        ("ssh://git@github.com/o/n", None),
        ("git://github.com/o/n", None),
    ],
)
def test_which_remotes_lie_on_github(url: str, repository: tuple[str, str] | None) -> None:
    assert parse_service("https://github.com").repository(parse_git_url(url)) == repository


@pytest.mark.parametrize("url", ["https://github.com", "https://github.com/"])
def test_the_public_api_has_a_host_of_its_own(url: str, api: GithubApi) -> None:
    public = GithubApi(web=api.web, service=parse_service(url), token=api.token)
    assert public._endpoint == "https://api.github.com/graphql"


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost", "http://[::1]:8080", "https://10.0.0.1"])
def test_services_that_may_be_asked(url: str) -> None:
    assert parse_service(url, allow_local=True).url == url


@pytest.mark.parametrize(
    ("url", "allow_local"),
    [
        ("http://github.com", True),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1.evil.org", True),
        ("http://localhost.evil.org", True),
        ("https://user@github.com", True),
        ("https://github.com/path", True),
        ("https://github.com?x", True),
        ("file:///x", True),
        ("ssh://github.com", True),
        ("github.com", True),
        ("", True),
    ],
)
def test_services_that_may_not_be_asked(url: str, allow_local: bool) -> None:
    with pytest.raises(ConfigError):
        parse_service(url, allow_local=allow_local)


# ------------------------------------------------------------------ in a run


def vcs_packages(world: World, count: int, *, source: str = "{url}/o/p{number}.git") -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    for number in range(count):
        serve(world.upstreams, f"o/p{number}")
        url = source.format(url=world.upstreams.url, number=number)
        files |= SamplePackage(name=f"p{number}-git", git_source=url).folder("CI_PKGBUILD_SOURCE=custom\n")
    return files


def start(world: World, files: dict[str, str | bytes], github_url: str | None = None) -> None:
    world.upstreams.apis.token = CANARY
    world.start(files, settings={"CI_GITHUB_URL": github_url or world.upstreams.url})
    world.upstreams.forget()


@pytest.mark.parametrize("variable", ["GH_TOKEN", "GITHUB_TOKEN"])
def test_a_run_with_a_token_asks_once_and_finds_the_same(world: World, variable: str) -> None:
    start(world, vcs_packages(world, 20))
    without = world.run("on-schedule", "--json", "--dry-run")
    assert (world.upstreams.count()["ls-refs"], world.upstreams.count()["graphql"]) == (20, 0)
    world.upstreams.forget()
    with_token = world.run("--verbose", "on-schedule", "--json", "--dry-run", **{variable: CANARY})
    assert (world.upstreams.count()["ls-refs"], world.upstreams.count()["graphql"]) == (0, 1)
    assert without.verdicts() == with_token.verdicts()
    assert CANARY not in with_token.stdout + with_token.stderr
    assert {path for _, path, _ in world.upstreams.apis.authorizations} == {"/api/graphql"}
    kept = [path for path in world.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert kept == []


def test_what_github_does_not_know_is_asked_with_git(world: World) -> None:
    files = vcs_packages(world, 3)
    world.upstreams.apis.forbidden.add("o/p1")
    main = SamplePackage(name="branch-git", git_source=f"{world.upstreams.url}/o/p0.git#branch=gone")
    deep = SamplePackage(name="deep-git", git_source=f"{world.upstreams.url}/a/b/c.git")
    serve(world.upstreams, "a/b/c")
    for package in (main, deep):
        files |= package.folder("CI_PKGBUILD_SOURCE=custom\n")
    start(world, files)
    result = world.run("on-schedule", "--json", "--dry-run", GITHUB_TOKEN=CANARY)
    asked = [seen.path for seen in world.upstreams.seen if seen.kind == "ls-refs"]
    assert sorted(asked) == [f"/{path}.git/git-upload-pack" for path in ("a/b/c", "o/p0", "o/p1")]
    assert "has no 'gone' to follow" in json.dumps(result.verdicts()["branch-git"])


@pytest.mark.parametrize(
    "fault", [{"status": 502}, {"status": 403}, {"status": 200, "body": b"null", "headers": JSON}, {"cut": True}]
)
def test_a_run_without_the_api_falls_back(
    world: World, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    start(world, vcs_packages(world, 3))
    world.upstreams.fail("graphql", **fault)
    result = world.run("--verbose", "on-schedule", "--json", "--dry-run", GITHUB_TOKEN=CANARY)
    assert world.upstreams.count()["ls-refs"] == 3
    assert "could-not-ask" not in result.codes().values()
    assert CANARY not in result.stdout + result.stderr + caplog.text


def test_an_api_that_keeps_failing_does_not_give_its_host_up(world: World) -> None:
    start(world, vcs_packages(world, 4 * REPOSITORIES_A_REQUEST))
    world.upstreams.fail("graphql", status=503)
    result = world.run("on-schedule", "--json", "--dry-run", GITHUB_TOKEN=CANARY)
    assert world.upstreams.count()["ls-refs"] == 4 * REPOSITORIES_A_REQUEST
    assert "given up" not in result.stdout


def test_a_token_is_not_sent_without_encryption(world: World) -> None:
    start(world, vcs_packages(world, 1), github_url="http://github.example.org")
    result = world.run("on-schedule", "--dry-run", GITHUB_TOKEN=CANARY)
    assert result.status == ConfigError.exit_status
    assert "CI_GITHUB_URL is not encrypted" in result.stderr
    assert world.upstreams.apis.authorizations == []


def test_a_variable_without_a_token_in_it_is_said_and_passed_over(world: World) -> None:
    start(world, vcs_packages(world, 1))
    result = world.run("on-schedule", "--json", "--dry-run", GITHUB_TOKEN="not a token")
    assert "is no token" in result.stderr
    assert world.upstreams.count()["graphql"] == 0


@pytest.mark.parametrize("service", ["GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_another_services_token_is_not_sent_to_github(service: str) -> None:
    assert github_token({"GITHUB_TOKEN": "a", service: "true"}) is None
    token = github_token({"GITHUB_TOKEN": "a", "GH_TOKEN": "b", service: "true"})
    assert token is not None
    assert token.header() == {"Authorization": "bearer b"}
