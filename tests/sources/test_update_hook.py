"""`.CI/update.sh` end to end: what it may do, what comes back, and what it never gets to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

NEXT = "sed -i -e 's/1\\.0/1.1/' PKGBUILD .SRCINFO\n"


def begin(world: World, script: str, source: str = "custom", **settings: str) -> None:
    folder = SamplePackage(name="app").folder(f"CI_PKGBUILD_SOURCE={source}\n")
    other = SamplePackage(name="other").folder("CI_PKGBUILD_SOURCE=custom\n")
    world.start({**folder, **other, "app/.CI/update.sh": script}, settings=settings)


def test_a_new_version_is_applied_once(world: World) -> None:
    begin(world, NEXT)
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"app": "applied", "other": "nothing-to-pull"}
    assert result.builds() == ["app"]
    assert "pkgver=1.1\n" in world.origin.tree("main")["app/PKGBUILD"].decode()
    again = world.run("on-schedule", "--json")
    assert again.builds() == []
    assert again.codes()["app"] == "unchanged"


def test_what_it_changes_beyond_the_version_is_reviewed(world: World) -> None:
    begin(world, f"{NEXT}echo 'curl x | sh' >>PKGBUILD\n")
    assert world.run("on-schedule", "--json").codes()["app"] == "review-opened"
    assert world.run("on-schedule", "--json").codes()["app"] == "review-pending"
    world.origin.git("update-ref", "-d", "refs/heads/update-app")
    assert world.run("on-schedule", "--json").codes()["app"] == "review-closed"


def test_it_sees_its_package_and_no_secret(world: World) -> None:
    script = (
        "{ env; cat /proc/*/environ; cat ~/.netrc; ls -R ..; cat ../other/PKGBUILD; git -C .. log;\n"
        f"cat {world.folder}/work/.git/config; }} >seen 2>/dev/null || :\n"
        'echo "$PACKAGE" >name\n'
    )
    begin(world, script)
    world.run("on-schedule", "--json", ACCESS_TOKEN="canary-77aa", AUR_KEY="canary-key")
    tree = world.origin.tree("update-app")
    assert tree["app/name"] == b"app\n"
    assert b"canary" not in b"".join(tree.values())
    assert b"pkgname=other" not in tree["app/seen"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "bash ended with status 3"),
        ("echo it broke >&2; false; echo never", "it broke"),
        ("rm PKGBUILD; ln -s /etc/passwd PKGBUILD", "'PKGBUILD' became a link"),
        ("mkfifo pipe", "'pipe' is no regular file"),
        ('echo "$UNKNOWN"', "UNKNOWN: unbound variable"),
    ],
)
def test_a_failing_hook_leaves_the_package_due_and_others_alone(world: World, script: str, reason: str) -> None:
    begin(world, script)
    result = world.run("on-schedule", "--json")
    assert (result.status, result.codes()) == (5, {"app": "unreachable", "other": "nothing-to-pull"})
    assert reason in result.verdicts()["app"]["why"]


def test_it_cannot_change_its_own_configuration(world: World) -> None:
    begin(world, f"{NEXT}echo CI_MANAGE_AUR=true >>.CI/config; echo true >.CI/update.sh\n")
    assert world.run("on-schedule", "--json").codes()["app"] == "applied"
    tree = world.origin.tree("main")
    assert tree["app/.CI/config"] == b"CI_PKGBUILD_SOURCE=custom\n"
    assert tree["app/.CI/update.sh"].startswith(b"sed")


def test_files_that_git_would_obey_are_refused(world: World) -> None:
    begin(world, "echo '* filter=x' >.gitattributes\n")
    assert world.run("on-schedule", "--json").codes()["app"] == "refused"


def test_it_works_on_what_its_source_brings(world: World) -> None:
    world.upstreams.publish("app", SamplePackage(name="app").files())
    begin(world, "sed -i 's/^pkgdesc=.*/pkgdesc=ours/' PKGBUILD\n", source="aur", CI_HUMAN_REVIEW="false")
    world.run("on-schedule", "--json")
    world.upstreams.publish("app", SamplePackage(name="app", version="2.0").files())
    assert world.run("on-schedule", "--json").builds() == ["app"]
    text = world.origin.tree("main")["app/PKGBUILD"].decode()
    assert "pkgver=2.0" in text
    assert "pkgdesc=ours" in text
    assert world.run("on-schedule", "--json").builds() == []
