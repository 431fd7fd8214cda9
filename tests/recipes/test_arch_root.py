"""Builds in a root that pacman manages: what they see, what is installed for them, and that nothing of it stays."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.base_root import ArchRoot
from ci_toolkit.errors import MachineError
from ci_toolkit.recipes.build import Failed, TimedOut
from tests.support.arch_root import MinimalRoot, make_minimal_root
from tests.support.builds import LIMITS, PACKAGE, Bench, built, needs_makepkg, pkgbuild
from tests.support.local_builds import LocalBuilds, Tiny
from tests.support.running import left_behind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.recipes.build import BuildResult
    from tests.support.upstreams import Upstreams
    from tests.support.world import World

pytestmark = needs_makepkg

TOOL = 'package() {{\n  install -Dm755 /dev/stdin "$pkgdir/usr/bin/tool" <<<"echo told by {told}"\n}}\n'
# What a package's scriptlet may try while it is installed.
SCRIPTLET = """post_install() {
  echo "scriptlet of $(id -u)"
  echo 'made:x:33:33::/:/bin/false' >>/etc/passwd
  echo made >/etc/made-by-the-scriptlet
  echo harm >/proc/sys/kernel/domainname && echo HARM
  touch /var/cache/pacman/pkg/harm && echo HARM
  test -e "$HOST_FOLDER" && echo HARM
  grep -qv -e lo: -e face -e Inter- /proc/net/dev && echo HARM
  echo "variables: $(env | cut -d= -f1 | sort | tr '\\n' ' ')"
  true
}
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MinimalRoot:
    """The root that others are copies of."""
    return make_minimal_root(tmp_path_factory.mktemp("arch") / "root")


@pytest.fixture(scope="module")
def stocked(made: MinimalRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinimalRoot]:
    """A root with a package `tool` in its repository, and `ours`, a lower version of it, beside."""
    folder = tmp_path_factory.mktemp("stocked")
    root = made.copy(folder / "root")
    bench = Bench(folder)
    text = pkgbuild(TOOL.format(told="the repository"), name="tool", head="install=tool.install")
    text = text.replace("pkgver=1.0", "pkgver=2.0")
    files = {"tool.install": SCRIPTLET.replace("$HOST_FOLDER", str(folder))}
    (package,) = built(bench.build(text, files, pkgbase="tool", root=ArchRoot(top=root.top))).packages
    root.offer(package.path)
    ours = pkgbuild(TOOL.format(told="us"), name="tool")
    (package,) = built(bench.build(ours, pkgbase="tool", root=ArchRoot(top=root.top))).packages
    (folder / "ours").mkdir()
    package.path.rename(folder / "ours" / package.path.name)
    yield root
    shutil.rmtree(folder)


def using(program: str, *, head: str = "") -> str:
    return pkgbuild(f"build() {{\n  {program}\n}}\n{PACKAGE}", head=head)


def failed(result: BuildResult) -> Failed:
    assert isinstance(result.outcome, Failed), (result.outcome, result.log.read_text())
    return result.outcome


def test_a_build_sees_the_root_and_nothing_of_the_machine(bench: Bench, made: MinimalRoot) -> None:
    before = made.listing()
    looks = (
        "only-in-the-root; type python3 gcc git && echo HOST; ls -d /usr/share/doc && echo HOST\n"
        f"  ls -d {made.top} {bench.folder} && echo HOST\n"
        "  touch /usr/harm /etc/harm /harm && echo HARM; cat /etc/passwd"
    )
    text = using(looks).replace("  install ", "  install -o root -g root ")
    result = bench.build(text, root=ArchRoot(top=made.top))
    built(result)
    assert "told by the root" in bench.log
    assert "HOST" not in bench.log
    assert "HARM" not in bench.log
    assert "root:x:0:0:" in bench.log
    assert result.root == ArchRoot(top=made.top).identity()
    assert result.installed == ()
    assert made.listing() == before


def test_a_dependency_comes_from_the_repository_that_the_root_is_configured_for(
    bench: Bench, stocked: MinimalRoot
) -> None:
    before = stocked.listing()
    bench.environ = {"ACCESS_TOKEN": "canary-19aa", "http_proxy": "http://user:canary-19aa@127.0.0.1:9"}
    root = ArchRoot(top=stocked.top, cache=bench.folder / "cache/packages")
    result = bench.build(using("tool; cat /etc/made-by-*; id made", head="makedepends=('tool>=2')"), root=root)
    built(result)
    assert "told by the repository\n" in bench.log
    assert "made\nuid=33(made)" in bench.log
    assert result.installed == (("tool", "2.0-1"),)
    assert stocked.listing() == before
    assert [path.name for path in (bench.folder / "cache/packages/pkg").iterdir()] == ["tool-2.0-1-any.pkg.tar.zst"]

    # What its scriptlet could do.
    assert "scriptlet of 0" in bench.log
    assert "HARM" not in bench.log
    told = next(line for line in bench.log.splitlines() if line.startswith("variables: "))
    assert not {"ACCESS_TOKEN", "http_proxy", "SSH_AUTH_SOCK"} & set(told.split())
    assert "canary" not in bench.log


def test_fetching_has_network_and_is_ended_when_the_build_is(
    bench: Bench, stocked: MinimalRoot, upstreams: Upstreams
) -> None:
    root = stocked.copy(bench.folder / "root")
    port = upstreams.url.rpartition(":")[2]
    fetch = f"""#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached
echo "fetched with: $(env | sort | tr '\\n' ' ')"
cp "/srv/extra/${{1##*/}}" "$2" || exit
[[ $1 != *.zst ]] || sleep "$(</srv/wait)"
"""
    root.put("usr/bin/fetch", fetch)
    root.put("srv/wait", "0\n")
    config = (stocked.top / "etc/pacman.conf").read_text()
    root.put("etc/pacman.conf", config.replace("[extra]", "XferCommand = /usr/bin/fetch %u %o\n[extra]"))
    bench.environ = {
        "ACCESS_TOKEN": "canary-19aa",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://user:canary-19aa@127.0.0.1:9",
        "SSL_CERT_FILE": "/etc/of-the-machine.pem",
    }
    text = using("tool", head="depends=(tool)")
    built(bench.build(text, root=ArchRoot(top=root.top)))
    assert "reached" in bench.log
    told = next(line for line in bench.log.splitlines() if line.startswith("fetched with: "))
    assert "http_proxy=http://127.0.0.1:9 " in told
    assert "SSL_CERT_FILE" not in told
    assert "canary" not in bench.log

    root.put("srv/wait", "1000\n")
    late = bench.build(text, root=ArchRoot(top=root.top), limits=replace(LIMITS, time_s=4.0)).outcome
    assert late == TimedOut(phase="dependencies", limit_s=4.0)
    stop = threading.Event()
    threading.Timer(2.0, stop.set).start()
    outcome = failed(
        bench.build(text, root=ArchRoot(top=root.top), cancelled=lambda: "cancelled" if stop.is_set() else None)
    )
    assert (outcome.phase, outcome.reason) == ("dependencies", "cancelled")
    assert not left_behind("sleep\x001000")


def test_what_is_given_is_taken_before_what_the_repository_has(bench: Bench, stocked: MinimalRoot) -> None:
    ours = stocked.top.parent / "ours/tool-1.0-1-any.pkg.tar.zst"
    root = ArchRoot(top=stocked.top, cache=bench.folder / "cache/packages")
    result = bench.build(using("tool", head="makedepends=(tool)"), root=root, dependencies=(ours,))
    built(result)
    assert "told by us\n" in bench.log
    assert result.installed == (("tool", "1.0-1"),)
    # Nothing of ours is left where the next build would take it for the repository's.
    assert not list((bench.folder / "cache/packages/pkg").iterdir())
    assert [path.name for path in (bench.folder / "cache/packages/sync").iterdir()] == ["extra.db"]


def test_what_is_given_needs_no_repository(bench: Bench, stocked: MinimalRoot) -> None:
    root = stocked.copy(bench.folder / "root")
    root.put("etc/pacman.conf", "[options]\nArchitecture = auto\nSigLevel = Never\n")
    ours = stocked.top.parent / "ours/tool-1.0-1-any.pkg.tar.zst"
    result = bench.build(using("tool", head="depends=(tool)"), root=ArchRoot(top=root.top), dependencies=(ours,))
    built(result)
    assert "told by us\n" in bench.log


def test_a_dependency_that_is_nowhere_is_named(bench: Bench, stocked: MinimalRoot) -> None:
    outcome = failed(bench.build(using("tool", head="depends=(tool no-such-thing)"), root=ArchRoot(top=stocked.top)))
    assert outcome.phase == "dependencies"
    assert outcome.reason == "neither the build root nor its repositories have or provide no-such-thing"
    assert "Making package" not in bench.log


def test_without_any_repository_it_is_named_as_well(bench: Bench, made: MinimalRoot) -> None:
    root = made.copy(bench.folder / "root")
    root.put("etc/pacman.conf", "[options]\nArchitecture = auto\n")
    outcome = failed(bench.build(using("true", head="depends=(no-such-thing)"), root=ArchRoot(top=root.top)))
    assert (outcome.phase, outcome.reason) == ("dependencies", "nothing here is or provides no-such-thing")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("[extra]\nServer = file:///srv/nowhere\n", "the repositories of the build root cannot be read"),
        (
            "SigLevel = PackageRequired DatabaseOptional\n[extra]\nServer = file:///srv/extra\n",
            "cannot be downloaded: .*tool-2.0-1-any.pkg.tar.zst.sig",
        ),
        ("Nonsense\n[extra]\nServer =\n", "pacman.conf"),
    ],
    ids=["unreachable", "unsigned", "unreadable"],
)
def test_a_repository_that_cannot_be_used_is_no_fault_of_the_package(
    bench: Bench, stocked: MinimalRoot, config: str, told: str
) -> None:
    root = stocked.copy(bench.folder / "root")
    root.put("etc/pacman.conf", f"[options]\nArchitecture = auto\n{config}")
    with pytest.raises(MachineError, match=told):
        bench.build(using("tool", head="depends=(tool)"), root=ArchRoot(top=root.top))


@pytest.mark.parametrize("damaged", ["pkg/tool-2.0-1-any.pkg.tar.zst", "sync/extra.db"])
def test_what_is_damaged_in_the_cache_is_downloaded_again(bench: Bench, stocked: MinimalRoot, damaged: str) -> None:
    cache = bench.folder / "cache/packages"
    (cache / damaged).parent.mkdir(parents=True)
    (cache / damaged).write_text("half of it")
    built(bench.build(using("tool", head="depends=(tool)"), root=ArchRoot(top=stocked.top, cache=cache)))
    assert "told by the repository\n" in bench.log


def test_two_builds_at_once_do_not_see_each_other(tmp_path: Path, stocked: MinimalRoot) -> None:
    results = {}
    root = ArchRoot(top=stocked.top, cache=tmp_path / "cache")

    def build(name: str, *given: Path) -> None:
        bench = Bench(tmp_path / name)
        results[name] = bench.build(using("tool", head="depends=(tool)"), root=root, dependencies=given)

    ours = stocked.top.parent / "ours/tool-1.0-1-any.pkg.tar.zst"
    threads = [threading.Thread(target=build, args=args) for args in (("first",), ("second", ours))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = {name: result.log.read_text() for name, result in results.items()}
    assert "told by the repository\n" in told["first"]
    assert "told by us\n" in told["second"]


def test_what_is_no_root_is_refused(bench: Bench, made: MinimalRoot) -> None:
    root = made.copy(bench.folder / "root")
    (root.top / "usr/bin/pacman").unlink()
    with pytest.raises(MachineError, match=r"is no Arch root: it has no usr/bin/pacman .*CI_BUILD_ROOT"):
        bench.build(using("true"), root=ArchRoot(top=root.top))


def test_a_root_in_which_nothing_runs_is_refused(bench: Bench, made: MinimalRoot) -> None:
    root = made.copy(bench.folder / "root")
    shutil.rmtree(root.top / "usr/lib64")
    with pytest.raises(MachineError, match=r"no program of .* can be run"):
        bench.build(using("true"), root=ArchRoot(top=root.top))


@pytest.mark.parametrize(
    ("name", "head", "told"),
    [
        ("demo-hg", "", "mercurial added: its name ends in -hg"),
        ("lib32-demo", "", "multilib-devel is in no repository of the build root, and is wanted: its name begins with"),
        ("demo", "options=(ccache)", "ccache added: its options ask for it"),
    ],
)
def test_extras_are_installed_and_named(bench: Bench, extras: MinimalRoot, name: str, head: str, told: str) -> None:
    text = using("type hg || true; echo $CCACHE_DIR", head=head).replace("pkgname=demo", f"pkgname={name}")
    result = bench.build(text, pkgbase=name, root=ArchRoot(top=extras.top))
    built(result)
    assert [text for text in result.interference if text.startswith(told)], result.interference
    assert ("hg is /usr/bin/hg" in bench.log) == (name == "demo-hg")
    assert ("/tmp/ccache" in bench.log) == bool(head)


@pytest.fixture(scope="module")
def extras(made: MinimalRoot, tmp_path_factory: pytest.TempPathFactory) -> MinimalRoot:
    """A root whose repository has `mercurial` and `ccache`."""
    folder = tmp_path_factory.mktemp("extras")
    root = made.copy(folder / "root")
    functions = "".join(
        f'package_{name}() {{\n  install -Dm755 /dev/stdin "$pkgdir/{path}" <<<"echo {name}"\n}}\n'
        for name, path in {"mercurial": "usr/bin/hg", "ccache": "usr/bin/ccache"}.items()
    )
    text = pkgbuild(functions, name="(mercurial ccache)", head="pkgbase=demo")
    packages = built(Bench(folder).build(text, root=ArchRoot(top=root.top))).packages
    root.offer(*(package.path for package in packages))
    return root


def test_the_setting_names_the_root(world: World, stocked: MinimalRoot) -> None:
    world.start({"demo/PKGBUILD": using("tool", head="makedepends=(tool)")})
    result = world.run("build", "demo", "--json", "--out", "../out", CI_BUILD_ROOT=str(stocked.top))
    assert result.status == 0, result.stderr
    assert result.json["root"] == ArchRoot(top=stocked.top).identity()
    assert result.json["installed"] == {"tool": "2.0-1"}
    refused = world.run("build", "demo", CI_BUILD_ROOT=str(world.folder))
    assert (refused.status, "is no Arch root: it has no usr/bin/pacman" in refused.stderr) == (16, True)


def test_the_local_backend_builds_in_it_with_what_it_built_before(world: World, stocked: MinimalRoot) -> None:
    lib = Tiny(name="lib")
    app = Tiny(name="app", depends=("lib", "tool"), body="tool; test -e /usr/share/lib/file")
    local = LocalBuilds(world, lib, app, CI_BUILD_ROOT=str(stocked.top))
    local.schedule()
    result = local.build()
    assert result.status == 0, result.stdout + world.run("logs", "app").stdout
    assert local.states() == {"lib": "succeeded", "app": "succeeded"}
    assert "told by the repository" in world.run("logs", "app").stdout


def test_evaluating_needs_none_of_the_extras(bench: Bench, extras: MinimalRoot) -> None:
    # makepkg of itself refuses to print what a PKGBUILD says while programs for its sources and options are missing.
    head = "options=(ccache)\nsource=(hg+https://example.org/a)\nsha256sums=(SKIP)"
    outcome = failed(bench.build(using("true", head=head), root=ArchRoot(top=extras.top)))
    assert (outcome.phase, "neither http, https nor git" in outcome.reason) == ("fetch", True)
