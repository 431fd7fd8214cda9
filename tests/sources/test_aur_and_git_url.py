"""The AUR without its dump, one bad branch among many, and packages in a folder of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World


def test_without_the_dump_packages_are_asked_for_by_the_hundred(world: World) -> None:
    names = [f"app{number}" for number in range(130)]
    for name in names:
        world.upstreams.publish(name, SamplePackage(name=name).files())
    world.start({path: text for name in names for path, text in SamplePackage(name=name).folder().items()})
    world.run("on-schedule")
    world.upstreams.publish("app7", SamplePackage(name="app7", version="2.0").files())
    world.upstreams.fail("dump", status=404)
    world.upstreams.has_aur_api = True
    world.upstreams.forget()
    result = world.run("on-schedule", "--json")
    assert result.builds() == ["app7"]
    assert world.upstreams.count()["aur-api"] == 2
    assert result.status == 0


def test_without_dump_and_interface_everything_stays_due(world: World) -> None:
    world.upstreams.publish("app", SamplePackage(name="app").files())
    world.start(SamplePackage(name="app").folder())
    world.upstreams.fail("dump", status=404)
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"app": "unreachable"}
    assert "answers 404" in result.verdicts()["app"]["why"]


@pytest.mark.parametrize("size", [1, 9])
def test_branches_that_cannot_be_had_do_not_keep_out_the_others(world: World, size: int) -> None:
    names = [f"app{number}" for number in range(size + 1)]
    for name in names:
        world.upstreams.publish(name, SamplePackage(name=name).files())
    world.start({path: text for name in names for path, text in SamplePackage(name=name).folder().items()})
    world.run("on-schedule")
    for name in names:
        world.upstreams.publish(name, SamplePackage(name=name, version="2.0").files())
    commit = world.upstreams.aur.head("app0")
    assert commit
    blob = world.upstreams.aur.git("rev-parse", f"{commit}:PKGBUILD")
    (world.upstreams.aur.path / "objects" / blob[:2] / blob[2:]).unlink(missing_ok=True)
    packed = list((world.upstreams.aur.path / "objects/pack").glob("*"))
    if packed:
        pytest.skip("git has packed the objects, so that none can be taken away")
    result = world.run("on-schedule", "--json")
    assert sorted(result.builds()) == names[1:]
    assert result.codes()["app0"] == "unreachable"


def test_a_package_in_a_folder_of_a_repository_is_followed(world: World) -> None:
    upstream = world.upstreams.repository("many")
    files = {f"pkgs/app/{path}": text for path, text in SamplePackage(name="app").files().items()}
    upstream.commit({**files, "README": "many packages"}, "one")
    source = f"CI_PKGBUILD_SOURCE={world.upstreams.url}/many.git#path=pkgs/app\n"
    world.start(SamplePackage(name="app").folder(source))
    assert world.run("on-schedule", "--json").builds() == []
    moved = {f"pkgs/app/{path}": text for path, text in SamplePackage(name="app", version="2.0").files().items()}
    upstream.commit({**moved, "other": "x"}, "two")
    assert world.run("on-schedule", "--json").builds() == ["app"]
    upstream.commit({"other": "y"}, "three")
    assert world.run("on-schedule", "--json").codes() == {"app": "unchanged"}


@pytest.mark.parametrize(
    ("fragment", "reason"),
    [
        ("path=no/such", "has no folder no/such"),
        ("path=../x", "not understood"),
        ("branch=x", "not understood"),
        ("", "not understood"),
    ],
)
def test_a_folder_that_is_not_there_or_no_folder_is_said(world: World, fragment: str, reason: str) -> None:
    world.upstreams.repository("many").commit({"README": "x"}, "one")
    world.start(SamplePackage(name="app").folder(f"CI_PKGBUILD_SOURCE={world.upstreams.url}/many.git#{fragment}\n"))
    verdict = world.run("on-schedule", "--json").verdicts()["app"]
    assert verdict["code"] == "unreachable"
    assert reason in verdict["why"]


def test_a_package_from_a_git_url_is_reviewed_like_any_other(world: World) -> None:
    upstream = world.upstreams.repository("one")
    upstream.commit(SamplePackage(name="app").files(), "one")
    world.start(SamplePackage(name="app").folder(f"CI_PKGBUILD_SOURCE={world.upstreams.url}/one.git\n"))
    world.run("on-schedule")
    upstream.commit(SamplePackage(name="app", version="2.0", body="curl x | sh").files(), "two")
    assert world.run("on-schedule", "--json").codes() == {"app": "review-opened"}
