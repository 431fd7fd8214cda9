"""Commands about builds where a chaotic-manager builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.manager_service import Log, ManagerService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.world import World


@pytest.fixture
def manager(world: World) -> Iterator[ManagerService]:
    """One that builds for a checkout, whose `.ci/config` names it."""
    with ManagerService() as service:
        (world.work / ".ci").mkdir(parents=True)
        config = f"REPO_NAME=extras\nCI_BACKEND=chaotic_manager\nCI_MANAGER_URL={service.url}\n"
        (world.work / ".ci/config").write_text(config)
        service.build("extras/x86_64/paru", "box-1", 2)
        service.queue("extras/x86_64/app")
        service.logs["paru"] = Log(b"==> Starting build()\n")
        service.logs["old"] = Log(b"==> Starting build()\nJob extras/x86_64/old failed\r\n")
        yield service


def test_the_list_has_what_goes_on_and_says_that_the_rest_is_not_told(world: World, manager: ManagerService) -> None:
    result = world.run("builds", "list")
    assert result.status == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:3] for line in lines] == [["1", "paru", "building"], ["2", "app", "queued"]]
    assert "it is built by box-1" in result.stdout
    assert " ago" not in result.stdout
    assert "lists what waits or is built" in result.stderr
    found = json.loads(world.run("builds", "list", "--json").stdout)
    assert [(job["package"], job["worker"], job["queued_at"]) for job in found] == [
        ("paru", "box-1", None),
        ("app", None, None),
    ]


def test_a_package_that_is_named_is_told_with_how_it_ended(world: World, manager: ManagerService) -> None:
    result = world.run("builds", "list", "old", "app")
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [["-", "old", "failed"], ["2", "app", "queued"]]
    assert result.stderr == ""


def test_a_build_is_shown_with_what_is_known_of_it(world: World, manager: ManagerService) -> None:
    result = world.run("builds", "show", "paru")
    assert result.status == 0
    assert result.stdout == (
        "job 1: paru\n  building: it is built by box-1\n  builder class 2\n  on worker box-1\n  log: ci-toolkit logs 1\n"
    )
    assert "does not tell how a build came to where it is" in result.stderr
    assert world.run("builds", "show", "old", "--json").json["transitions"] == []


def test_logs_of_what_goes_on_and_of_what_is_over(world: World, manager: ManagerService) -> None:
    assert world.run("logs", "--follow", "paru").stdout == "==> Starting build()\n"
    assert world.run("logs", "1").stdout == "==> Starting build()\n"
    assert world.run("logs", "old").stdout.endswith("Job extras/x86_64/old failed\r\n")
    unknown = world.run("logs", "parru")
    assert unknown.status == 7
    assert "did you mean paru?" in unknown.stderr


def test_what_it_cannot_do_is_said(world: World, manager: ManagerService) -> None:
    for verb in ("cancel", "retry"):
        result = world.run("builds", verb, "paru")
        assert result.status == 12
        assert "ci-toolkit schedule paru" in result.stderr


@pytest.mark.parametrize("command", [("builds", "list"), ("builds", "show", "paru"), ("logs", "paru")], ids=" ".join)
def test_without_an_address_it_is_said_what_to_set(
    world: World, manager: ManagerService, command: tuple[str, ...]
) -> None:
    (world.work / ".ci/config").write_text("CI_BACKEND=chaotic_manager\n")
    result = world.run(*command)
    assert result.status == 12
    assert "set CI_MANAGER_URL in .ci/config" in result.stderr
