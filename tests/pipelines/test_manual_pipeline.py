"""One command for every CI job: what the variables say is what is done, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World


@pytest.fixture
def three(world: World) -> World:
    """Two packages that wait for triggers, one of the AUR; on-commit is due for none."""
    folders = [
        SamplePackage(name="nightly").folder("CI_PKGBUILD_SOURCE=custom\nCI_ON_TRIGGER=night\n"),
        SamplePackage(name="weekly").folder("CI_PKGBUILD_SOURCE=custom\nCI_ON_TRIGGER=week\n"),
        SamplePackage(name="foo").folder(),
    ]
    world.upstreams.publish("foo", SamplePackage(name="foo").files())
    world.upstreams.publish("new", SamplePackage(name="new").files())
    world.start({path: text for folder in folders for path, text in folder.items()})
    return world


def test_a_trigger_by_hand_schedules_what_waits_for_it_and_asks_no_upstream(three: World) -> None:
    three.upstreams.forget()
    for result in (three.run("run-schedule", "night", "--json"), three.run("run-schedule", "--json", TRIGGER="night")):
        assert (result.status, result.builds()) == (0, ["nightly"])
        assert result.codes() == {"nightly": "triggered", "weekly": "other-trigger", "foo": "other-trigger"}
    assert not three.upstreams.count()["dump"]
    assert three.run("run-schedule", "week", "--json", TRIGGER="night").builds() == ["weekly"]


def test_a_run_by_hand_without_a_trigger_is_the_timers(three: World) -> None:
    result = three.run("run-schedule", "--json")
    assert (result.status, result.codes()["foo"]) == (0, "baseline")
    assert three.state("foo")


@pytest.mark.parametrize(
    ("variables", "pipeline", "builds"),
    [
        ({"OPERATION": "Schedule Packages", "PACKAGES": "foo:weekly"}, "schedule", {"foo", "weekly"}),
        ({"TRIGGER": "week"}, "on-schedule", {"weekly"}),
        ({"OPERATION": "None", "TRIGGER": "week", "CI_PIPELINE_SOURCE": "schedule"}, "on-schedule", {"weekly"}),
        ({"CI_PIPELINE_SOURCE": "push"}, "on-commit", set()),
        ({"CI_PIPELINE_SOURCE": "schedule"}, "on-schedule", set()),
        ({"GITHUB_EVENT_NAME": "workflow_dispatch", "OPERATION": "None"}, "on-schedule", set()),
        ({"OPERATION": "Bump Packages", "PACKAGES": "all"}, "bump", set()),
        ({"OPERATION": "Drop Packages", "PACKAGES": "nightly"}, "drop", set()),
        ({"OPERATION": "Add Packages", "ADD_PACKAGES": "new/aur", "REQUEST_ORIGIN": "form"}, "add", set()),
    ],
)
def test_variables_lead_to_the_command(
    three: World, variables: dict[str, str], pipeline: str, builds: set[str]
) -> None:
    before = three.origin.refs()
    dry = three.run("pipeline", "--json", "--dry-run", **variables)
    assert (dry.status, dry.json["pipeline"], dry.json["dry_run"]) == (0, pipeline, True)
    assert three.origin.refs() == before
    result = three.run("pipeline", "--json", "--repository", str(three.work), **variables)
    assert (result.status, result.json["pipeline"], set(result.builds())) == (0, pipeline, builds)


def test_the_effect_is_the_commands_own(three: World) -> None:
    three.run("pipeline", OPERATION="Drop Packages", PACKAGES="nightly")
    three.run("pipeline", OPERATION="Add Packages", ADD_PACKAGES="new/aur", REQUEST_ORIGIN="form")
    tree = three.origin.tree("main")
    assert "nightly/PKGBUILD" not in tree
    assert tree["new/.CI/info"] == b"REQ_ORIGIN=form\n"


def test_what_is_not_understood_does_nothing(three: World) -> None:
    before = three.origin.refs()
    result = three.run("pipeline", CI_PIPELINE_SOURCE="merge_request_event")
    assert result.status == ConfigError.exit_status
    assert "push means on-commit" in result.stderr
    assert three.origin.refs() == before
