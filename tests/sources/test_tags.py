"""Tags of projects on forges as a package's versions, from forges that serve git and an API, well or badly."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest

from ci_toolkit.effects.cache_files import CacheFiles
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.remote_heads import RemoteHeads
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.observation import Absent, CouldNotAsk, NewVersion, Unmoved
from ci_toolkit.model.package import Package
from ci_toolkit.model.package_config import parse_package_config
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.sources.spec import SourceRequest, SourceTools
from ci_toolkit.sources.tags import GiteaTagSource, GithubTagSource, GitlabTagSource
from tests.support.forge_apis import GitlabProject, Release, numbered_tags
from tests.support.packages import SamplePackage
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.sources.spec import Source
    from tests.support.upstreams import Upstreams
    from tests.support.world import World

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
JSON = {"Content-Type": "application/json"}
KINDS: dict[str, type[Source]] = {"github": GithubTagSource, "gitea": GiteaTagSource, "gitlab": GitlabTagSource}


class Forge:
    """One project on each kind of forge, all with the same tags."""

    def __init__(self, upstreams: Upstreams, tools: SourceTools, told: list[str]) -> None:
        self.upstreams = upstreams
        self.tools = tools
        self.told = told
        self.host = upstreams.url.removeprefix("http://")
        self.texts = {"github": "github:o/n", "gitea": f"gitea:{self.host}/o/n", "gitlab": f"gitlab:{self.host}/7"}
        self.tag()

    def tag(self, **tags: str) -> None:
        """Make these the project's tags; `_` in a name stands for a dot."""
        self.tag_names({name.replace("_", "."): commit for name, commit in tags.items()})

    def tag_names(self, tags: Mapping[str, str]) -> None:
        head = {"HEAD": ONE, "refs/heads/main": ONE}
        self.upstreams.virtual["/o/n.git"] = head | {f"refs/tags/{name}": commit for name, commit in tags.items()}
        self.upstreams.apis.gitlab[7] = GitlabProject("group/n", list(tags.items()))

    def release(self, *releases: Release) -> None:
        self.upstreams.apis.releases["o/n"] = list(releases)
        self.upstreams.apis.gitlab[7].releases = list(releases)

    def request(
        self, kind: str, version: str = "1.0", revision: str | None = None, config: str = "", name: str = "foo"
    ) -> SourceRequest:
        text = self.texts.get(kind, kind)
        written = KeyValueFile.parse(f"CI_PKGBUILD_SOURCE={text}\n{config}".encode(), file=".CI/config")
        package = Package(
            pkgbase=Pkgbase(name),
            tree=Oid(ONE),
            files={},
            config=parse_package_config(written),
            srcinfo=SrcInfo.parse(SamplePackage(name=name, version=version).srcinfo().encode(), file=".SRCINFO"),
        )
        return SourceRequest(package=package, text=text, revision=revision, timestamp_s=None)

    def observe(self, kind: str, *requests: SourceRequest) -> dict[str, Any]:
        source = KINDS[kind]()
        assert all(source.accepts(request.text) for request in requests)
        self.told.clear()
        report = source.observe(requests, self.tools)
        assert sorted(self.told) == sorted(request.pkgbase for request in requests)
        assert list(report.outcomes) == list(dict.fromkeys(report.outcomes))
        return {str(pkgbase): outcome for pkgbase, outcome in report.outcomes.items()}

    def one(self, kind: str, version: str = "1.0", revision: str | None = None, config: str = "") -> Any:
        return self.observe(kind, self.request(kind, version, revision, config))["foo"]


@pytest.fixture
def forge(upstreams: Upstreams, tmp_path: Path) -> Iterator[Forge]:
    web = Web(clock=QuickClock(), manners=WebManners(allow_local=True, read_timeout_s=0.5))
    settings = f"CI_ALLOW_LOCAL_UPSTREAMS=true\nCI_GITHUB_URL={upstreams.url}\n"
    heads = RemoteHeads(web=web, processes=Processes(redactor=Redactor({})), env=upstreams.env)
    told: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        tools = SourceTools(
            web=web,
            aur_web=web,
            heads=heads,
            aur_heads=heads,
            upstreams=cast("Any", None),
            aur_upstreams=cast("Any", None),
            github=None,
            foreign_heads=cast("Any", None),
            sandbox=cast("Any", None),
            read_blobs=lambda _: {},
            files=CacheFiles(folder=tmp_path / "cache"),
            clock=QuickClock(),
            settings=parse_settings(KeyValueFile.parse(settings.encode(), file=".ci/config"), {}),
            memory={},
            aur_watermark_s=None,
            pool=pool,
            done=told.append,
        )
        yield Forge(upstreams, tools, told)
    web.close()


every_kind = pytest.mark.parametrize("kind", KINDS)


# ------------------------------------------------------------------ outcomes


@every_kind
def test_a_newer_tag_is_a_new_version(forge: Forge, kind: str) -> None:
    forge.tag(v1_0=ONE, v1_1=TWO, v1_2rc1=THREE)
    outcome = forge.one(kind, revision=f"1.0:{ONE}")
    pages = {
        "github": f"{forge.upstreams.url}/o/n/releases/tag/v1.1",
        "gitea": f"{forge.upstreams.url}/o/n/src/tag/v1.1",
        "gitlab": f"{forge.upstreams.url}/group/n/-/tags/v1.1",
    }
    assert outcome == NewVersion(version="1.1", revision=f"1.1:{TWO}", commit=Oid(TWO), link=pages[kind])
    assert forge.upstreams.seen[0].kind == ("api" if kind == "gitlab" else "ls-refs")
    assert len(forge.upstreams.seen) == 1


@every_kind
def test_what_was_dealt_with_is_unmoved(forge: Forge, kind: str) -> None:
    forge.tag(v1_0=ONE)
    assert forge.one(kind, "1.0", f"1.0:{ONE}") == Unmoved()
    assert forge.one(kind, "0.9", f"1.0:{ONE}") == Unmoved()


@every_kind
@pytest.mark.parametrize("revision", [None, ONE, "nonsense", f"0.9:{TWO}", "1.0:main"])
def test_a_version_that_the_package_has_is_remembered(forge: Forge, kind: str, revision: str | None) -> None:
    forge.tag(v1_0=ONE, v0_9=TWO)
    assert forge.one(kind, "1.0", revision) == Unmoved(revision=f"1.0:{ONE}")


@every_kind
@pytest.mark.parametrize("version", ["1.0", "0.9"])
def test_a_moved_tag_is_for_a_person(forge: Forge, kind: str, version: str) -> None:
    forge.tag(v1_0=TWO)
    outcome = forge.one(kind, version, f"1.0:{ONE}")
    assert outcome.review == "the tag of 1.0 was moved from 1111111111 to 2222222222"
    assert (outcome.version, outcome.revision, outcome.commit) == ("1.0", f"1.0:{TWO}", TWO)


@every_kind
def test_older_tags_alone_are_an_answer_of_their_own(forge: Forge, kind: str) -> None:
    forge.tag(v1_0=ONE)
    assert forge.one(kind, "1.1") == Absent(reason="its newest version there is 1.0, older than 1.1")


@every_kind
def test_tags_that_are_no_versions_are_counted(forge: Forge, kind: str) -> None:
    forge.tag(nightly=ONE, v2_0rc1=TWO, latest=THREE)
    outcome = forge.one(kind)
    assert isinstance(outcome, CouldNotAsk)
    assert outcome.reason.startswith("none of the 3 tags of ")
    assert outcome.reason.endswith(" is a version like 1.0")


@every_kind
def test_a_project_without_tags_is_no_version(forge: Forge, kind: str) -> None:
    assert "none of the 0 tags" in forge.one(kind).reason


@every_kind
def test_without_a_version_of_our_own_nothing_is_compared(forge: Forge, kind: str) -> None:
    forge.tag(v1_0=ONE)
    request = forge.request(kind)
    bare = Package(pkgbase=Pkgbase("bare"), tree=Oid(ONE), files={}, config=request.package.config, srcinfo=None)
    without = SourceRequest(package=bare, text=request.text, revision=None, timestamp_s=None)
    outcomes = forge.observe(kind, request, without)
    assert outcomes["foo"] == Unmoved(revision=f"1.0:{ONE}")
    assert ".SRCINFO" in outcomes["bare"].reason


@every_kind
def test_a_filter_chooses_among_the_tags(forge: Forge, kind: str) -> None:
    forge.tag_names({"foo4-1.1": ONE, "bar-1.9": TWO, "20990101": THREE})
    assert forge.one(kind, config="CI_TAG_FILTER=^foo4-(.*)$\n").version == "1.1"
    assert forge.one(kind).version == "1.9"


@every_kind
def test_of_two_tags_for_one_version_the_known_one_stays(forge: Forge, kind: str) -> None:
    forge.tag_names({"1.0": ONE, "v1.0": TWO})
    assert forge.one(kind, revision=f"1.0:{TWO}") == Unmoved()
    assert forge.one(kind, revision=f"1.0:{ONE}") == Unmoved()
    assert forge.one(kind) == Unmoved(revision=f"1.0:{ONE}")


@every_kind
def test_a_project_is_asked_once_however_many_packages_come_from_it(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE)
    requests = [forge.request(kind, name=f"p{number}") for number in range(5)]
    outcomes = forge.observe(kind, *requests)
    assert [outcome.version for outcome in outcomes.values()] == ["1.1"] * 5
    assert len(forge.upstreams.seen) == 1


@every_kind
def test_a_text_that_names_no_project_is_said_and_asks_nobody(forge: Forge, kind: str) -> None:
    outcomes = forge.observe(kind, forge.request(f"{kind}:"), forge.request(kind, name="good"))
    assert f"write {kind}:" in outcomes["foo"].reason
    assert outcomes["foo"].reason.startswith("CI_PKGBUILD_SOURCE: names no project") or kind == "gitlab"
    assert "none of the 0 tags" in outcomes["good"].reason


# ------------------------------------------------------------------ what git says


def test_the_test_server_lists_tags_as_git_does(forge: Forge, upstreams: Upstreams) -> None:
    (upstreams.root / "o").mkdir()
    repository = upstreams.repository("o/real")
    first = repository.commit({"x": "1"})
    repository.git("tag", "light", first)
    repository.git("-c", "user.name=A", "-c", "user.email=a@b.c", "tag", "-a", "-m", "x", "heavy", first)
    repository.git("update-ref", "refs/tags/blob", repository.git("hash-object", "-w", "--stdin"))
    remote = parse_git_url(f"{upstreams.url}/o/real.git")
    ours = forge.tools.heads.tags(remote)
    # The very file, without the test server's own ls-refs and over another way of asking.
    local = parse_git_url(f"file://{repository.path}", allow_local=True)
    assert ours == forge.tools.heads.tags(local)
    assert (ours["light"], ours["heavy"]) == (first, first)
    assert set(ours) == {"light", "heavy", "blob"}
    assert forge.tools.heads.ask(remote, ["HEAD", "refs/heads/main"]) == {"HEAD": first, "refs/heads/main": first}


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_an_annotated_tag_gives_the_commit_behind_it(forge: Forge, kind: str) -> None:
    forge.tag_names({"v1.1": ONE, "v1.1^{}": TWO})
    assert forge.one(kind).commit == TWO


# ------------------------------------------------------------------ releases

RELEASES_ONLY = "CI_RELEASES_ONLY=true\n"


@every_kind
def test_only_published_releases_count_where_that_is_wanted(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE, v1_2=TWO, v1_3=THREE)
    hidden = {"upcoming": True} if kind == "gitlab" else {"prerelease": True}
    forge.release(Release("v1.2", **hidden), Release("v1.1"), Release("v9.9"))
    outcomes = forge.observe(
        kind,
        forge.request(kind, config=RELEASES_ONLY),
        forge.request(kind, name="any"),
        forge.request(kind, name="too"),
    )
    assert (outcomes["foo"].version, outcomes["any"].version) == ("1.1", "1.3")
    assert len(forge.upstreams.seen) == 2


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_drafts_do_not_count(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE, v1_2=TWO)
    forge.release(Release("v1.2", draft=True), Release("v1.1"))
    assert forge.one(kind, config=RELEASES_ONLY).version == "1.1"


@every_kind
def test_tags_without_a_release_are_said(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE, v1_2=TWO)
    assert "none of the 2 tags, 0 of them released, of" in forge.one(kind, config=RELEASES_ONLY).reason


@every_kind
def test_unreadable_releases_concern_those_who_want_them(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE)
    forge.upstreams.fail(lambda seen: seen.path.endswith("/releases"), status=403)
    outcomes = forge.observe(kind, forge.request(kind, config=RELEASES_ONLY), forge.request(kind, name="any"))
    assert "answers 403" in outcomes["foo"].reason
    assert outcomes["any"].version == "1.1"


@pytest.mark.parametrize(("kind", "pages"), [("github", 3), ("gitea", 5), ("gitlab", 3)])
def test_releases_come_in_pages(forge: Forge, kind: str, pages: int) -> None:
    forge.tag(v1_1=ONE)
    forge.release(*(Release(f"x{number}") for number in range(249)), Release("v1.1"))
    assert forge.one(kind, config=RELEASES_ONLY).version == "1.1"
    assert sum(seen.path.endswith("/releases") for seen in forge.upstreams.seen) == pages


@every_kind
@pytest.mark.parametrize(
    "row",
    [{}, [], "v1.1", None, {"tag_name": 1, "draft": False, "prerelease": False}, {"tag_name": None},
     {"tag_name": "v1.1", "draft": "no", "prerelease": False, "upcoming_release": "no"},
     {"tag_name": "v1.1", "draft": False, "prerelease": None, "upcoming_release": 0}],
)  # fmt: skip
def test_releases_of_another_shape_are_refused(forge: Forge, kind: str, row: Any) -> None:
    forge.tag(v1_1=ONE)
    body = json.dumps([row]).encode()
    forge.upstreams.fail(lambda seen: seen.path.endswith("/releases"), status=200, headers=JSON, body=body)
    assert "something else than releases" in forge.one(kind, config=RELEASES_ONLY).reason


# ------------------------------------------------------------------ GitLab's lists


def test_gitlab_tags_come_in_pages(forge: Forge) -> None:
    forge.upstreams.apis.gitlab[7].tags = [*numbered_tags(250)]
    assert forge.one("gitlab").version == "1.249"
    assert len(forge.upstreams.seen) == 3


def test_gitlab_is_not_asked_for_ever(forge: Forge) -> None:
    forge.upstreams.apis.gitlab[7].tags = [*numbered_tags(10_000)]
    assert forge.one("gitlab").version == "1.9999"
    assert len(forge.upstreams.seen) == 10


@pytest.mark.parametrize("number", ["2", "1", "999999"])
def test_a_list_without_an_end_is_left_after_ten_pages(forge: Forge, number: str) -> None:
    rows = [{"name": "v1.1", "commit": {"id": ONE, "web_url": None}}]
    headers = {**JSON, "X-Next-Page": number}
    forge.upstreams.fail("api", status=200, headers=headers, body=json.dumps(rows).encode())
    assert forge.one("gitlab").link is None
    assert len(forge.upstreams.seen) == 10


@pytest.mark.parametrize("number", ["", "0&x=y", "-1", "２", "9" * 40, "../2"])
def test_a_page_number_that_is_none_ends_the_list(forge: Forge, number: str) -> None:
    rows = [{"name": "v1.1", "commit": {"id": ONE}}]
    headers = {**JSON, "X-Next-Page": number.encode("utf-8").decode("latin-1")}
    forge.upstreams.fail("api", status=200, headers=headers, body=json.dumps(rows).encode())
    assert forge.one("gitlab").version == "1.1"
    assert len(forge.upstreams.seen) == 1


@pytest.mark.parametrize(
    "link",
    ["http://127.0.0.2:1/x", "https://{host}/x", "http://evil.org/x", "//evil.org/", "http://[", "file:///etc/x"],
)
def test_a_next_page_elsewhere_is_refused(forge: Forge, link: str) -> None:
    rows = [{"name": "v1.1", "commit": {"id": ONE}}]
    headers = {**JSON, "Link": f'<{link.format(host=forge.host)}>; rel="next"'}
    forge.upstreams.fail("api", status=200, headers=headers, body=json.dumps(rows).encode())
    assert "next page at another host" in forge.one("gitlab").reason
    assert len(forge.upstreams.seen) == 1


@pytest.mark.parametrize(
    "page", [f"http://evil.org/g/n/-/commit/{ONE}", f"{{url}}.evil.org/g/n/-/commit/{ONE}", "javascript:alert(1)",
             f"{{url}}/g/../n/-/commit/{ONE}", f"{{url}}/g/n/-/commit/{ONE}\n", f"{{url}}/g/$(x)/-/commit/{ONE}", 1, None]
)  # fmt: skip
def test_a_web_page_elsewhere_is_not_linked(forge: Forge, page: Any) -> None:
    shown = page.replace("{url}", forge.upstreams.url) if isinstance(page, str) else page
    rows = [{"name": "v1.1", "commit": {"id": ONE, "web_url": shown}}]
    forge.upstreams.fail("api", status=200, headers=JSON, body=json.dumps(rows).encode())
    assert forge.one("gitlab") == NewVersion(version="1.1", revision=f"1.1:{ONE}", commit=Oid(ONE), link=None)


@pytest.mark.parametrize(
    "row",
    [None, 1, "v1.1", [], {}, {"name": "v1.1"}, {"name": 1, "commit": {"id": ONE}}, {"name": "v1.1", "commit": {}},
     {"name": "v1.1", "commit": {"id": "main"}}, {"name": "v1.1", "commit": {"id": ONE + "\n"}}],
)  # fmt: skip
def test_gitlab_tags_of_another_shape_are_refused(forge: Forge, row: Any) -> None:
    good = {"name": "v1.1", "commit": {"id": ONE}}
    forge.upstreams.fail("api", status=200, headers=JSON, body=json.dumps([good, row]).encode())
    assert "something else than tags" in forge.one("gitlab").reason


def test_a_tag_of_something_else_than_a_commit_is_passed_over(forge: Forge) -> None:
    rows = [{"name": "v1.2", "commit": None}, {"name": "v1.1", "commit": {"id": ONE}}]
    forge.upstreams.fail("api", status=200, headers=JSON, body=json.dumps(rows).encode())
    assert forge.one("gitlab").version == "1.1"


# ------------------------------------------------------------------ faults and strangers

HOSTILE = [
    "../../x", "../../1.9", "$(x)", "$(touch x)-1.9", "`x`1.9", "1.9;x", "1.9|x", "1.9 x", "1.9\nx", "-1.9", "--1.9",
    "1.9-rc1", "1.9\u202e", "１.９", "a" * 5000 + "-1.9", "1." + "9" * 500, "HEAD", "", "1..9", "1.9^{}", "1.9'", '"1.9"',
]  # fmt: skip


@every_kind
def test_hostile_names_are_no_versions(forge: Forge, kind: str) -> None:
    # A line end cannot be in git's list, where it would be another line.
    names = [name for name in HOSTILE if kind == "gitlab" or not set(name) & {"\n", " "}]
    forge.tag_names({**dict.fromkeys(names, TWO), "v1.1": ONE})
    outcome = forge.one(kind)
    assert (outcome.version, outcome.revision) == ("1.1", f"1.1:{ONE}")
    forge.tag_names(dict.fromkeys(names, TWO))
    assert isinstance(forge.one(kind), CouldNotAsk)


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_ten_thousand_tags_come_with_one_request(forge: Forge, kind: str) -> None:
    forge.tag_names(dict(numbered_tags(10_000)))
    assert forge.one(kind).version == "1.9999"
    assert len(forge.upstreams.seen) == 1


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"status": 401}, "answers 401"),
    ({"status": 403, "headers": {"X-RateLimit-Remaining": "0"}}, "answers 403"),
    ({"status": 404}, "answers 404"),
    ({"status": 429, "headers": {"Retry-After": "3600"}}, "answers 429"),
    ({"status": 503}, "answers 503"),
    ({"cut": True}, "cut off"),
    ({"hang_s": 3.0}, "no answer in time"),
    ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/x"}}, "no connection"),
]
ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"status": 304}, "answers 304"),
    ({"status": 200, "body": b"<html>", "headers": {"Content-Type": "text/html"}}, "else than JSON"),
    ({"status": 200, "body": b"null", "headers": JSON}, "else than a list"),
    ({"status": 200, "body": b'{"message": "x"}', "headers": JSON}, "else than a list"),
    ({"status": 200, "body": b'[{"name": "v1', "headers": JSON}, "broken JSON"),
    ({"status": 200, "body": b"[" * 100_000, "headers": JSON}, "broken JSON"),
    ({"status": 200, "body": gzip.compress(b"[]" * 9_000_000), "headers": {**JSON, "Content-Encoding": "gzip"}}, "broken JSON"),
    ({"status": 200, "body": b" " * (9 << 20), "headers": JSON}, "more than 8388608 bytes"),
]  # fmt: skip


@every_kind
@pytest.mark.parametrize(("fault", "why"), FAULTS)
def test_a_failing_forge_is_an_outcome(forge: Forge, kind: str, fault: dict[str, Any], why: str) -> None:
    forge.tag(v1_1=ONE)
    forge.upstreams.fail(lambda seen: True, **fault)
    outcome = forge.one(kind)
    assert isinstance(outcome, CouldNotAsk)
    assert why in outcome.reason


@pytest.mark.parametrize(("fault", "why"), ANSWERS)
def test_an_api_that_answers_nonsense_is_an_outcome(forge: Forge, fault: dict[str, Any], why: str) -> None:
    forge.upstreams.fail("api", **fault)
    outcome = forge.one("gitlab")
    assert isinstance(outcome, CouldNotAsk)
    assert why in outcome.reason


@every_kind
def test_a_passing_fault_is_not_noticed(forge: Forge, kind: str) -> None:
    forge.tag(v1_1=ONE)
    forge.upstreams.fail(lambda seen: True, status=429, headers={"Retry-After": "3"}, times=1)
    assert forge.one(kind).version == "1.1"


@pytest.mark.parametrize("kind", ["github", "gitea"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"0005", b"0035" + b"x" * 10, b"003fnonsense"])
def test_git_that_answers_nonsense_is_an_outcome(forge: Forge, kind: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-git-upload-pack-result"}
    forge.upstreams.fail("ls-refs", status=200, body=body, headers=headers)
    assert isinstance(forge.one(kind), CouldNotAsk)


def test_one_project_that_fails_does_not_stop_the_others(forge: Forge) -> None:
    forge.tag(v1_1=ONE)
    missing = forge.request(f"gitlab:{forge.host}/8", name="missing")
    outcomes = forge.observe("gitlab", missing, forge.request("gitlab"))
    assert "answers 404" in outcomes["missing"].reason
    assert outcomes["foo"].version == "1.1"


# ------------------------------------------------------------------ in a run


def test_a_run_finds_the_three_kinds_and_says_what_is_wrong(world: World) -> None:
    host = world.upstreams.url.removeprefix("http://")
    refs = {"HEAD": ONE, "refs/heads/main": ONE, "refs/tags/v1.0": ONE}
    world.upstreams.virtual["/o/n.git"] = refs
    world.upstreams.apis.gitlab[7] = GitlabProject("g/n", [("v1.0", ONE)])
    texts = {
        "a": "github:o/n", "b": f"gitea:{host}/o/n", "c": f"gitlab:{host}/7",
        "d": "github:o/gone", "e": "gitlab:group/name", "f": f"gitlab:{host}/8",
    }  # fmt: skip
    files: dict[str, str | bytes] = {}
    for name, text in texts.items():
        files |= SamplePackage(name=name).folder(f"CI_PKGBUILD_SOURCE={text}\n")
    world.start(files, settings={"CI_GITHUB_URL": world.upstreams.url})
    result = world.run("on-schedule", "--json", "--dry-run")
    verdicts = {name: json.dumps(verdict) for name, verdict in result.verdicts().items()}
    assert {result.codes()[name] for name in "abc"} == {"baseline"}
    assert "answers 404" in verdicts["d"]
    assert "write gitlab:NUMBER" in verdicts["e"]
    assert "answers 404" in verdicts["f"]
    assert world.run("on-schedule").status != 0
    assert world.state("c")["CI_UPSTREAM_REVISION"] == f"1.0:{ONE}"
