"""A canary token is planted; after runs that succeed and fail it is nowhere it should not be."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CANARY = "glpat-Canary+0123456789/secret"
FORMS = {
    CANARY,
    quote(CANARY, safe=""),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
    base64.b64encode(f"oauth2:{CANARY}".encode()).decode().rstrip("="),
}
FOO = SamplePackage(name="foo")


@pytest.fixture
def watched(world: World) -> World:
    """A world whose origin wants the token, and whose git notes its arguments and environment."""
    world.upstreams.publish("foo", FOO.files())
    world.start(FOO.folder())
    tools = world.folder / "tools"
    tools.mkdir()
    spy = tools / "git"
    real = shutil.which("git")
    spy.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {world.folder}/noted; env >> {world.folder}/noted\nexec {real} "$@"\n'
    )
    spy.chmod(0o755)
    world.env["PATH"] = f"{tools}:{world.env['PATH']}"
    world.upstreams.token = CANARY
    return world


def leaks(world: World, *texts: str) -> list[str]:
    """Places that hold the canary in any form."""
    places = {f"output {number}": text.encode() for number, text in enumerate(texts)}
    folders = (world.work, world.folder / "home", world.origin.path)
    for folder in folders:
        places.update({str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    places["git's arguments and environment"] = (world.folder / "noted").read_bytes()
    return [place for place, content in places.items() if any(form.encode() in content for form in FORMS)]


@pytest.mark.parametrize("surroundings", [{}, {"GITLAB_CI": "true"}, {"GITHUB_ACTIONS": "true"}])
def test_a_token_opens_the_remote_and_is_seen_nowhere(watched: World, surroundings: dict[str, str]) -> None:
    first = watched.run("--verbose", "on-schedule", ACCESS_TOKEN=CANARY, **surroundings)
    assert first.status == 0, first.stderr
    watched.upstreams.publish("foo", replace(FOO, version="1.1").files())
    second = watched.run("--verbose", "on-schedule", ACCESS_TOKEN=CANARY, **surroundings)
    assert watched.origin.subjects()[0].startswith("chore(update): foo")
    assert leaks(watched, first.stdout, first.stderr, second.stdout, second.stderr) == []


def test_a_token_that_is_refused_is_not_shown(watched: World) -> None:
    wrong = watched.run("--verbose", "on-schedule", ACCESS_TOKEN=f"{CANARY}x")
    none = watched.run("on-schedule")
    assert wrong.status != 0
    assert none.status != 0
    assert "credentials" in none.stderr
    assert leaks(watched, wrong.stdout, wrong.stderr, none.stderr) == []


def test_a_token_in_the_remote_url_is_hidden_from_errors(watched: World) -> None:
    address = watched.upstreams.url.replace("http://", f"http://oauth2:{quote(CANARY, safe='')}@")
    config = watched.work / ".git/config"
    config.write_text(config.read_text().replace(watched.upstreams.url, address))
    assert watched.run("on-schedule").status == 0
    watched.upstreams.token = "another"
    result = watched.run("--verbose", "on-schedule")
    assert result.status != 0
    assert not [form for form in FORMS if form in result.stdout + result.stderr]


def test_a_token_in_the_wrong_variable_is_not_shown_either(watched: World) -> None:
    result = watched.run("on-commit", ACCESS_TOKEN=CANARY, CI_BACKEND=CANARY)
    assert result.status != 0
    assert "CI_BACKEND names nothing that is installed" in result.stderr
    assert CANARY not in result.stderr


def test_the_token_counts_more_than_what_a_ci_service_put_into_the_remote_url(watched: World) -> None:
    address = watched.upstreams.url.replace("http://", "http://gitlab-ci-token:of-the-job@")
    config = watched.work / ".git/config"
    config.write_text(config.read_text().replace(watched.upstreams.url, address))
    watched.upstreams.publish("foo", replace(FOO, version="1.1").files())
    result = watched.run("--verbose", "on-schedule", ACCESS_TOKEN=CANARY)
    assert result.status == 0, result.stderr
    assert watched.origin.subjects()[0] == "chore(update): foo"
    assert leaks(watched, result.stdout, result.stderr) == []
    assert watched.run("on-schedule").status != 0, "the job's own token does not open it"
