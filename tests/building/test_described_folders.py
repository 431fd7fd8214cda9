"""From a push to what users get, for folders that are built by something else than makepkg."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError, PackagesFailedError, PublishError
from tests.support.builds import needs_makepkg
from tests.support.local_builds import Described, LocalBuilds, Tiny

if TYPE_CHECKING:
    import pytest

    from tests.support.world import World

pytestmark = needs_makepkg

LIB = Tiny(name="lib")


def command(name: str, text: str, *outputs: str, depends: tuple[str, ...] = (), more: str = "") -> dict[str, str]:
    """A folder that a command builds."""
    return Described(name=name, command=text, outputs=outputs, depends=depends, more=more).folder()


def push(local: LocalBuilds, files: dict[str, str], *, remove: tuple[str, ...] = ()) -> None:
    local.world.push(files, remove=remove)
    local.schedule()


def test_the_story_of_a_repository_with_packages_and_plain_files(world: World) -> None:
    """One long story, as each of its steps needs what the one before built."""
    local = LocalBuilds(world, LIB)
    local.schedule()
    files = local.top / "places/directory/current"

    # What needs something is built behind it, whoever builds that; each goes to its own place.
    tool = command("tool", "cp /usr/share/lib/file tool; echo text >tool.txt", "tool", "tool.txt", depends=("lib",))
    bundle = command("bundle", 'cat "$CI_NEEDS"/tool/* >bundle', "bundle", depends=("tool",))
    push(local, {**tool, **bundle})
    result = local.build()
    assert result.status == 0, result.stdout + result.stderr
    assert local.states() == {"lib": "succeeded", "tool": "succeeded", "bundle": "succeeded"}
    assert {name: job["recipe"] for name, job in local.jobs().items()} == {
        "lib": "makepkg",
        "tool": "command",
        "bundle": "command",
    }
    assert local.published() == {"lib": "1.0-1"}
    assert (files / "tool/1.0-1/tool").read_text() == "something\n"
    assert (files / "bundle/1.0-1/bundle").read_text() == "something\ntext\n"
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=files, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

    # The same again is not built, other content under the same version neither; a release makes it.
    world.run("schedule", "tool")
    local.build()
    assert local.states()["tool"] == "already built"
    push(local, command("bundle", "echo other >bundle", "bundle"))
    assert local.build().status == PackagesFailedError.exit_status
    assert "raise release in .CI/recipe.toml" in local.jobs()["bundle"]["reason"]
    push(local, command("bundle", "echo other >bundle", "bundle", more='release = "2"'))
    assert local.build().status == 0
    assert (files / "bundle/1.0-2/bundle").read_text() == "other\n"

    # A folder that becomes a package of pacman's leaves the other place, and one that is gone leaves, too.
    push(local, Tiny(name="tool").folder(), remove=("tool/.CI/recipe.toml", "bundle"))
    assert local.build().status == 0
    assert local.published() == {"lib": "1.0-1", "tool": "1.0-1"}
    assert not list(files.glob("*/latest"))


def test_a_place_that_cannot_be_had_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalBuilds(world, LIB)
    local.schedule()
    push(local, command("tool", "echo one >tool", "tool"))
    from ci_toolkit.publishers.directory import publisher as directory  # noqa: PLC0415

    kind = directory.OpenDirectory
    with monkeypatch.context() as broken:

        def refuse(*_: object) -> None:
            raise PublishError("its disk is away", hint="bring it back")

        broken.setattr(kind, "publish", refuse)
        result = local.build()
    assert result.status == PublishError.exit_status
    assert "its disk is away (bring it back)" in result.stderr
    assert local.published() == {"lib": "1.0-1"}
    assert local.states() == {"lib": "succeeded", "tool": "publishing"}
    assert (
        local.jobs()["tool"]["reason"] == "it is built, and directory cannot take it: its disk is away (bring it back)"
    )
    # It is not built again for that.
    assert local.build().status == 0
    assert local.states()["tool"] == "succeeded"
    assert len(local.steps("tool")) == len(("queued", "building", "publishing", "succeeded"))


def test_a_publisher_that_is_none_is_the_fault_of_its_folder_alone(world: World) -> None:
    local = LocalBuilds(world, LIB)
    local.schedule()
    push(local, command("tool", "echo one >tool", "tool", more='publish = "dierctory"'))
    assert local.build().status == PackagesFailedError.exit_status
    assert local.states() == {"lib": "succeeded", "tool": "failed"}
    assert local.jobs()["tool"]["reason"].startswith("in phase evaluate: no publisher is called dierctory; there")


def test_a_key_of_pacmans_is_wanted_only_where_packages_are(world: World) -> None:
    """A repository without any package has no signed database either."""
    world.start(command("tool", "echo one >tool", "tool"), settings={"CI_BACKEND": "local"}, seen=False)
    assert world.run("on-commit").status == 0
    result = world.run("builds", "run", "--demo-key")
    assert result.status == 0, result.stderr
    assert not (world.folder / "home/.local/share/ci-toolkit/builds/samples/repository").exists()


def test_a_place_that_is_not_ready_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalBuilds(world, LIB)
    local.schedule()
    push(local, command("tool", "echo one >tool", "tool"))
    from ci_toolkit.publishers.directory import publisher as directory  # noqa: PLC0415

    with monkeypatch.context() as broken:

        def refuse(*_: object) -> None:
            raise NotReadyError("its disk is not there", hint="mount it")

        broken.setattr(directory.DirectoryPublisher, "opened", refuse)
        result = local.build()
    assert result.status == PublishError.exit_status
    assert "directory is not ready: its disk is not there (mount it)" in result.stderr
    assert local.states() == {"lib": "succeeded", "tool": "publishing"}
    assert local.build().status == 0
    assert local.states()["tool"] == "succeeded"
