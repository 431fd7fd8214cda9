"""Bumps by hand: what is written, what it starts from, and who is left out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, GitError, PackagesFailedError
from tests.support.databases import database, put
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"


def begin(world: World, *folders: Mapping[str, str], databases: Mapping[str, bytes] | None = None) -> None:
    urls = [put(world, name, content) for name, content in (databases or {}).items()]
    files = {path: text for folder in folders for path, text in folder.items()}
    world.start(files, settings={"CI_LIB_DB": " ".join(urls)})


def config(world: World, name: str) -> str:
    return world.origin.tree("main").get(f"{name}/.CI/config", b"").decode()


def app(name: str = "app", more: str = "", **fields: tuple[str, ...]) -> dict[str, str]:
    return SamplePackage(name=name, **fields).folder(CUSTOM + more)  # type: ignore[arg-type]  # only lists are given


def test_one_commit_asks_for_the_next_release_of_each_and_on_commit_builds_them(world: World) -> None:
    begin(world, app("one", "# mine\nCI_PACKAGE_BUMP=1.0-1/4\n"), app("two"), app("three"))
    head = world.origin.head("main")
    result = world.run("bump", "--json", "one,two")
    assert (result.status, result.codes()) == (0, {"one": "bumped", "two": "bumped"})
    steps = {name: (verdict["from"], verdict["to"]) for name, verdict in result.verdicts().items()}
    assert steps == {"one": ("1.0-1.4", "1.0-1.5"), "two": ("1.0-1", "1.0-1.1")}
    assert config(world, "one") == f"{CUSTOM}# mine\nCI_PACKAGE_BUMP=1.0-1/5\n"
    assert config(world, "two") == f"{CUSTOM}CI_PACKAGE_BUMP=1.0-1/1\n"
    assert world.origin.subjects()[0] == "chore(bump): one, two"
    assert world.origin.git("rev-parse", "main^") == head
    assert sorted(world.run("on-commit", "--json").builds()) == ["one", "two"]


def test_the_version_that_is_published_counts_as_srcinfo_does_not_know_it(world: World) -> None:
    folder = SamplePackage(name="tool-git", version="r1.aaa").folder(CUSTOM)
    begin(world, folder, databases={"own.db": database(tool_git="r120.abc-1.2")})
    assert world.run("bump", "tool-git").status == 0
    assert "CI_PACKAGE_BUMP=r120.abc-1/3\n" in config(world, "tool-git")


def test_every_package_is_all(world: World) -> None:
    begin(world, *(app(f"p{number}") for number in range(5)))
    assert world.run("bump", PACKAGES="all").status == 0
    assert world.origin.subjects()[0] == "chore(bump): packages (5)"
    assert all("CI_PACKAGE_BUMP=1.0-1/1" in config(world, f"p{number}") for number in range(5))


def test_a_package_that_is_pushed_to_the_aur_ignores_bumps_and_that_is_said(world: World) -> None:
    begin(world, app("mine", "CI_MANAGE_AUR=true\n"), app("other"))
    result = world.run("bump", "--json", "all")
    assert (result.status, result.codes()) == (0, {"mine": "not-bumped", "other": "bumped"})
    assert "CI_MANAGE_AUR" in result.verdicts()["mine"]["why"]
    assert "CI_PACKAGE_BUMP" not in config(world, "mine")
    before = world.origin.refs()
    assert world.run("bump", "mine").status == 0
    assert world.origin.refs() == before


def test_what_has_no_known_version_is_named_and_the_others_are_bumped(world: World) -> None:
    bare = {"bare/PKGBUILD": "pkgname=bare\n", "bare/.CI/config": CUSTOM}
    broken = {**app("broken"), "broken/.CI/config": "CI_PKGBUILD_SOURCE=custom\nBUILDER_EXTRA_TIMEOUT=fast\n"}
    begin(world, bare, broken, app())
    result = world.run("bump", "--json", "all")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {"app": "bumped", "bare": "bad-srcinfo", "broken": "bad-config"}
    assert "no version of it is known" in result.verdicts()["bare"]["why"]
    assert world.origin.subjects()[0] == "chore(bump): app"


@pytest.mark.parametrize("version", ["1.0 evil", "1/0", "$(id)/1", "1.0\u00a0x"])
def test_a_version_that_no_bump_could_name_is_not_written(world: World, version: str) -> None:
    folder = app()
    folder["app/.SRCINFO"] = folder["app/.SRCINFO"].replace("pkgver = 1.0", f"pkgver = {version}")
    begin(world, folder)
    before = world.origin.refs()
    assert world.run("bump", "app").status == PackagesFailedError.exit_status
    assert world.origin.refs() == before


def test_a_database_that_fails_lets_nothing_be_bumped_to_an_older_release(world: World) -> None:
    begin(world, app("known"), app("hidden"), databases={"a.db": database(known="1.0-1.2"), "b.db": b""})
    world.upstreams.fail(lambda seen: seen.path.endswith("b.db"), status=404)
    result = world.run("bump", "--json", "all")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {"known": "bumped", "hidden": "unreachable"}
    assert any("b.db" in note for note in result.json["notes"])
    assert "CI_PACKAGE_BUMP=1.0-1/3" in config(world, "known")


@pytest.fixture
def family(world: World) -> World:
    """A library with a soname, and who needs it in which way."""
    split = app("split")
    split["split/.SRCINFO"] += "\tdepends_x86_64 = libfoo>=1.2\n\npkgname = split-extra\n"
    begin(
        world,
        app("libfoo", provides=("libfoo.so=2-64", "foo-abi")),
        app("by-soname", depends=("libfoo.so=2-64",)),
        app("to-build", makedepends=("libfoo",)),
        split,
        app("apart", depends=("glibc", "icu>=74")),
    )
    return world


@pytest.mark.parametrize(
    ("libraries", "bumped"),
    [
        (("libfoo",), {"by-soname", "to-build", "split"}),
        (("libfoo.so",), {"by-soname"}),
        (("libfoo.so=2-64",), {"by-soname"}),
        (("icu", "libfoo.so"), {"apart", "by-soname"}),
        (("icu,glibc",), {"apart"}),
    ],
)
def test_dependants_are_found_by_whatever_they_name(
    family: World, libraries: tuple[str, ...], bumped: set[str]
) -> None:
    result = family.run("bump", "--json", "--dependants-of", *libraries)
    assert (result.status, set(result.codes())) == (0, bumped)
    assert "depends on" in result.verdicts()[min(bumped)]["why"]


def test_dependants_and_names_add_up(family: World) -> None:
    result = family.run("bump", "--json", "apart", "--dependants-of", "libfoo.so")
    assert set(result.codes()) == {"apart", "by-soname"}


def test_nobody_depends_on_it_and_that_is_said(family: World) -> None:
    before = family.origin.refs()
    result = family.run("bump", "--dependants-of", "icuu")
    assert result.status == 0
    assert "no package depends on icuu; did you mean icu?" in result.stdout
    assert family.origin.refs() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ap",), "no such package: ap (did you mean app?"),
        (("app/3",), "a builder class is for schedule alone"),
        ((), "no package is named"),
        (("--dependants-of", " "), "no package is named"),
        (("app", "../app"), "no such package: .."),
        (("$(touch x)",), "no such package"),
    ],
)
def test_a_list_that_cannot_be_meant_stops_it_before_anything_is_asked(
    world: World, arguments: tuple[str, ...], said: str
) -> None:
    begin(world, app(), databases={"own.db": database(app="1.0-1")})
    before = world.origin.refs()
    world.upstreams.forget()
    result = world.run("bump", *arguments)
    assert result.status == ConfigError.exit_status
    assert said in result.stderr
    assert world.origin.refs() == before
    assert not world.upstreams.count()["file"]


def test_a_dry_run_shows_it_and_changes_nothing(world: World) -> None:
    begin(world, app())
    before = world.origin.refs()
    result = world.run("bump", "app", "--dry-run")
    assert "1.0-1 → 1.0-1.1" in result.stdout
    assert "nothing was changed" in result.stdout
    assert world.origin.refs() == before


def test_a_bump_that_somebody_else_pushes_meanwhile_is_counted(world: World) -> None:
    begin(world, app())
    state = {"pushed": False}

    def interfere(seen: object) -> None:
        if getattr(seen, "kind", "") == "push-advertise" and not state["pushed"]:
            state["pushed"] = True
            world.push({"app/.CI/config": f"{CUSTOM}CI_PACKAGE_BUMP=1.0-1/7\n", "app/extra": "1\n"}, "meanwhile")

    world.upstreams.on_request = interfere
    assert world.run("bump", "app").status == 0
    assert "CI_PACKAGE_BUMP=1.0-1/8" in config(world, "app")
    assert "app/extra" in world.origin.tree("main")


def test_a_remote_that_refuses_the_push_is_named(world: World) -> None:
    begin(world, app())
    hook = world.origin.path / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    result = world.run("bump", "app")
    assert result.status == GitError.exit_status
    assert "refuses the push" in result.stderr
