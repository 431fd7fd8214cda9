"""Packages that fail, and packages that do harm: each ends with a phase and a reason, and nothing of it stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.recipes.build import Failed, TimedOut
from tests.support.builds import LIMITS, PACKAGE, Bench, built, contents, needs_makepkg, pkgbuild
from tests.support.running import left_behind
from tests.support.sealed import sealed_environment

if TYPE_CHECKING:
    from ci_toolkit.recipes.build import BuildResult
    from tests.support.upstreams import Upstreams

pytestmark = needs_makepkg


def failed(result: BuildResult) -> Failed:
    assert isinstance(result.outcome, Failed), (result.outcome, result.log.read_text())
    return result.outcome


@pytest.mark.parametrize("phase", ["prepare", "build", "check", "package"])
def test_a_function_that_fails_is_named_and_nothing_comes_out(bench: Bench, phase: str) -> None:
    functions = (PACKAGE if phase != "package" else "") + f"{phase}() {{\n  echo went wrong here; false\n}}\n"
    outcome = failed(bench.build(pkgbuild(functions)))
    assert (outcome.phase, outcome.status) == (phase, 4)
    assert "went wrong here" in bench.log
    assert names(bench.folder / "out") == {"demo.log"}


def test_the_folder_of_a_build_that_fails_is_kept_on_request(bench: Bench) -> None:
    kept = bench.folder / "failed/demo.tar.zst"
    failed(bench.build(pkgbuild(f"build() {{\n  echo half >made; false\n}}\n{PACKAGE}"), keep_failed=kept))
    assert f"the folder of the build is kept in {kept}" in bench.log
    assert "package/src/made" in contents(kept)


def test_pkgver_that_fails(bench: Bench) -> None:
    assert failed(bench.build(pkgbuild(f"pkgver() {{\n  false\n}}\n{PACKAGE}"))).phase == "pkgver"


def test_syntax_that_bash_cannot_read(bench: Bench) -> None:
    outcome = failed(bench.build("pkgname=(\n"))
    assert outcome.phase == "evaluate"
    assert "PKGBUILD: line 1: unexpected EOF" in bench.log


def test_a_build_that_hangs_is_ended(bench: Bench) -> None:
    hang = f"build() {{\n  trap '' TERM INT HUP; echo begun; sleep 1000 & sleep 1000\n}}\n{PACKAGE}"
    outcome = bench.build(pkgbuild(hang), limits=replace(LIMITS, time_s=4.0)).outcome
    assert outcome == TimedOut(phase="build", limit_s=4.0)
    assert not left_behind("sleep\x001000")


def test_more_time_is_given_where_it_is_asked_for(bench: Bench) -> None:
    slow = f"build() {{\n  sleep 2\n}}\n{PACKAGE}"
    limits = replace(LIMITS, time_s=3.0)
    built(bench.build(pkgbuild(slow), config="BUILDER_EXTRA_TIMEOUT=10\n", limits=limits))


def test_forks_without_end_are_stopped_and_nothing_goes_on(bench: Bench) -> None:
    bomb = f"build() {{\n  bomb() {{ exec -a ci-toolkit-test-bomb sleep 500 & bomb & bomb; }}; bomb\n}}\n{PACKAGE}"
    result = bench.build(pkgbuild(bomb), limits=replace(LIMITS, time_s=6.0, processes=60))
    assert isinstance(result.outcome, Failed | TimedOut)
    assert result.outcome.phase == "build"
    assert not left_behind("ci-toolkit-test-bomb")


def test_endless_printing_is_ended_and_the_log_stays_small(bench: Bench) -> None:
    outcome = failed(bench.build(pkgbuild(f"build() {{\n  yes\n}}\n{PACKAGE}")))
    assert (outcome.phase, outcome.reason) == ("build", "it printed too much")
    assert (bench.folder / "out/demo.log").stat().st_size < 2 * LIMITS.output_bytes


@pytest.mark.parametrize("where", ["big", "/tmp/big"])
def test_a_full_disk_is_never_reached(bench: Bench, where: str) -> None:
    fill = f"build() {{\n  for n in {{1..20}}; do head -c 9M /dev/zero >{where}$n; done; sleep 60\n}}\n{PACKAGE}"
    outcome = failed(bench.build(pkgbuild(fill)))
    assert (outcome.phase, outcome.reason) == ("build", "it wrote more than 64 MiB")


def test_memory_is_limited(bench: Bench) -> None:
    eat = f"build() {{\n  head -c 300M /dev/zero | tail\n}}\n{PACKAGE}"
    assert failed(bench.build(pkgbuild(eat), limits=replace(LIMITS, memory_bytes=100 << 20))).phase == "build"


def test_code_of_the_package_has_no_network_unless_it_is_allowed(bench: Bench, upstreams: Upstreams) -> None:
    upstreams.files = bench.folder
    (bench.folder / "file").write_text("from the network")
    port = upstreams.url.rpartition(":")[2]
    ask = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /files/file HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    text = pkgbuild(f"build() {{\n  {ask}\n}}\n{PACKAGE}", head=f"( {ask} ) || true")
    assert failed(bench.build(text)).phase == "build"
    assert "from the network" not in bench.log
    built(bench.build(text, config="BUILDER_NETWORK=true\n"))
    assert "from the network" in bench.log


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ('pkgname=other; mkdir -p "$pkgdir"', "nobody asked for"),
        (
            "(sleep 0.1; :) ; cp /bin/true /build/demo-1.0-1-any.pkg.tar.zst; ln -sf /etc/passwd /build/a.pkg.tar.zst",
            "a.p",
        ),
    ],
    ids=["another name", "a link"],
)
def test_what_is_not_the_package_asked_for_is_not_taken(bench: Bench, package: str, reason: str) -> None:
    outcome = failed(bench.build(pkgbuild(f"package() {{\n  {package}\n}}\n")))
    assert outcome.phase == "collect"
    assert reason in outcome.reason
    assert names(bench.folder / "out") == {"demo.log"}


def test_a_package_for_another_machine_is_not_begun(bench: Bench) -> None:
    outcome = failed(bench.build(pkgbuild(head="arch=(riscv64)")))
    assert (outcome.phase, "riscv64" in outcome.reason) == ("evaluate", True)


def test_no_package_at_all(bench: Bench) -> None:
    outcome = failed(bench.build(pkgbuild("build() {\n  kill $PPID; exit 0\n}\n" + PACKAGE)))
    assert outcome.phase in ("build", "collect")


def test_a_missing_dependency_is_named(bench: Bench) -> None:
    outcome = failed(bench.build(pkgbuild(head="depends=(bash no-such-thing)")))
    assert (outcome.phase, outcome.status) == ("dependencies", 8)
    assert outcome.reason == "nothing here is or provides no-such-thing"
    assert "CI_BUILD_ASSUME names what is here already" in bench.log
    built(bench.build(pkgbuild(head="depends=(bash 'no-such-thing>=2')"), assumed=("no-such-thing",)))


def test_a_build_can_be_cancelled(bench: Bench) -> None:
    text = pkgbuild(f"build() {{\n  echo begun; sleep 100\n}}\n{PACKAGE}")
    outcome = bench.build(text, cancelled=lambda: "cancelled" if "begun" in "".join(bench.shown) else None).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == "cancelled"


SECRET = "canary-5d0e77a1"
OUTSIDE = ("/usr/ci-toolkit-test", "/etc/ci-toolkit-test", "/ci-toolkit-test", "/var/tmp/ci-t-t")


@pytest.fixture(scope="module")
def curious(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Where a package was built twice that reads what it can, writes where it can and prints in colours."""
    folder = tmp_path_factory.mktemp("curious")
    secrets = {"ACCESS_TOKEN": SECRET, "AUR_KEY": SECRET, "UNKNOWN_SECRET": "other-canary"}
    bench = Bench(folder, environ={**sealed_environment(folder / "home"), **secrets})
    words = (
        *(f"touch {target} && echo wrote {target} || true" for target in (*OUTSIDE, folder)),
        f"env; cat /proc/*/environ | tr '\\0' '\\n'; echo {SECRET[:6]} {SECRET}",
        r"printf '\033[31mred\033[0m \033]0;title\007\033[2Jend\n'",
        "ls /tmp /sources ~ /build/src; touch /tmp/mark ~/mark /sources/mark",
    )
    text = pkgbuild("build() {\n  " + "\n  ".join(words) + "\n}\n" + PACKAGE)
    built(bench.build(text))
    built(bench.build(text))
    return bench


def test_nothing_can_be_written_outside(curious: Bench) -> None:
    assert not any(Path(target).exists() for target in OUTSIDE)
    assert names(curious.folder) <= {"out", "home", "cache"}
    assert "cannot touch '/usr/ci-toolkit-test'" in curious.log
    assert "wrote /usr" not in curious.log


def test_no_secret_is_there_to_be_read_and_none_is_printed(curious: Bench) -> None:
    assert SECRET[:6] in curious.log
    assert SECRET not in curious.log + "".join(curious.shown)
    assert "other-canary" not in curious.log


def test_a_terminal_gets_colours_and_nothing_else(curious: Bench) -> None:
    assert "\x1b[31mred\x1b[0m end\n" in curious.log
    assert "\x1b[1m\x1b[32m==>" in curious.log


def test_nothing_of_one_build_is_there_in_the_next(curious: Bench) -> None:
    """The log is that of the second one."""
    assert "mark" not in curious.log


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
