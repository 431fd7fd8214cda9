"""The HTTP client against a server that misbehaves."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.addresses import is_public
from ci_toolkit.effects.remote_heads import address_options
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.source_url import parse_git_url
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from tests.support.upstreams import Upstreams

LOCAL = WebManners(allow_local=True, read_timeout_s=0.5)


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def web(clock: QuickClock) -> Web:
    return Web(clock=clock, manners=LOCAL)


def ask(web: Web, upstreams: Upstreams, path: str = "/files/x", limit: int = 10_000) -> bytes:
    return web.get(upstreams.url + path, limit_bytes=limit).body


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_asked_again(web: Web, upstreams: Upstreams, status: int) -> None:
    upstreams.fail("file", status=status, times=2)
    upstreams.fail("file", status=200, body=b"fine")
    assert ask(web, upstreams) == b"fine"
    assert upstreams.count()["file"] == 3


def test_waiting_grows_and_obeys_retry_after(web: Web, upstreams: Upstreams, clock: QuickClock) -> None:
    upstreams.fail("file", status=503, headers={"Retry-After": "7"}, times=1)
    upstreams.fail("file", status=503, times=1)
    upstreams.fail("file", status=200)
    ask(web, upstreams)
    assert clock.slept[0] == 7
    assert 0.5 <= clock.slept[1] <= 1.5


def test_a_wait_that_is_too_long_is_not_waited(web: Web, upstreams: Upstreams, clock: QuickClock) -> None:
    upstreams.fail("file", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(UpstreamError, match="answers 429"):
        ask(web, upstreams)
    assert clock.slept == []


@pytest.mark.parametrize(("fault", "why"), [({"cut": True}, "cut off"), ({"hang_s": 3.0}, "no answer in time")])
def test_cut_and_slow_answers_are_retried_and_then_named(
    web: Web, upstreams: Upstreams, fault: dict[str, bool], why: str
) -> None:
    upstreams.fail("file", **fault)
    with pytest.raises(UpstreamError, match=why):
        ask(web, upstreams)
    assert upstreams.count()["file"] == 3


def test_a_missing_page_is_asked_for_once(web: Web, upstreams: Upstreams) -> None:
    with pytest.raises(UpstreamError, match="/files/x answers 404"):
        ask(web, upstreams)
    assert upstreams.count()["file"] == 1


def test_a_host_that_keeps_failing_is_given_up(web: Web, upstreams: Upstreams) -> None:
    upstreams.fail("file", status=500)
    for _ in range(3):
        with pytest.raises(UpstreamError, match="answers 500"):
            ask(web, upstreams)
    seen = upstreams.count()["file"]
    with pytest.raises(UpstreamError, match="given up for this run"):
        ask(web, upstreams)
    assert upstreams.count()["file"] == seen


def test_redirects_are_followed_with_the_same_method_and_not_for_ever(web: Web, upstreams: Upstreams) -> None:
    upstreams.fail(lambda seen: seen.path == "/files/old", status=301, headers={"Location": "/files/new"})
    upstreams.fail(lambda seen: seen.path == "/files/new", status=200, body=b"moved")
    answer = web.post(f"{upstreams.url}/files/old", b"body", limit_bytes=100, headers={}, kind="test")
    assert answer.body == b"moved"
    assert [seen.method for seen in upstreams.seen] == ["POST", "POST"]
    upstreams.fail(lambda seen: seen.path == "/files/loop", status=302, headers={"Location": "/files/loop"})
    with pytest.raises(UpstreamError, match="redirects more than 5 times"):
        ask(web, upstreams, "/files/loop")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/", "http://user:secret@127.0.0.1/"])
def test_redirects_to_other_places_are_not_followed(web: Web, upstreams: Upstreams, target: str) -> None:
    upstreams.fail("file", status=302, headers={"Location": target})
    with pytest.raises(UpstreamError, match="not followed") as caught:
        ask(web, upstreams)
    assert "secret" not in str(caught.value)


def test_a_body_beyond_the_limit_is_not_read(web: Web, upstreams: Upstreams) -> None:
    upstreams.fail("file", status=200, body=b"x" * 100_000)
    with pytest.raises(UpstreamError, match="more than 10000 bytes"):
        ask(web, upstreams)


def test_a_redirect_with_a_body_beyond_the_limit_is_not_read_either(web: Web, upstreams: Upstreams) -> None:
    bomb = {"status": 302, "headers": {"Location": "/files/x", "Content-Encoding": "gzip"}}
    upstreams.fail("file", **bomb, body=gzip.compress(b"x" * 100_000_000))
    with pytest.raises(UpstreamError, match="more than 10000 bytes"):
        ask(web, upstreams)


def test_a_local_address_is_refused_before_anything_is_sent(clock: QuickClock, upstreams: Upstreams) -> None:
    careful = Web(clock=clock, manners=WebManners())
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(UpstreamError, match="which upstreams may not"):
            careful.get(upstreams.url.replace("127.0.0.1", host), limit_bytes=100)
    assert upstreams.seen == []


def test_a_redirect_into_the_machine_is_refused_too(upstreams: Upstreams, clock: QuickClock) -> None:
    careful = Web(clock=clock, manners=WebManners())
    upstreams.fail("file", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})
    with pytest.raises(UpstreamError):
        careful.get(f"{upstreams.url}/files/x", limit_bytes=100)


def test_requests_to_one_host_keep_their_distance(upstreams: Upstreams, clock: QuickClock) -> None:
    slow = Web(clock=clock, manners=WebManners(allow_local=True, delay_s=5))
    upstreams.fail("file", status=200)
    for _ in range(3):
        ask(slow, upstreams)
    assert sum(clock.slept) == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "address", "pin"),
    [
        ("https://example.org/x.git", "1.1.1.1", "http.curloptResolve=example.org:443:1.1.1.1"),
        ("http://example.org:8080/x", "2606:4700::1111", "http.curloptResolve=example.org:8080:[2606:4700::1111]"),
        ("ssh://git@example.org/x", "1.1.1.1", None),
    ],
)
def test_git_is_tied_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, url: str, address: str, pin: str | None
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 0))])
    options = address_options(parse_git_url(url), allow_local=False)
    assert "http.followRedirects=false" in options
    assert [option for option in options if "Resolve" in option] == ([pin] if pin else [])


def test_git_is_not_started_for_a_local_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 0))])
    with pytest.raises(UpstreamError, match=r"lies at 10\.0\.0\.1"):
        address_options(parse_git_url("git://example.org/x"), allow_local=False)
    assert "http.followRedirects=false" in address_options(parse_git_url("git://example.org/x"), allow_local=True)


def test_credentials_that_the_user_keeps_for_a_host_are_not_sent(web: Web, upstreams: Upstreams) -> None:
    netrc = Path(os.environ["HOME"]) / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    upstreams.fail("file", status=200)
    ask(web, upstreams)
    assert upstreams.credentials == []


@pytest.mark.parametrize("name", ["Authorization", "authorization", "PRIVATE-TOKEN", "Cookie"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_a_redirect_takes_credentials_to_no_other_host(web: Web, upstreams: Upstreams, name: str, host: str) -> None:
    there = f"{upstreams.url.replace('127.0.0.1', host)}/files/there"
    upstreams.fail("file", status=302, headers={"Location": there}, times=1)
    with pytest.raises(UpstreamError, match="is not followed"):
        web.get(f"{upstreams.url}/files/here", limit_bytes=100, headers={name: "bearer canary"})
    assert [seen.path for seen in upstreams.seen] == ["/files/here"]


def test_a_redirect_keeps_credentials_at_the_same_host(web: Web, upstreams: Upstreams) -> None:
    upstreams.fail("file", status=302, headers={"Location": "/files/there"}, times=1)
    upstreams.fail("file", status=200)
    web.get(f"{upstreams.url}/files/here", limit_bytes=100, headers={"Authorization": "bearer canary"})
    assert upstreams.credentials == ["bearer canary"] * 2


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:99999/", "http://[::1", "//[x]/"])
def test_redirects_to_what_is_no_url_are_refused(web: Web, upstreams: Upstreams, location: str) -> None:
    upstreams.fail("file", status=302, headers={"Location": location})
    with pytest.raises(UpstreamError):
        ask(web, upstreams)
