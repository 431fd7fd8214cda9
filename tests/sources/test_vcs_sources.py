"""Packages that follow more than one source, or a source of another system than git."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"


def with_sources(name: str, *sources: str, config: str = CUSTOM) -> dict[str, str]:
    files = SamplePackage(name=name, git_source=sources[0].removeprefix("git+")).folder(config)
    rows = "\n".join(f"\tsource = {source}" for source in sources)
    info = files[f"{name}/.SRCINFO"]
    start, _, rest = info.partition("\tsource = ")
    files[f"{name}/.SRCINFO"] = f"{start}{rows}\n{rest.partition(chr(10))[2]}"
    return files


@pytest.mark.parametrize(("config", "built"), [(CUSTOM, []), (f"{CUSTOM}CI_VCS_SOURCES=all\n", ["app-git"])])
def test_all_sources_are_followed_where_that_is_wanted(world: World, config: str, built: list[str]) -> None:
    first, second = (world.upstreams.repository(name) for name in ("first", "second"))
    first.commit({"a": "1"}, "one")
    second.commit({"a": "1"}, "one")
    urls = [f"git+{world.upstreams.url}/{name}.git" for name in ("first", "second")]
    world.start(with_sources("app-git", *urls, config=config))
    assert world.run("on-schedule", "--json").builds() == []
    second.commit({"a": "2"}, "two")
    result = world.run("on-schedule", "--json")
    assert result.builds() == built
    assert not built or "second.git moved" in result.verdicts()["app-git"]["why"]
    assert world.run("on-schedule", "--json").builds() == []
    first.commit({"a": "2"}, "two")
    assert world.run("on-schedule", "--json").builds() == ["app-git"]


def test_a_source_that_cannot_be_asked_keeps_its_head_and_is_named(world: World) -> None:
    first, second = (world.upstreams.repository(name) for name in ("first", "second"))
    first.commit({"a": "1"}, "one")
    second.commit({"a": "1"}, "one")
    urls = [f"git+{world.upstreams.url}/{name}.git" for name in ("first", "second")]
    world.start(with_sources("app-git", *urls, config=f"{CUSTOM}CI_VCS_SOURCES=all\n"))
    world.run("on-schedule")
    known = world.state("app-git")
    world.upstreams.fail(lambda seen: seen.path.startswith("/second.git"), status=404)
    second.commit({"a": "2"}, "two")
    failed = world.run("on-schedule", "--json")
    assert (failed.codes(), failed.builds()) == ({"app-git": "unreachable"}, [])
    assert world.state("app-git") == known
    world.upstreams.faults.clear()
    assert world.run("on-schedule", "--json").builds() == ["app-git"]


def test_one_repository_is_asked_once_by_all_who_follow_it(world: World) -> None:
    for name in ("first", "second"):
        world.upstreams.repository(name).commit({"a": "1"}, "one")
    urls = [f"git+{world.upstreams.url}/{name}.git" for name in ("first", "second")]
    config = f"{CUSTOM}CI_VCS_SOURCES=all\n"
    world.start(
        {**with_sources("a-git", *urls, config=config), **with_sources("b-git", *reversed(urls), config=config)}
    )
    world.upstreams.forget()
    world.run("on-schedule")
    assert world.upstreams.count()["ls-refs"] == 2


@pytest.mark.skipif(shutil.which("svnadmin") is None, reason="Subversion is not installed")
def test_a_subversion_source_is_followed(world: World) -> None:
    repository, work = world.folder / "svn", world.folder / "checkout"
    for words in (
        ["svnadmin", "create", str(repository)],
        ["svn", "checkout", "-q", f"file://{repository}", str(work)],
    ):
        subprocess.run(words, check=True, env=world.env)

    def commit(text: str) -> None:
        (work / "file").write_text(text)
        subprocess.run(["svn", "add", "-q", "--force", str(work / "file")], check=True, env=world.env)
        subprocess.run(["svn", "commit", "-q", "-m", text, str(work)], check=True, env=world.env)

    commit("one")
    world.start(with_sources("app-svn", f"svn+file://{repository}"))
    assert world.run("on-schedule", "--json").builds() == []
    commit("two")
    result = world.run("on-schedule", "--json")
    assert result.builds() == ["app-svn"]
    assert (result.verdicts()["app-svn"]["from"], result.verdicts()["app-svn"]["to"]) == ("1", "2")


def test_a_system_without_its_program_is_said(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    programs = tmp_path_factory.mktemp("bin")
    for name in ("git", "prlimit"):
        (programs / name).symlink_to(shutil.which(name) or "")
    world.start(with_sources("app-hg", "hg+https://example.org/app"))
    verdict = world.run("on-schedule", "--json", PATH=str(programs)).verdicts()["app-hg"]
    assert verdict["code"] == "unreachable"
    assert "hg is not installed, so its sources are not followed" in verdict["why"]
