"""Who is let in: every route, with no token, a wrong one, and one that is not for it."""

from __future__ import annotations

import base64
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from ci_toolkit.farm.web.access import Access
from ci_toolkit.farm.web.app import all_routes
from ci_toolkit.farm.web.routes import SCHEDULE_TYPE
from tests.support.jobs import schedule
from tests.support.quiet_farm import OPERATOR, STRANGER, TOKEN, QuietFarm, ServedFarm, bearer, hand_in, handed, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.farm.web.route import Route

ROUTES = all_routes()
FILLED = {"<repository>": "samples", "<int:number>": "1", "<worker>": "w1", "<pkgbase>": "a", "<timestamp>": "100"}
WRONG = {
    "none": {},
    "unknown": bearer("no-such-token"),
    "empty": {"Authorization": "Bearer "},
    "cut": bearer(TOKEN[:-1]),
    "longer": bearer(f"{TOKEN}x"),
    "another-scheme": {"Authorization": f"Token {TOKEN}"},
    "huge": bearer("x" * 9_000),
    "not-ascii": {"Authorization": "Bearer t\xf6ken"},
}


def name_of(route: Route) -> str:
    return route.name


@pytest.fixture(scope="module", params=[True, False], ids=["public", "private"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFarm]:
    with served(QuietFarm(tmp_path_factory.mktemp("farm"), is_public=request.param)) as running:
        running.farm.add_worker("w1")
        hand_in(running.url, handed(schedule("r1", "a", "b")))
        yield running


def asked(farm: ServedFarm, route: Route, headers: dict[str, str]) -> requests.Response:
    path = route.rule
    for place, value in FILLED.items():
        path = path.replace(place, value)
    own = dict(headers)
    body = None
    if route.body is not None:
        body = b"{}"
        own["Content-Type"] = route.body.content_type
    return requests.request(route.method, f"{farm.url}{path}", data=body, headers=own, timeout=20)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_nobody_without_a_right_token_is_let_in(either: ServedFarm, route: Route) -> None:
    answers = {name: asked(either, route, headers) for name, headers in WRONG.items()}
    is_open = route.access is Access.OPEN
    for name, answer in answers.items():
        is_let_in = is_open or (name == "none" and route.access is Access.READ and either.farm.is_public)
        assert (answer.status_code == 401) is not is_let_in, name
    refused = [answer for answer in answers.values() if answer.status_code == 401]
    challenges = {answer.headers["WWW-Authenticate"] for answer in refused}
    assert len(challenges) <= 1
    assert len({answer.content for answer in refused}) <= 1, "a wrong token is answered like a missing one"
    assert all(("Bearer" in challenge) for challenge in challenges)
    if route.access.needs_client:
        assert either.farm.machines["w1"].state.value == "idle"


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access.needs_client], ids=name_of)
def test_a_client_of_something_else_changes_nothing(either: ServedFarm, route: Route) -> None:
    either.farm.woken.clear()
    assert asked(either, route, bearer(STRANGER)).status_code in (403, 404)
    assert either.farm.woken == []
    assert either.farm.machines["w1"].state.value == "idle"


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access.needs_client], ids=name_of)
def test_what_a_browser_sends_by_itself_writes_nothing(either: ServedFarm, route: Route) -> None:
    assert asked(either, route, basic(OPERATOR)).status_code == 401


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access is Access.READ], ids=name_of)
def test_clients_read_with_a_bearers_token_or_a_browsers_password(either: ServedFarm, route: Route) -> None:
    for headers in (bearer(TOKEN), bearer(STRANGER), basic(TOKEN)):
        answer = asked(either, route, headers)
        assert answer.status_code == 200 or (answer.status_code == 404 and "log" in route.name)


def test_sources_are_spoken_for_by_their_own_clients(either: ServedFarm) -> None:
    def status(**where: str) -> int:
        return hand_in(either.url, handed(schedule("r2", "z")), **where).status_code

    assert status(token=TOKEN, repository="other", source="other") == 403
    assert status(token=TOKEN, repository="samples", source="other") == 404
    assert status(token=TOKEN, repository="none", source="samples") == 404
    assert status(token=STRANGER, repository="samples", source="samples") == 403


def test_why_a_private_farm_is_not_ready_is_for_clients(either: ServedFarm) -> None:
    either.farm.broken["samples"] = "the disk is full"
    try:
        for headers, is_told in (
            ({}, either.farm.is_public),
            (bearer("wrong"), either.farm.is_public),
            (bearer(TOKEN), True),
        ):
            answer = requests.get(f"{either.url}/readyz", headers=headers, timeout=20)
            assert answer.status_code == 503
            assert ("the disk is full" in answer.text) is is_told
    finally:
        either.farm.broken.clear()
    assert requests.get(f"{either.url}/readyz", timeout=20).json() == {"ready": True, "faults": {}}


# before a body is read


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer("wrong"), 401),
        ({"Authorization": f"Basic {base64.b64encode(f'x:{TOKEN}'.encode()).decode()}"}, 401),
        ({**bearer(TOKEN), "Content-Length": str(257 << 20), "Content-Type": SCHEDULE_TYPE}, 413),
        ({**bearer(TOKEN), "Content-Length": "70000", "Content-Type": "application/json"}, 413),
        ({**bearer(TOKEN), "Content-Type": "text/plain"}, 415),
        ({**bearer(TOKEN), "Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({**bearer(TOKEN), "Content-Type": SCHEDULE_TYPE, "Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_what_is_not_wanted_is_answered_before_it_is_sent(
    either: ServedFarm, headers: dict[str, str], status: int
) -> None:
    address = urlsplit(either.url)
    sent = {"Content-Length": str(100 << 20), **headers}
    if "Transfer-Encoding" in sent:
        del sent["Content-Length"]
    lines = ["POST /api/repositories/samples/schedules?source=samples HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in sent.items()]
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = connection.recv(65_536)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        # What comes all the same is dropped, and the connection ends.
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < 20:
                connection.sendall(b"x" * 65_536)
        except OSError:
            pass
        assert time.monotonic() - begun < 10


def basic(token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'anybody:{token}'.encode()).decode()}"}
