"""Upstreams that fail, hang or lie: one clear verdict at the package, the rest goes on, nothing is lost."""

from __future__ import annotations

import gzip
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.web import WebManners
from ci_toolkit.errors import PackagesFailedError
from ci_toolkit.pipelines import upstream_access
from tests.support.moment import Moment
from tests.support.packages import SamplePackage
from tests.support.upstreams import make_dump
from tests.support.world import new_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.world import World

AUR = SamplePackage(name="fromaur")
GIT = SamplePackage(name="fromgit")


@pytest.fixture(scope="module")
def all_moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moment]:
    """A git package, an AUR package and a VCS head, all of which have moved."""
    with new_world(tmp_path_factory.mktemp("bad-upstreams")) as world:
        upstreams = world.upstreams
        for folder in ("packaging", "projects"):
            (upstreams.root / folder).mkdir()
        packaging = upstreams.repository("packaging/fromgit")
        project = upstreams.repository("projects/tool")
        packaging.commit(GIT.files())
        project.commit({"README": "1\n"})
        tool = SamplePackage(name="tool-git", git_source=f"{upstreams.url}/projects/tool.git")
        upstreams.publish("fromaur", AUR.files())
        world.start(
            {
                **AUR.folder(),
                **GIT.folder(f"CI_PKGBUILD_SOURCE={upstreams.url}/packaging/fromgit.git\n"),
                **tool.folder("CI_PKGBUILD_SOURCE=custom\n"),
            }
        )
        assert world.run("on-schedule").status == 0
        upstreams.publish("fromaur", replace(AUR, version="1.1").files())
        packaging.commit(replace(GIT, version="1.1").files())
        project.commit({"README": "2\n"})
        yield Moment(world)


@pytest.fixture
def due(all_moved: Moment, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same for each test; patience is short."""
    monkeypatch.setattr(upstream_access, "WebManners", partial(WebManners, read_timeout_s=1.0))
    all_moved.return_to()
    return all_moved.world


HEALED = {"fromaur": "applied", "fromgit": "applied", "tool-git": "rebuilt"}

ANSWERS: dict[str, dict[str, Any]] = {
    "404": {"status": 404},
    "500": {"status": 500},
    "html": {"status": 200, "body": b"<html>maintenance</html>", "headers": {"Content-Type": "text/html"}},
    "empty": {"status": 200, "body": b""},
    "cut": {"cut": True},
    "hang": {"hang_s": 4.0},
    "redirect": {"status": 302, "headers": {"Location": "/elsewhere/forever"}},
    "429": {"status": 429, "headers": {"Retry-After": "3600"}},
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    ("path", "hurt"),
    [
        ("/packages-meta", {"fromaur"}),
        ("/aur.git", {"fromaur"}),
        ("/packaging", {"fromgit"}),
        ("/projects", {"tool-git"}),
    ],
    ids=["dump", "mirror", "git-url", "vcs-head"],
)
def test_a_failing_upstream_hurts_its_packages_only_and_they_stay_due(
    due: World, path: str, hurt: set[str], answer: str
) -> None:
    fault = due.upstreams.fail(lambda seen: seen.path.startswith((path, "/elsewhere")), **ANSWERS[answer])
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    codes = result.codes()
    for package, code in HEALED.items():
        if package not in hurt:
            assert codes[package] == code
        elif path == "/projects":
            assert codes[package] == "unreachable"
        else:
            assert codes[package] == "unreachable"
            assert result.verdicts()[package]["now"] == "stays due"
    due.upstreams.faults.remove(fault)
    again = due.run("on-schedule", "--json")
    assert again.status == 0
    assert {name: again.codes()[name] for name in hurt} == {name: HEALED[name] for name in hurt}


DUMPS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda good: good[: len(good) // 2],
    "corrupt": lambda good: good[:20] + b"\xff" * 40 + good[60:],
    "html": lambda _: gzip.compress(b"<html></html>"),
    "null": lambda _: gzip.compress(b"null"),
    "object": lambda _: gzip.compress(b"{}"),
    "not-closed": lambda good: gzip.compress(gzip.decompress(good).rstrip().removesuffix(b"]")),
    "types": lambda good: gzip.compress(gzip.decompress(good).replace(b'"LastModified":17', b'"LastModified":"17')),
    "shrunken": lambda _: gzip.compress(make_dump({})),
}


@pytest.mark.parametrize("shape", DUMPS)
def test_an_unusable_dump_is_refused_whole_and_nothing_advances(due: World, shape: str) -> None:
    due.upstreams.filler = 10
    due.run("on-schedule", CI_TEST_PACKAGES="tool-git:fromgit")
    before = due.state("fromaur")
    due.upstreams.dump_body = DUMPS[shape](due.upstreams.dump())
    result = due.run("on-schedule", "--json")
    assert result.codes()["fromaur"] == "unreachable"
    assert "packages-meta-ext-v1.json.gz is unusable" in result.verdicts()["fromaur"]["why"]
    assert due.state("fromaur") == before
    due.upstreams.dump_body = None
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "applied"


def test_a_mirror_that_lags_behind_the_dump_loses_nothing(due: World) -> None:
    due.run("on-schedule")
    row = due.upstreams.aur_packages["fromaur"]
    now = int(due.clock.now())
    due.upstreams.aur_packages["fromaur"] = replace(row, modified_s=now)
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "upstream-lags"
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "upstream-lags"
    due.upstreams.publish("fromaur", replace(AUR, version="1.2").files(), when=now)
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "applied"


def test_a_clock_that_is_ahead_loses_no_update(due: World) -> None:
    due.clock.offset_s = 86_400.0
    due.run("on-schedule")
    due.clock.offset_s = 0.0
    due.upstreams.publish("fromaur", replace(AUR, version="1.2").files(), when=int(due.clock.now()))
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "applied"


def test_a_date_in_the_future_does_not_stop_later_updates(due: World) -> None:
    due.upstreams.publish("fromaur", replace(AUR, version="1.1").files(), when=4_000_000_000)
    due.run("on-schedule")
    due.upstreams.publish("fromaur", replace(AUR, version="1.2").files(), when=1_800_000_000)
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "applied"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("--upload-pack=touch /tmp/x://y", "CI_PKGBUILD_SOURCE"),
        ("ext::sh -c touch% x://y", "CI_PKGBUILD_SOURCE"),
        ("ftp://example.org/x.git", "CI_PKGBUILD_SOURCE"),
        ("https://-oProxyCommand=x/y.git", "CI_PKGBUILD_SOURCE"),
        ("ssh://-oProxyCommand=touch/x", "CI_PKGBUILD_SOURCE"),
        ("https://user:hunter2secret@example.org/x.git", "CI_PKGBUILD_SOURCE"),
    ],
    ids=["option", "ext", "ftp", "host-option", "ssh-option", "password"],
)
def test_a_source_url_that_is_not_allowed_is_named(due: World, source: str, why: str) -> None:
    due.push({"fromgit/.CI/config": f"CI_PKGBUILD_SOURCE={source}\n"})
    due.run("on-commit")
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {**HEALED, "fromgit": "unreachable"}
    assert why in result.verdicts()["fromgit"]["why"]
    assert "hunter2secret" not in result.stdout + result.stderr


def test_local_addresses_are_refused_before_anything_is_sent(due: World) -> None:
    due.push({".ci/config": due.settings(CI_ALLOW_LOCAL_UPSTREAMS="false")})
    due.run("on-commit")
    due.upstreams.forget()
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert set(result.codes().values()) == {"unreachable"}
    assert "127.0.0.1" in result.verdicts()["fromgit"]["why"]
    counted = due.upstreams.count()
    assert not {"dump", "ls-refs", "fetch", "advertise"} & {
        seen.kind for seen in due.upstreams.seen if not seen.path.startswith("/origin.git")
    }, counted


def test_file_urls_are_refused_outside_of_tests(due: World) -> None:
    due.push(
        {
            ".ci/config": due.settings(CI_ALLOW_LOCAL_UPSTREAMS="false"),
            "fromgit/.CI/config": f"CI_PKGBUILD_SOURCE=file://{due.upstreams.root}/packaging/fromgit.git\n",
        }
    )
    due.run("on-commit")
    result = due.run("on-schedule", "--json")
    assert "file" in result.verdicts()["fromgit"]["why"]


@pytest.mark.parametrize(
    ("files", "modes", "why"),
    [
        ({"link": "../../.ci/config"}, {"link": "120000"}, "leaves the folder"),
        ({"link": "/etc/passwd"}, {"link": "120000"}, "leaves the folder"),
        ({".gitattributes": "* filter=x"}, {}, "change how git works"),
        ({"sub/.gitmodules": "x"}, {}, "change how git works"),
        ({"big": "x" * (21 << 20)}, {}, "larger than 20 MiB"),
        ({".SRCINFO": "pkgbase = fromaur\nnonsense\n"}, {}, ".SRCINFO line 2"),
        ({"a\nb": "x"}, {}, "characters"),
        ({".SRCINFO": AUR.srcinfo().replace("pkgver = 1.0", "pkgver = ../../evil")}, {}, "is no version"),
    ],
    ids=["link", "absolute-link", "attributes", "modules", "size", "srcinfo", "name", "version"],
)
def test_a_folder_that_must_not_be_taken_is_refused_once_and_remembered(
    due: World, files: dict[str, str], modes: dict[str, str], why: str
) -> None:
    revision = due.upstreams.publish("fromaur", {**AUR.files(), **files}, modes=modes)
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {**HEALED, "fromaur": "refused"}
    assert why in result.verdicts()["fromaur"]["why"]
    assert due.state("fromaur")["CI_UPSTREAM_REVISION"] == revision
    due.upstreams.forget()
    again = due.run("on-schedule", "--json")
    assert (again.status, again.codes()["fromaur"]) == (0, "refused-before")
    assert due.upstreams.count()["fetch"] == 0
    due.upstreams.publish("fromaur", replace(AUR, version="1.1").files())
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "applied"


def test_a_pkgbuild_that_does_not_parse_is_never_minor(due: World) -> None:
    broken = AUR.files()
    broken["PKGBUILD"] = broken["PKGBUILD"].replace("package() {", "package() { if")
    due.upstreams.publish("fromaur", broken)
    assert due.run("on-schedule", "--json").codes()["fromaur"] == "review-opened"


def test_a_damaged_cache_is_rebuilt(due: World) -> None:
    for pack in (due.folder / "home/cache/ci-toolkit/upstreams").rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"PACK garbage")
    assert due.run("on-schedule", "--json").codes() == HEALED


def test_corrupt_state_makes_one_package_unknown_and_builds_nothing(due: World) -> None:
    due.run("on-schedule")
    due.origin.commit({"fromaur": "CI_PKGBUILD_TIMESTAMP=soon\n", "tool-git": b"\0"}, "x", branch="state")
    result = due.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert (result.codes()["fromaur"], result.codes()["tool-git"]) == ("bad-state", "bad-state")
    assert "CI_PKGBUILD_TIMESTAMP" in result.verdicts()["fromaur"]["why"]
    assert result.builds() == []
    assert due.run("on-schedule", "--json").status == 0


def test_a_missing_state_branch_is_rebuilt_without_building_anything(due: World) -> None:
    due.run("on-schedule")
    due.origin.git("update-ref", "-d", "refs/heads/state")
    result = due.run("on-schedule", "--json")
    assert (result.status, result.builds()) == (0, [])
    due.upstreams.repository("projects/tool").commit({"README": "3\n"})
    assert due.run("on-schedule", "--json").builds() == ["tool-git"]
