"""What a chaotic-manager builds, and the logs of it, from web pages that speak as it does."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends import manager_web
from ci_toolkit.backends.chaotic_manager import ChaoticManagerBackend
from ci_toolkit.backends.manager_web import LogManners, ManagerWeb
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.errors import NotReadyError, RefusedError, UpstreamError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.job import Job, JobFilter, JobState
from ci_toolkit.model.settings import parse_settings
from tests.support.backend_contract import Folders
from tests.support.jobs import schedule
from tests.support.manager_service import Log, ManagerService, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATS = "/api/queue/stats"
QUICK = LogManners(complete_s=0.5, settled_s=0.3, longest_s=0.6, silence_s=0.3, pause_s=0.01)
QUEUED = b"Added to build queue at 21/11/2026, 12:00:00 UTC. Waiting for builder...\r\n"
BACKEND = ChaoticManagerBackend()


@pytest.fixture
def manager() -> Iterator[ManagerService]:
    with ManagerService() as service:
        yield service


@pytest.fixture
def tools(tmp_path: Path, manager: ManagerService) -> BackendTools:
    config = f"REPO_NAME=extras\nCI_MANAGER_URL={manager.url}\n"
    settings = parse_settings(KeyValueFile.parse(config.encode(), file=".ci/config"), {})
    return BackendTools(top=tmp_path, environ={}, settings=settings, clock=SystemClock())


@pytest.fixture
def web(manager: ManagerService, monkeypatch: pytest.MonkeyPatch) -> ManagerWeb:
    """The pages, read without patience, by the backend, too."""
    quick = ManagerWeb(url=manager.url, clock=SystemClock(), manners=QUICK)
    monkeypatch.setattr("ci_toolkit.backends.chaotic_manager.ManagerWeb", lambda **_: quick)
    return quick


def busy(manager: ManagerService) -> None:
    manager.build("extras/x86_64/paru", "box-1", 2, queued_ms=1_800_000_000_000)
    manager.build("elsewhere/x86_64/zlib", "box-2")
    manager.queue("extras/x86_64/libfoo++", "box-1")
    manager.queue("extras/x86_64/app")


def told(jobs: tuple[Job, ...]) -> list[tuple[int, str, JobState]]:
    return [(job.number, job.pkgbase, job.state) for job in jobs]


def test_what_is_built_and_what_waits_is_told(manager: ManagerService, tools: BackendTools) -> None:
    busy(manager)
    paru, libfoo, app = BACKEND.jobs(JobFilter(), tools)
    assert (paru.number, paru.pkgbase, paru.state) == (1, "paru", JobState.BUILDING)
    assert (paru.worker, paru.builder_class, paru.queued_at_s) == ("box-1", "2", 1_800_000_000.0)
    assert paru.reason == "it is built by box-1"
    assert (libfoo.number, libfoo.pkgbase, libfoo.state, libfoo.builder_class) == (
        2,
        "libfoo++",
        JobState.QUEUED,
        "box-1",
    )
    assert (app.number, app.worker, app.builder_class, app.queued_at_s) == (3, None, "1", 0.0)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (JobFilter(newest=True), [1, 2, 3]),
        (JobFilter(states=frozenset({JobState.QUEUED})), [2, 3]),
        (JobFilter(numbers=frozenset({3})), [3]),
        (JobFilter(packages=frozenset({"app", "paru"})), [1, 3]),
        (JobFilter(packages=frozenset({"app"}), states=frozenset({JobState.BUILDING})), []),
        (JobFilter(numbers=frozenset({9})), []),
        (JobFilter(packages=frozenset({"zlib"})), []),
    ],
    ids=["newest", "state", "number", "packages", "both", "no such number", "another repository's"],
)
def test_jobs_are_chosen_and_keep_their_numbers(
    manager: ManagerService, tools: BackendTools, wanted: JobFilter, numbers: list[int]
) -> None:
    busy(manager)
    assert [job.number for job in BACKEND.jobs(wanted, tools)] == numbers


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("Build job extras/x86_64/paru finished at 21/11/2026, 12:30:00 UTC...", JobState.SUCCEEDED),
        ("Job extras/x86_64/paru failed", JobState.FAILED),
        ("Job extras/x86_64/paru reached a timeout during the build phase.", JobState.TIMED_OUT),
        ("Job extras/x86_64/paru skipped intentionally via build tools.", JobState.SKIPPED),
        ("Job extras/x86_64/paru skipped because all packages were already built.", JobState.ALREADY_BUILT),
        ("Job extras/x86_64/paru was canceled and replaced by a newer build request.", JobState.REPLACED),
        ("Job extras/x86_64/paru was canceled.", JobState.CANCELLED),
        ("Job was canceled before execution. Coordinator is shutting down.", JobState.CANCELLED),
    ],
    ids=lambda value: value.value if isinstance(value, JobState) else "",
)
def test_how_a_named_package_ended_is_told_by_the_end_of_its_log(
    manager: ManagerService, tools: BackendTools, line: str, state: JobState
) -> None:
    printed = b"Job extras/x86_64/paru failed\r\nBuild job extras/x86_64/paru finished at once\r\n"
    manager.logs["paru"] = Log(QUEUED + printed + b"\x1b[1m" + line.encode() + b"\x1b[0m\r\n")
    [job] = BACKEND.jobs(JobFilter(packages=frozenset({"paru", "gone", "Upper/../x"}), newest=True), tools)
    assert (job.number, job.pkgbase, job.state, job.reason) == (0, "paru", state, line)


def test_a_log_that_only_pretends_to_be_over_says_nothing_of_its_end(
    manager: ManagerService, tools: BackendTools
) -> None:
    manager.logs["paru"] = Log(b"Build job extras/x86_64/paru finished at once\r\nJob extras/x86_64/other failed\r\n")
    [job] = BACKEND.jobs(JobFilter(packages=frozenset({"paru"})), tools)
    assert job.state is JobState.CANCELLED
    assert "does not say how it ended" in job.reason


BROKEN: dict[str, Any] = {
    "a list": [],
    "null": None,
    "no idle": {"active": {"count": 0, "packages": []}, "waiting": {"count": 0, "packages": []}},
    "a count that is wrong": {"active": {"count": 7, "packages": []}},
    "a name of two parts": {"waiting": {"count": 1, "packages": [{"name": "a/b", "build_class": 1}]}},
    "a name with an escape": {"waiting": {"count": 1, "packages": [{"name": "a/b/\x1b[2J", "build_class": 1}]}},
    "a class that is a list": {"waiting": {"count": 1, "packages": [{"name": "a/b/c", "build_class": []}]}},
    "a class that is true": {"waiting": {"count": 1, "packages": [{"name": "a/b/c", "build_class": True}]}},
    "no node": {"active": {"count": 1, "packages": [{"name": "a/b/c", "build_class": 1}]}},
    "packages that are none": {"active": {"count": 2, "packages": "ab"}},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_queue_that_is_none_is_refused_whole(manager: ManagerService, tools: BackendTools, case: str) -> None:
    value = BROKEN[case]
    if isinstance(value, dict) and case != "no idle":
        value = {**manager.stats(), **value}
    manager.instead[STATS] = Raw(content=json.dumps(value).encode())
    with pytest.raises(UpstreamError, match="is no queue of a chaotic-manager") as caught:
        BACKEND.jobs(JobFilter(), tools)
    assert "CI_MANAGER_URL" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Raw(content=b"<html><body>Welcome</body></html>", kind="text/html"), "is no queue"),
        (Raw(content=b"[" * 100_000), "is no queue"),
        (Raw(content=b'{"active": NaN}'), "is no queue"),
        (Raw(content=b'{"active": {"count": 0, "packages": []}, ', truncated=True), "cut off"),
        (Raw(status=500, content=b"Failed to fetch queue stats"), "answers 500"),
        (Raw(status=404, content=b"Cannot GET"), "answers 404"),
        (Raw(content=b" " * ((16 << 20) + 1)), "sends more than"),
    ],
    ids=["HTML", "deep", "NaN", "truncated", "5xx", "404", "huge"],
)
def test_a_wrong_answer_is_an_error_that_says_so(
    manager: ManagerService, tools: BackendTools, answer: Raw, said: str
) -> None:
    manager.instead[STATS] = answer
    with pytest.raises(UpstreamError, match=said) as caught:
        BACKEND.jobs(JobFilter(), tools)
    assert "CI_MANAGER_URL" in (caught.value.hint or "")


def job(tools: BackendTools, package: str) -> Job:
    [found] = BACKEND.jobs(JobFilter(packages=frozenset({package}), newest=True), tools)
    return found


@pytest.mark.parametrize("follow", [False, True])
def test_the_log_of_a_build_that_is_over_is_complete(
    manager: ManagerService, tools: BackendTools, *, follow: bool
) -> None:
    text = QUEUED + "gcc: ü\n".encode() * 50_000 + b"Job extras/x86_64/paru failed\r\n"
    manager.logs["paru"] = Log(text)
    assert "".join(BACKEND.log(job(tools, "paru"), tools, follow=follow)) == text.decode()


def test_a_log_that_grows_is_shown_as_far_as_it_goes(
    manager: ManagerService, tools: BackendTools, web: ManagerWeb
) -> None:
    busy(manager)
    manager.logs["paru"] = Log(QUEUED + b"half a li", live=True)
    assert "".join(BACKEND.log(job(tools, "paru"), tools, follow=False)) == QUEUED.decode() + "half a li"


def test_a_log_that_never_pauses_is_shown_and_left(
    manager: ManagerService, tools: BackendTools, web: ManagerWeb
) -> None:
    busy(manager)
    log = manager.logs["paru"] = Log(QUEUED, live=True)
    done = threading.Event()

    def print_lines() -> None:
        while not done.wait(0.02):
            log.stored += b"more\n"

    writer = threading.Thread(target=print_lines)
    writer.start()
    text = "".join(BACKEND.log(job(tools, "paru"), tools, follow=False))
    done.set()
    writer.join()
    assert text.startswith(QUEUED.decode() + "more\n")


@pytest.mark.parametrize("fault", ["none", "cut", "forgotten"])
def test_a_followed_log_is_whole_and_ends_with_its_build(
    manager: ManagerService, tools: BackendTools, web: ManagerWeb, fault: str
) -> None:
    busy(manager)
    faults = {"none": {}, "cut": {"cuts": 3}, "forgotten": {"forgotten": 1}}[fault]
    log = manager.logs["paru"] = Log(QUEUED, live=True, **faults)
    pieces = BACKEND.log(job(tools, "paru"), tools, follow=True)
    text = next(pieces)
    log.stored += b"==> Starting build()\n" * 2
    text += next(pieces)
    log.stored += b"Build job extras/x86_64/paru finished at once\r\n"
    log.live = False
    text += "".join(pieces)
    assert text == log.stored.decode()


def test_following_ends_where_another_build_of_the_package_begins(
    manager: ManagerService, tools: BackendTools, web: ManagerWeb
) -> None:
    busy(manager)
    manager.logs["paru"] = Log(QUEUED, live=True, cuts=1)
    pieces = BACKEND.log(job(tools, "paru"), tools, follow=True)
    assert next(pieces) == QUEUED.decode()
    manager.logs["paru"] = Log(b"Added to build queue at another time.\r\nall of it is new\r\n")
    assert list(pieces) == []


def test_a_log_says_nothing_to_the_terminal_but_colours(manager: ManagerService, tools: BackendTools) -> None:
    manager.logs["paru"] = Log(
        b"\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[2J\x9b\x00\n\xff\nJob was canceled before execution"
    )
    text = "".join(BACKEND.log(job(tools, "paru"), tools, follow=False))
    assert text == "\x1b[31mred\x1b[0m�\n�\nJob was canceled before execution"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Raw(content=b"<html></html>", kind="text/html"), "something else than plain text"),
        (Raw(content=b"x", headers={"Content-Encoding": "gzip"}), "something else than plain text"),
        (Raw(content=b"half of a log", truncated=True), "cut off"),
        (Raw(status=502, content=b"Bad Gateway"), "answers 502"),
        (Raw(status=302, headers={"Location": "http://127.0.0.1:9/"}), "answers 302"),
        (Raw(hang_s=5.0), "does not answer"),
    ],
    ids=["HTML", "packed", "truncated", "5xx", "redirect", "slow"],
)
@pytest.mark.parametrize("follow", [False, True])
def test_a_log_that_is_none_is_an_error_that_says_so(
    manager: ManagerService, tools: BackendTools, web: ManagerWeb, answer: Raw, said: str, *, follow: bool
) -> None:
    busy(manager)
    found = job(tools, "paru")
    manager.instead["/api/logs/paru"] = answer
    with pytest.raises(UpstreamError, match=said):
        list(BACKEND.log(found, tools, follow=follow))


def test_a_huge_log_is_cut_off(manager: ManagerService, tools: BackendTools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.backends.manager_web._LOG_LIMIT_BYTES", 1 << 20)
    busy(manager)
    found = job(tools, "paru")
    manager.logs["paru"] = Log(b"x" * (2 << 20))
    with pytest.raises(UpstreamError, match="more than 1 MiB") as caught:
        list(BACKEND.log(found, tools, follow=True))
    assert caught.value.package == "paru"


def test_a_package_without_a_log_is_told_so(manager: ManagerService, tools: BackendTools) -> None:
    busy(manager)
    with pytest.raises(NotReadyError) as caught:
        list(BACKEND.log(job(tools, "app"), tools, follow=True))
    assert caught.value.package == "app"


def test_what_a_manager_cannot_be_told_is_refused_with_what_to_do(manager: ManagerService, tools: BackendTools) -> None:
    busy(manager)
    found = job(tools, "paru")
    for ask in (
        lambda: BACKEND.transitions(found, tools),
        lambda: BACKEND.cancel(found, "no need", tools),
        lambda: BACKEND.retry(found, tools),
    ):
        with pytest.raises(RefusedError) as caught:
            ask()
        assert "paru" in (caught.value.hint or "")


def test_builders_that_are_not_there_are_told_of_when_a_schedule_is_handed_over(
    manager: ManagerService, tools: BackendTools
) -> None:
    busy(manager)
    manager.idle.append({"name": "box-3", "build_class": None})
    made = schedule("r1", "a/box-3", "b/box-1", "c/5", "d/lost")
    said = BACKEND.submit(made, Folders(), tools)
    assert said.endswith(
        "; it has no builder lost at the moment (there are box-1, box-2, box-3), and what is for it waits"
    )
    asked = len(manager.asked)
    BACKEND.submit(schedule("r2", "c/5"), Folders(), tools)
    assert len(manager.asked) == asked
    manager.instead[STATS] = Raw(status=404)
    assert "builder" not in BACKEND.submit(made, Folders(), tools)


def test_a_queue_that_does_not_come_is_not_waited_for_for_ever(
    manager: ManagerService, tools: BackendTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = replace(manager_web._MANNERS, read_timeout_s=0.2)
    monkeypatch.setattr(manager_web, "_MANNERS", impatient)
    manager.instead[STATS] = Raw(hang_s=5.0)
    with pytest.raises(UpstreamError, match="no answer in time"):
        BACKEND.jobs(JobFilter(), tools)
