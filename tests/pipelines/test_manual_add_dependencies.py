"""Dependencies that only the AUR has: shown as a tree, added when asked, named otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError, PackagesFailedError, RefusedError, UpstreamError
from tests.support.databases import database, put
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.upstreams import Seen
    from tests.support.world import World

EVIL = {"leak": "/etc/passwd"}


def publish(world: World, name: str, *, also: dict[str, str] | None = None, **fields: tuple[str, ...]) -> None:
    """A package of the AUR whose row in the dump says what its `.SRCINFO` says."""
    package = SamplePackage(name=name, **fields)  # type: ignore[arg-type]  # only lists are given
    listed: dict[str, Any] = {
        "Depends": list(package.depends),
        "MakeDepends": list(package.makedepends),
        "Provides": list(package.provides),
    }
    modes = dict.fromkeys(also or (), "120000")
    world.upstreams.publish(name, {**package.files(), **(also or {})}, listed=listed, modes=modes)


@pytest.fixture
def aur(world: World) -> World:
    """An AUR in which `top` needs two, one of which needs a third that needs the first again."""
    world.upstreams.has_aur_api = True
    publish(world, "top", depends=("glibc>=2.38", "left", "libmid.so=1-64", "own-lib"), makedepends=("git",))
    publish(world, "left", depends=("glibc", "deep>1"))
    publish(world, "mid", provides=("libmid.so=1-64",), makedepends=("left",))
    publish(world, "deep", depends=("left", "official-provided"))
    publish(world, "apart")
    core = database(glibc="2.39-1", git="2.46-1", something=("1-1", "official-provided=1"))
    start(world, {"CI_LIB_DB": put(world, "core.db", core)})
    return world


def start(world: World, settings: dict[str, str]) -> None:
    own = SamplePackage(name="own", provides=("own-lib",)).folder("CI_PKGBUILD_SOURCE=custom\n")
    world.start(own, settings=settings)


def test_the_tree_is_shown_first_and_everything_in_it_is_added(aur: World) -> None:
    before = aur.origin.refs()
    dry = aur.run("add", "top", "--with-deps", "--dry-run")
    tree = "top\n├─ left\n│  └─ deep\n│     └─ left (see above)\n└─ mid for libmid.so\n   └─ left (see above)\n"
    assert dry.stdout.startswith(tree)
    assert aur.origin.refs() == before
    result = aur.run("add", "top", "--with-deps", "--json", "--origin", "forum")
    assert (result.status, set(result.codes())) == (0, {"top", "left", "mid", "deep"})
    assert aur.origin.subjects()[0] == "feat(add): deep, left, mid, top"
    files = aur.origin.tree("main")
    assert files["deep/.CI/info"].decode() == "REQ_ORIGIN=forum\nREQ_REASON=needed by left\n"
    assert files["top/.CI/info"].decode() == "REQ_ORIGIN=forum\n"
    by_name = {row["package"]: row for row in result.json["tree"]}
    assert by_name["top"]["asked_for"]
    assert by_name["top"]["needs"] == [
        {"name": "left", "package": "left"},
        {"name": "libmid.so", "package": "mid"},
    ]
    builds = aur.run("on-commit", "--json").builds()
    assert builds.index("mid") < builds.index("top")
    aur_codes = aur.run("on-schedule", "--json").codes()
    assert {aur_codes[name] for name in ("top", "left", "mid", "deep")} == {"baseline"}


def test_without_the_option_they_are_named(aur: World) -> None:
    result = aur.run("add", "top")
    assert result.status == 0
    assert "top needs left of the AUR; --with-deps adds what is missing" in result.stdout
    assert "top needs libmid.so, which no package here nor in a database is or provides" in result.stdout
    assert "left/PKGBUILD" not in aur.origin.tree("main")
    assert "note:" not in aur.run("add", "apart").stdout


def test_what_is_asked_for_besides_is_not_missing(aur: World) -> None:
    result = aur.run("add", "top", "left", "deep", "mid")
    assert "needs" not in result.stdout


def test_without_databases_what_the_aur_calls_so_is_named(world: World) -> None:
    world.upstreams.has_aur_api = True
    publish(world, "left")
    publish(world, "top", depends=("glibc", "left"))
    start(world, {})
    assert "note: top needs left of the AUR" in world.run("add", "top", "--dry-run").stdout
    world.upstreams.has_aur_api = False
    assert "which dependencies only the AUR has is not known" in world.run("add", "top").stdout


def test_with_nothing_missing_the_tree_is_the_package_alone(aur: World) -> None:
    result = aur.run("add", "apart", "--with-deps")
    assert result.stdout.startswith("apart\n\n")
    assert result.status == 0


@pytest.fixture
def choice(aur: World) -> World:
    """Two packages provide what `picky` needs."""
    publish(aur, "picky", depends=("engine",))
    publish(aur, "engine-a", provides=("engine",))
    publish(aur, "engine-b", provides=("engine=2",))
    return aur


def test_several_providers_are_a_persons_choice(choice: World) -> None:
    before = choice.origin.refs()
    result = choice.run("add", "picky", "--with-deps")
    assert result.status == RefusedError.exit_status
    assert "picky needs engine, which engine-a, engine-b provide" in result.stderr
    assert choice.origin.refs() == before
    chosen = choice.run("add", "picky", "engine-b", "--with-deps", "--json")
    assert chosen.codes() == {"picky": "added", "engine-b": "added"}


def test_of_several_providers_the_one_that_is_called_so_is_taken(choice: World) -> None:
    publish(choice, "engine")
    assert set(choice.run("add", "picky", "--with-deps", "--json").codes()) == {"picky", "engine"}


def test_a_provider_that_comes_anyway_is_taken(choice: World) -> None:
    publish(choice, "both", depends=("engine", "engine-b"))
    assert set(choice.run("add", "both", "--with-deps", "--json").codes()) == {"both", "engine-b"}


def test_what_nobody_has_is_named(aur: World) -> None:
    publish(aur, "lost", depends=("vanished>=3",))
    result = aur.run("add", "lost", "--with-deps")
    assert result.status == 0
    assert "lost needs vanished, which is neither here nor in any package database nor in the AUR" in result.stdout


def test_packages_of_one_base_count_together(aur: World) -> None:
    split = SamplePackage(name="duo").files()
    split[".SRCINFO"] += "\tdepends = duo-libs\n\npkgname = duo-libs\n\tdepends = apart\n"
    listed = {"Depends": ["duo-libs", "apart"], "MakeDepends": []}
    aur.upstreams.publish("duo", split, names=("duo", "duo-libs"), listed=listed)
    publish(aur, "user", depends=("duo-libs",))
    assert set(aur.run("add", "user", "--with-deps", "--json").codes()) == {"user", "duo", "apart"}


def test_a_package_base_is_not_taken_for_a_package_that_is_called_so(aur: World) -> None:
    tools = SamplePackage(name="tools").files()
    tools[".SRCINFO"] = tools[".SRCINFO"].replace("pkgname = tools", "pkgname = tools-cli")
    aur.upstreams.publish("tools", tools, names=("tools-cli",))
    bundle = SamplePackage(name="bundle").files()
    bundle[".SRCINFO"] += "\npkgname = tools\n"
    aur.upstreams.publish("bundle", bundle, names=("bundle", "tools"))
    publish(aur, "user", depends=("tools-cli",))
    assert set(aur.run("add", "user", "--with-deps", "--json").codes()) == {"user", "tools"}


def test_a_dependency_that_must_not_be_taken_keeps_out_who_needs_it_and_nobody_else(aur: World) -> None:
    publish(aur, "tainted", also=EVIL)
    publish(aur, "middle", depends=("tainted", "apart"))
    publish(aur, "wants", depends=("middle",))
    publish(aur, "fine", depends=("deep",))
    result = aur.run("add", "wants", "fine", "--with-deps", "--json")
    assert result.status == PackagesFailedError.exit_status
    codes = result.codes()
    assert codes == {"wants": "refused", "tainted": "refused", "fine": "added", "deep": "added", "left": "added"}
    assert "it needs tainted, which must not be taken" in result.verdicts()["wants"]["why"]
    assert not any(path.startswith(("middle/", "apart/")) for path in aur.origin.tree("main"))


def test_without_databases_nothing_is_pulled_in(world: World) -> None:
    publish(world, "top", depends=("left",))
    start(world, {})
    before = world.origin.refs()
    result = world.run("add", "top", "--with-deps")
    assert result.status == ConfigError.exit_status
    assert "CI_LIB_DB is not set" in result.stderr
    assert world.origin.refs() == before


@pytest.mark.parametrize("what", ["core.db", "packages-meta-ext-v1.json.gz"])
def test_a_service_that_fails_adds_nothing(aur: World, what: str) -> None:
    def matches(seen: Seen) -> bool:
        return seen.path.endswith(what)

    aur.upstreams.fail(matches, status=503)
    before = aur.origin.refs()
    result = aur.run("add", "top", "--with-deps")
    assert result.status == UpstreamError.exit_status
    assert aur.origin.refs() == before


@pytest.mark.parametrize("row", [{"Depends": "text"}, {"Provides": [1]}, {"Provides": {"a": 1}}, {"Name": ["left"]}])
def test_a_dump_of_another_shape_adds_nothing(aur: World, row: dict[str, Any]) -> None:
    aur.upstreams.publish("left", SamplePackage(name="left").files(), listed=row)
    before = aur.origin.refs()
    result = aur.run("add", "top", "--with-deps")
    assert result.status == UpstreamError.exit_status
    assert "is unusable" in result.stderr
    assert aur.origin.refs() == before


def test_hostile_names_in_the_dump_lead_nowhere(aur: World) -> None:
    publish(aur, "gate", depends=("../up", "-x", "a b", "$(id)", "::add-mask::x", "##[error]x"))
    listed = {"Provides": ["../up", "-x", "a b"]}
    aur.upstreams.publish("trap", SamplePackage(name="trap").files(), listed={**listed, "PackageBase": "../../trap"})
    result = aur.run("add", "gate", "--with-deps", GITHUB_ACTIONS="true")
    assert result.status == 0
    assert not any(line.startswith("::add-mask") for line in result.stdout.split("\n"))
    assert "##[" not in result.stdout
    assert not any("trap" in path for path in aur.origin.tree("main"))
