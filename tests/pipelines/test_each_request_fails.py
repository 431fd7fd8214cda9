"""Each request of a run over 100 packages fails, one at a time; a healthy run later nothing is lost and nothing doubled.

The requests are listed here by hand and a test compares the list with what a run really asks, so that a request which
is new, or has gone, is noticed. Whatever fails goes on failing until the run ends, its retries included. Of requests
that differ by nothing but a name, one fails: of packages with the same fate, and of projects with the same followers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects import git_remote
from ci_toolkit.errors import GitError, HandOverError, PackagesFailedError
from tests.support.moment import Moment
from tests.support.packages import SamplePackage
from tests.support.upstreams import DUMP_PATH, Seen
from tests.support.world import new_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.world import Result, World

# Parts such as `state` and `builds`, each with its lines and how often they are there.
Outcome = dict[str, Counter[str]]

# The rest has no upstream of its own.
AUR, GIT_URL = range(80), range(80, 90)
VCS = tuple(number for number in range(100) if number % 5 < 2)
# Forty packages build from 28 projects, so that twelve projects have two followers.
PROJECTS = 28
MOVED_PROJECTS = (0, 1, 2, 12, 14, 16, 27)
# Of VCS packages among the harmless updates no project moves: one build for two reasons that come apart is two builds.
HARMLESS = (*range(2, 50, 5), 10, 15, 80, 82, 84)
# The projects of 30 and 35 move too: they are built for that while their update waits for a person.
FOR_REVIEW = (*range(3, 30, 5), 30, 35, 83)
# Applied because its maintainer is trusted, this one follows another project from then on.
GOES_ELSEWHERE = 50
ELSEWHERE = "/projects/elsewhere.git"
MOVED_GIT_URLS = tuple(number for number in GIT_URL if number in (*HARMLESS, *FOR_REVIEW))


@dataclass(frozen=True)
class Request:
    """The `nth` request of a kind for a path, counted from one within a run."""

    kind: str
    path: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.path.strip('/')}-{self.kind}-{self.nth}"


def followed_project(number: int) -> int | None:
    return VCS.index(number) % PROJECTS if number in VCS else None


def project_path(project: int) -> str:
    return f"/projects/p{project:02}.git"


def packaging_name(number: int) -> str:
    return f"packaging/g{number}"


def fate(number: int) -> str:
    """What becomes of a package in an undisturbed run."""
    return "built" if number in (*HARMLESS, GOES_ELSEWHERE) else "reviewed" if number in FOR_REVIEW else "left alone"


def first_of_each(numbers: Iterable[int], trait: Callable[[int], object]) -> list[int]:
    """The first number with each trait."""
    found: dict[object, int] = {}
    for number in numbers:
        found.setdefault(trait(number), number)
    return list(found.values())


def project_trait(project: int) -> object:
    return project in MOVED_PROJECTS, *(fate(number) for number in VCS if followed_project(number) == project)


def git_url_trait(number: int) -> object:
    return fate(number), followed_project(number) is None


def fetching(repository: str, *, rounds: int = 1) -> list[Request]:
    """What git asks to fetch something, after ci-toolkit has asked for the refs itself."""
    pack = f"{repository}/git-upload-pack"
    fetches = [Request("fetch", pack, nth) for nth in range(1, rounds + 1)]
    return [Request("advertise", f"{repository}/info/refs"), Request("ls-refs", pack, 2), *fetches]


def _listing(repository: str) -> Request:
    return Request("ls-refs", f"{repository}/git-upload-pack")


AUR_REQUESTS = [Request("dump", DUMP_PATH), _listing("/aur.git"), *fetching("/aur.git", rounds=3)]
# On each of these more than a single package depends.
CENTRAL = [Request("dump", DUMP_PATH), _listing("/aur.git"), Request("fetch", "/aur.git/git-upload-pack")]
GIT_URL_REQUESTS = [
    *(_listing(f"/{packaging_name(number)}.git") for number in GIT_URL),
    *(request for number in MOVED_GIT_URLS for request in fetching(f"/{packaging_name(number)}.git")),
]
HEAD_REQUESTS = [*(_listing(project_path(project)) for project in range(PROJECTS)), _listing(ELSEWHERE)]
GIT_URLS_THAT_DIFFER = first_of_each(GIT_URL, git_url_trait)
UPSTREAM_REQUESTS_THAT_DIFFER = [
    *AUR_REQUESTS,
    *(_listing(f"/{packaging_name(number)}.git") for number in GIT_URLS_THAT_DIFFER),
    *(
        request
        for number in first_of_each(MOVED_GIT_URLS, fate)
        for request in fetching(f"/{packaging_name(number)}.git")
    ),
    *(_listing(project_path(project)) for project in first_of_each(range(PROJECTS), project_trait)),
    _listing(ELSEWHERE),
]
PUSHES = [Request("push", "/origin.git/git-receive-pack", nth) for nth in (1, 2)]
ORIGIN_REQUESTS = [
    *(Request("advertise", "/origin.git/info/refs", nth) for nth in (1, 2, 3)),
    *(Request("origin-ls-refs", "/origin.git/git-upload-pack", nth) for nth in (1, 2, 3)),
    Request("origin-fetch", "/origin.git/git-upload-pack"),
    *(Request("push-advertise", "/origin.git/info/refs", nth) for nth in (1, 2)),
    *PUSHES,
]

_PACK_TYPE = {"Content-Type": "application/x-git-upload-pack-result"}
FAULTS: dict[str, dict[str, Any]] = {
    "cut": {"cut": True},
    "503": {"status": 503},
    "404": {"status": 404, "body": b"not here\n"},
    "html": {"status": 200, "body": b"<html>maintenance</html>", "headers": {"Content-Type": "text/html"}},
    "torn": {"status": 200, "body": b"0099" + b"5" * 40 + b" HE", "headers": _PACK_TYPE},
    "empty": {"status": 200, "body": b"0000", "headers": _PACK_TYPE},
}


def every(requests: Iterable[Request]) -> list[Any]:
    """Each request with each fault."""
    return [_case(request, fault) for request in requests for fault in FAULTS]


def rotating(requests: Iterable[Request], *, but: Iterable[Request] = ()) -> list[Any]:
    """Each request with one of the faults, in turn, `but` for some that get all of them."""
    others = [request for request in requests if request not in but]
    return [*every(but), *(_case(request, fault) for request, fault in zip(others, cycle(FAULTS), strict=False))]


def _case(request: Request, fault: str) -> Any:
    return pytest.param(request, fault, id=f"{request}-{fault}")


class OneRequest:
    """Matches a request of a run and, as retries are, all later ones like it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.like_it = 0

    def __call__(self, seen: Seen) -> bool:
        is_like_it = (seen.kind, seen.path) == (self.request.kind, self.request.path)
        self.like_it += is_like_it
        return is_like_it and self.has_come

    @property
    def has_come(self) -> bool:
        return self.like_it >= self.request.nth


class Hundred:
    """100 packages just before a busy run, with what that run leads to when nothing fails."""

    def __init__(self, world: World) -> None:
        self.upstreams = world.upstreams
        self.world = world
        self.packages = [self._package(number) for number in range(100)]
        self._publish_all()
        self.world.start(self._folders())
        self.world.clone("--no-checkout")
        assert self.world.run("on-schedule").status == 0
        self._move_upstreams()
        self._handled_push()
        self.moment = Moment(self.world)
        self.asked, self.undisturbed = self._run_undisturbed()

    def _package(self, number: int) -> SamplePackage:
        project = followed_project(number)
        if project is None:
            return SamplePackage(name=f"package{number:02}")
        url = self.upstreams.url + project_path(project)
        return SamplePackage(name=f"package{number:02}-git", git_source=url)

    def _publish_all(self) -> None:
        (self.upstreams.root / "packaging").mkdir()
        for number in (*AUR, *GIT_URL):
            self._publish(number, self.packages[number])
        for project in range(PROJECTS):
            self._move_project(project_path(project), "1")
        self._move_project(ELSEWHERE, "1")

    def _publish(self, number: int, package: SamplePackage) -> None:
        if number in GIT_URL:
            self.upstreams.repository(packaging_name(number)).commit(package.files())
        else:
            maintainer = "trusty" if number == GOES_ELSEWHERE else "alice"
            self.upstreams.publish(package.name, package.files(), maintainer=maintainer)

    def _move_project(self, path: str, head: str) -> None:
        self.upstreams.virtual[path] = {"HEAD": head * 40, "refs/heads/main": head * 40}

    def _folders(self) -> dict[str, str]:
        files = {".ci/aur-maintainers": "trusty\n"}
        for number, package in enumerate(self.packages):
            url = f"{self.upstreams.url}/{packaging_name(number)}.git"
            source = "aur" if number in AUR else url if number in GIT_URL else "custom"
            files.update(package.folder(f"CI_PKGBUILD_SOURCE={source}\n"))
        return files

    def _move_upstreams(self) -> None:
        for number in HARMLESS:
            self._publish(number, replace(self.packages[number], version="1.1"))
        for number in FOR_REVIEW:
            self._publish(number, replace(self.packages[number], version="1.1", body="curl x | sh"))
        elsewhere = replace(self.packages[GOES_ELSEWHERE], git_source=self.upstreams.url + ELSEWHERE)
        self._publish(GOES_ELSEWHERE, elsewhere)
        for project in MOVED_PROJECTS:
            self._move_project(project_path(project), "2")

    def _handled_push(self) -> None:
        """Somebody's push, which an on-commit run has seen and this clone has not: there is something to fetch."""
        self.world.push({"README.md": "x\n"}, "docs: meanwhile")
        self.world.origin.tag("scheduled", "main")

    def _run_undisturbed(self) -> tuple[Counter[Request], Outcome]:
        self.upstreams.forget()
        first = self.run()
        asked = Counter(numbered(self.upstreams.seen))
        second = self.run()
        assert (first.status, second.status) == (0, 0)
        return asked, self.result(first, second)

    def run(self) -> Result:
        return self.world.run("on-schedule", "--json")

    def run_with(self, request: Request, **fault: Any) -> Result:
        """A run from the start during which a request fails."""
        self.moment.return_to()
        failing = OneRequest(request)
        self.upstreams.fail(failing, **fault)
        result = self.run()
        self.upstreams.faults.clear()
        assert failing.has_come
        return result

    def result(self, *runs: Result) -> Outcome:
        """What some runs led to, but for times, names of commits, and how it was spread over the runs.

        The order of keys in a package's state only tells which was learnt first.
        """
        refs = self.world.origin.refs()
        reviews = sorted(ref for ref in refs if ref.startswith("refs/heads/update-"))
        # What a review branch stems from may be an earlier commit, so its message and its change are looked at.
        shown = ("--no-walk=unsorted", "--raw", "--no-abbrev", "--no-renames", "--format=%S: %B")
        return {
            "refs": Counter(refs.keys()),
            "tag": Counter([str(refs["refs/tags/scheduled"] == refs["refs/heads/main"])]),
            "main": Counter(self._lines("ls-tree", "-r", "main")),
            "changed": Counter(self._lines("log", "--format=", "--name-only", "main")),
            "reviews": Counter(self._lines("log", *shown, *reviews, "--")),
            "state": Counter(timeless(self._lines("grep", "--fixed-strings", "-e", "", "state", "--"))),
            "builds": Counter(name for run in runs for name in builds(run)),
        }

    def _lines(self, *arguments: str) -> list[str]:
        return self.world.origin.git(*arguments).split("\n")


def numbered(seen: Iterable[Seen]) -> Iterator[Request]:
    count: Counter[tuple[str, str]] = Counter()
    for one in seen:
        count[one.kind, one.path] += 1
        yield Request(one.kind, one.path, count[one.kind, one.path])


def timeless(lines: Iterable[str]) -> Iterator[str]:
    """`state:path:line` for all files of the state branch, without what no two runs have in common."""
    for line in lines:
        if re.match(r"state:\.ci-toolkit:STATE_(COUNTER|BASE|RUN)=", line):
            continue
        without_head = re.sub(r"^(state:\.reviews:\S+) [0-9a-f]{40} ", r"\1 HEAD ", line)
        yield re.sub(r'^(state:\.verdicts:\{"package": "[^"]+").*', r"\1", without_head)


def builds(run: Result) -> list[str]:
    """What a run scheduled. One that failed as a whole hands nothing over: no job that follows it is started."""
    return run.builds() if run.status in (0, PackagesFailedError.exit_status) else []


def differences(found: Outcome, expected: Outcome) -> dict[str, list[str]]:
    """What is missing from an outcome, and what is too much in it."""
    missing = {f"{part}: missing": sorted((expected[part] - found[part]).elements()) for part in expected}
    surplus = {f"{part}: surplus": sorted((found[part] - expected[part]).elements()) for part in expected}
    return {part: lines for part, lines in (missing | surplus).items() if lines}


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hundred]:
    with new_world(tmp_path_factory.mktemp("hundred")) as world:
        yield Hundred(world)


def test_the_requests_of_an_undisturbed_run_are_those_listed_here(hundred: Hundred) -> None:
    listed = Counter([*AUR_REQUESTS, *GIT_URL_REQUESTS, *HEAD_REQUESTS, *ORIGIN_REQUESTS])
    assert hundred.asked == listed


def test_an_undisturbed_run_builds_all_that_moved_once(hundred: Hundred) -> None:
    heads = [number for number in VCS if followed_project(number) in MOVED_PROJECTS]
    assert len(heads) == 10
    moved = [*HARMLESS, GOES_ELSEWHERE, *heads]
    assert hundred.undisturbed["builds"] == Counter(hundred.packages[number].name for number in moved)
    reviewed = {f"refs/heads/update-{hundred.packages[number].name}" for number in FOR_REVIEW}
    assert reviewed < set(hundred.undisturbed["refs"])


@pytest.mark.parametrize(("request_", "fault"), rotating(UPSTREAM_REQUESTS_THAT_DIFFER, but=CENTRAL))
def test_after_an_upstream_request_failed_a_healthy_run_ends_like_an_undisturbed_one(
    hundred: Hundred, request_: Request, fault: str
) -> None:
    failed = hundred.run_with(request_, **FAULTS[fault])
    assert failed.status in (0, PackagesFailedError.exit_status), failed.stderr
    healthy = hundred.run()
    assert healthy.status == 0, healthy.stderr
    assert differences(hundred.result(failed, healthy), hundred.undisturbed) == {}


@pytest.mark.parametrize(("request_", "fault"), rotating(ORIGIN_REQUESTS, but=PUSHES))
def test_after_a_request_to_the_origin_failed_a_healthy_run_ends_like_an_undisturbed_one(
    hundred: Hundred, request_: Request, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # git waits for the rest of an answer to a push although the connection has ended.
    monkeypatch.setattr(git_remote, "NETWORK_TIMEOUT_S", 4.0)
    failed = hundred.run_with(request_, **FAULTS[fault])
    assert failed.status in (GitError.exit_status, HandOverError.exit_status), failed.stderr
    healthy = hundred.run()
    assert healthy.status == 0, healthy.stderr
    assert differences(hundred.result(failed, healthy), hundred.undisturbed) == {}


@pytest.mark.parametrize("nth", [1, 2])
def test_after_answers_to_pushes_were_lost_a_healthy_run_ends_like_an_undisturbed_one(
    hundred: Hundred, nth: int
) -> None:
    failed = hundred.run_with(Request("push", "/origin.git/git-receive-pack", nth), lose_answer=True)
    assert failed.status == 0, failed.stderr
    assert differences(hundred.result(failed, hundred.run()), hundred.undisturbed) == {}


@pytest.mark.parametrize("kind", ["dump", "ls-refs"])
def test_a_package_of_which_both_upstreams_moved_is_built_again_for_the_one_that_failed(
    world: World, kind: str
) -> None:
    """Two reasons for one build are two builds when they come apart; neither is lost, and there is no third."""
    world.upstreams.virtual["/project.git"] = {"HEAD": "1" * 40}
    both = SamplePackage(name="both-git", git_source=f"{world.upstreams.url}/project.git")
    world.upstreams.publish(both.name, both.files())
    world.start(both.folder())
    assert world.run("on-schedule").status == 0
    world.upstreams.publish(both.name, replace(both, version="1.1").files())
    world.upstreams.virtual["/project.git"] = {"HEAD": "2" * 40}
    world.upstreams.fail(
        lambda seen: seen.kind == kind and seen.path in (DUMP_PATH, "/project.git/git-upload-pack"), status=503
    )
    assert world.run("on-schedule", "--json").builds() == ["both-git"]
    world.upstreams.faults.clear()
    assert world.run("on-schedule", "--json").builds() == ["both-git"]
    assert world.run("on-schedule", "--json").builds() == []
