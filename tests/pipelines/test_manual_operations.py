"""What people ask for by hand: schedule and drop, on a real origin over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, RefusedError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"
NAMES = ("app", "lib", "python-one", "python-two")


@pytest.fixture
def four(world: World) -> World:
    """An app that needs a library, and two of a kind."""
    folders = [SamplePackage(name=name, depends=("lib",) if name == "app" else ()).folder(CUSTOM) for name in NAMES]
    world.start({path: text for folder in folders for path, text in folder.items()})
    return world


@pytest.mark.parametrize(
    ("arguments", "builds"),
    [
        (("app",), ["app"]),
        (("app", "lib"), ["lib", "app"]),
        (("app:lib",), ["lib", "app"]),
        (("app, lib",), ["lib", "app"]),
        (("python-*",), ["python-one", "python-two"]),
        (("all",), ["lib", "python-one", "python-two", "app"]),
    ],
)
def test_lists_are_written_as_people_write_them(four: World, arguments: tuple[str, ...], builds: list[str]) -> None:
    before = four.origin.refs()
    result = four.run("schedule", "--json", *arguments)
    assert (result.status, result.builds()) == (0, builds)
    assert four.origin.refs() == before
    assert four.run("schedule", "--json", PACKAGES=" ".join(arguments)).builds() == builds


def test_a_class_may_be_given_for_this_once(four: World) -> None:
    result = four.run("schedule", "--json", "app/3", "python-*/big-one", "lib")
    assert {build["package"]: build["class"] for build in result.json["schedule"]["builds"]} == {
        "app": "3",
        "lib": None,
        "python-one": "big-one",
        "python-two": "big-one",
    }
    assert "app/3" in four.artifact("schedule-params.txt")


@pytest.mark.parametrize("operation", ["schedule", "drop"])
def test_a_name_that_does_not_exist_stops_it_for_all(four: World, operation: str) -> None:
    before = four.origin.refs()
    result = four.run(operation, "app", "pythn-one", "rust-*")
    assert result.status == ConfigError.exit_status
    assert "pythn-one (did you mean python-one" in result.stderr
    assert "rust-*" in result.stderr
    assert four.origin.refs() == before
    assert not (four.work / ".ci" / "schedule-params.txt").exists()
    assert "no package is named" in four.run(operation).stderr
    assert "no package is named" in four.run(operation, " , ").stderr


@pytest.mark.parametrize("word", ["app/0", "app/", "app/a b", "app/-x"])
def test_a_class_that_is_none_is_refused(four: World, word: str) -> None:
    assert four.run("schedule", word).status == ConfigError.exit_status


def test_a_class_means_nothing_to_drop(four: World) -> None:
    before = four.origin.refs()
    result = four.run("drop", "app/3")
    assert result.status == ConfigError.exit_status
    assert "a builder class is for schedule alone: 'app/3'" in result.stderr
    assert four.origin.refs() == before


def test_a_dropped_package_goes_and_on_commit_has_it_removed(four: World) -> None:
    four.origin.git("update-ref", "refs/tags/scheduled", "main")
    result = four.run("drop", "--json", "python-*")
    assert (result.status, result.codes()) == (0, {"python-one": "removed", "python-two": "removed"})
    assert {path.partition("/")[0] for path in four.origin.tree("main") if not path.startswith(".")} == {"app", "lib"}
    assert four.origin.git("log", "-1", "--format=%s", "main").strip() == "chore(drop): python-one, python-two"
    assert "removed" in four.run("on-commit", "--json").codes().values()
    assert "python-one" not in four.artifact("schedule-params.txt")


def test_what_others_need_is_kept_unless_they_go_too_or_force_is_used(four: World) -> None:
    before = four.origin.refs()
    result = four.run("drop", "lib")
    assert result.status == RefusedError.exit_status
    assert "app depends on lib" in result.stderr
    assert four.origin.refs() == before
    assert four.run("drop", "lib", "app", "--dry-run").status == 0
    assert four.origin.refs() == before
    assert four.run("drop", "lib", "--force").status == 0
    assert "lib/PKGBUILD" not in four.origin.tree("main")


def test_a_push_in_between_is_taken_into_account(four: World) -> None:
    state = {"pushed": False}

    def interfere(seen: object) -> None:
        if getattr(seen, "kind", "") == "push-advertise" and not state["pushed"]:
            state["pushed"] = True
            four.push({"lib/extra": "1\n"}, "meanwhile")

    four.upstreams.on_request = interfere
    assert four.run("drop", "python-one").status == 0
    tree = four.origin.tree("main")
    assert "lib/extra" in tree
    assert "python-one/PKGBUILD" not in tree
