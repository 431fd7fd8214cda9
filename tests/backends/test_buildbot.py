"""The farm's client: the contract of all backends over real HTTP, and what it makes of a farm that is not well."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.errors import ConfigError, FormatError, HandOverError, NotReadyError, RefusedError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.settings import parse_settings
from tests.support.backend_contract import BackendContract, Folders
from tests.support.certificates import self_signed
from tests.support.http_service import JSON, Exchange, FakeClock, HttpService, JsonService, Reply
from tests.support.jobs import schedule
from tests.support.quiet_farm import OPERATOR, STRANGER, TOKEN, QuietFarm, ServedFarm, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.model.job import Job
    from tests.support.http_service import Request


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[ServedFarm]:
    with served(QuietFarm(tmp_path / "farm")) as running:
        yield running


@pytest.fixture
def tools(farm: ServedFarm, tmp_path: Path) -> BackendTools:
    return tools_for(farm.url, tmp_path)


def tools_for(url: str, top: Path, *, token: str = TOKEN, **more: str) -> BackendTools:
    values = {"REPO_NAME": "samples", "BUILD_REPO": "samples", "CI_BACKEND": "buildbot", "CI_FARM_URL": url, **more}
    text = "".join(f"{key}={value}\n" for key, value in values.items()).encode()
    settings = parse_settings(KeyValueFile.parse(text, file=".ci/config"), {})
    return BackendTools(top=top, environ={**os.environ, "CI_FARM_TOKEN": token}, settings=settings, clock=SystemClock())


class TestTheFarmsClientKeepsTheContract(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return BuildbotBackend()

    @pytest.fixture
    def tools(self, farm: ServedFarm, tmp_path: Path) -> BackendTools:
        return tools_for(farm.url, tmp_path, token=OPERATOR)


def submitted(farm: ServedFarm, tools: BackendTools, *builds: str) -> tuple[Job, ...]:
    BuildbotBackend().submit(schedule("r1", *builds), Folders(), tools)
    return BuildbotBackend().jobs(JobFilter(), tools)


# logs


def test_a_log_is_read_to_where_it_is_and_followed_until_the_job_is_over(farm: ServedFarm, tools: BackendTools) -> None:
    [job] = submitted(farm, tools, "a")
    farm.farm.write_log(job, "begun\n")
    building = farm.farm.bring(job, JobState.BUILDING, log_of=job.number)
    assert "".join(BuildbotBackend().log(building, tools, follow=False)) == "begun\n"
    told: list[tuple[float, str]] = []

    def follow() -> None:
        told.extend((time.monotonic(), piece) for piece in BuildbotBackend().log(building, tools, follow=True))

    thread = threading.Thread(target=follow)
    thread.start()
    written: list[tuple[float, str]] = []
    for text in ("one\n", "tw\N{LATIN SMALL LETTER O WITH DIAERESIS}\n", "no end of a line"):
        time.sleep(0.7)
        farm.farm.write_log(job, text)
        written.append((time.monotonic(), text))
    time.sleep(1.5)
    with farm.farm.database() as database:
        database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
    ended = time.monotonic()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - ended < 2
    assert "".join(piece for _, piece in told) == "begun\n" + "".join(text for _, text in written)
    for at_s, text in written:
        came_s = next(came_s for came_s, piece in told if text in piece)
        assert came_s - at_s < 1.3, text  # half a second of that is patience with a line that is not ended


def test_a_packed_log_of_many_parts_is_read_whole(farm: ServedFarm, tools: BackendTools) -> None:
    [job] = submitted(farm, tools, "a")
    text = "".join(f"line {number} \N{SNOWMAN}\n" for number in range(150_000))
    farm.farm.write_log(job, text)
    over = farm.farm.bring(job, JobState.FAILED, log_of=job.number)
    for follow in (False, True):
        assert "".join(BuildbotBackend().log(over, tools, follow=follow)) == text
    JobLogs(folder=farm.farm.repositories["samples"].place.logs).pack("a", job.number)
    for follow in (False, True):
        assert "".join(BuildbotBackend().log(over, tools, follow=follow)) == text


def test_a_log_is_followed_over_a_restart_of_the_farm(tmp_path: Path) -> None:
    quiet = QuietFarm(tmp_path / "farm")
    with served(quiet) as farm:
        port = int(farm.url.rpartition(":")[2])
        tools = tools_for(farm.url, tmp_path)
        [job] = submitted(farm, tools, "a")
        quiet.write_log(job, "before\n")
        building = quiet.bring(job, JobState.BUILDING, log_of=job.number)
        pieces = BuildbotBackend().log(building, tools, follow=True)
        assert next(pieces) == "before\n"
    quiet.write_log(job, "after\n")
    rest: list[str] = []
    thread = threading.Thread(target=lambda: rest.extend(pieces))
    thread.start()
    time.sleep(1)
    with quiet.database() as database:
        database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
    with served(quiet, port=port):
        thread.join(20)
    assert rest == ["after\n"]


# jobs


def test_many_jobs_are_chosen_by_several_requests(farm: ServedFarm, tools: BackendTools) -> None:
    names = [f"package-{number}" for number in range(250)]
    jobs = submitted(farm, tools, *names)
    assert BuildbotBackend().jobs(JobFilter(numbers=frozenset(job.number for job in jobs)), tools) == jobs
    assert BuildbotBackend().jobs(JobFilter(packages=frozenset(job.pkgbase for job in jobs)), tools) == jobs
    assert BuildbotBackend().jobs(JobFilter(states=frozenset({JobState.FAILED})), tools) == ()


def test_what_the_farm_refuses_is_told_as_its_own(farm: ServedFarm, tools: BackendTools) -> None:
    [job] = submitted(farm, tools, "a")
    with pytest.raises(RefusedError, match=r"a: job 1 of it is queued"):
        BuildbotBackend().retry(job, tools)
    gone = replace(job, number=99)
    with pytest.raises(NotReadyError, match=r"a: samples has no job 99 \(old ones"):
        BuildbotBackend().cancel(gone, "no need", tools)


# who it speaks to


@pytest.mark.parametrize("token", ["wrong-token", STRANGER])
def test_who_is_no_client_of_the_repository_is_told_so(farm: ServedFarm, tools: BackendTools, token: str) -> None:
    asking = replace(tools, environ={"CI_FARM_TOKEN": token})
    with pytest.raises(HandOverError) as caught:
        BuildbotBackend().submit(schedule("r1", "a"), Folders(), asking)
    assert token not in str(caught.value)
    assert BuildbotBackend().jobs(JobFilter(), tools) == ()


@pytest.mark.parametrize(
    ("more", "token", "said"),
    [
        ({"CI_FARM_URL": ""}, TOKEN, "CI_FARM_URL is missing"),
        ({"CI_FARM_URL": "http://farm.example.org"}, TOKEN, "CI_FARM_URL is not encrypted"),
        ({"CI_FARM_URL": "farm.example.org"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_URL": "https://u:p@farm.example.org"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_CA": "/nowhere.pem"}, TOKEN, "CI_FARM_CA is no file"),
        ({}, "", "CI_FARM_TOKEN is missing"),
        ({}, "two words", "CI_FARM_TOKEN holds something that is no token"),
    ],
)
def test_what_is_not_set_right_is_named(tmp_path: Path, more: dict[str, str], token: str, said: str) -> None:
    tools = tools_for("https://farm.example.org", tmp_path, token=token, **more)
    with pytest.raises(ConfigError, match=said):
        BuildbotBackend().jobs(JobFilter(), tools)
    with pytest.raises(HandOverError, match=said):
        BuildbotBackend().submit(schedule("r1", "a"), Folders(), tools)


# a farm that is not well


class Nonsense(HttpService):
    """Answers what no farm says."""

    def __init__(self, value: object) -> None:
        super().__init__(_NonsenseExchange)
        self.value = value


class _NonsenseExchange(Exchange):
    def serve(self) -> None:
        self.send(200, json.dumps(self.service.value).encode(), JSON)


class Broken(JsonService):
    """Answers to every request that something before it is broken."""

    def answer(self, request: Request) -> Reply:
        return Reply(502, {})


@pytest.mark.parametrize("value", [[], {}, {"jobs": 3}, {"jobs": [3]}, {"jobs": [{"job": 1}]}, {"said": None}])
def test_nonsense_is_no_answer(tmp_path: Path, value: object) -> None:
    with Nonsense(value) as service:
        tools = tools_for(service.url, tmp_path)
        with pytest.raises(FormatError):
            BuildbotBackend().jobs(JobFilter(), tools)
        with pytest.raises(HandOverError, match="the farm's answer"):
            BuildbotBackend().submit(schedule("r1", "a"), Folders(), tools)


def test_only_what_may_be_asked_twice_is_asked_again(tmp_path: Path, farm: ServedFarm, tools: BackendTools) -> None:
    [job] = submitted(farm, tools, "a")
    clock = FakeClock()
    with Broken() as service:
        asking = replace(tools_for(service.url, tmp_path), clock=clock)
        for ask in (
            lambda: BuildbotBackend().cancel(job, "no need", asking),
            lambda: BuildbotBackend().retry(job, asking),
        ):
            with pytest.raises(NotReadyError):
                ask()
        assert len(service.requests) == 2
        with pytest.raises(NotReadyError):
            BuildbotBackend().jobs(JobFilter(), asking)
        assert len(service.requests) > 4


def test_a_farm_with_a_certificate_of_its_own_is_believed_by_its_file_alone(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    service = Nonsense({"said": "it is taken"})
    service.encrypt(certificate)
    with service:
        tools = tools_for(service.url, tmp_path, CI_FARM_CA=str(certificate))
        assert BuildbotBackend().submit(schedule("r1", "a"), Folders(), tools) == "it is taken"
        unknown = replace(tools_for(service.url, tmp_path), clock=FakeClock())
        with pytest.raises(HandOverError, match="set CI_FARM_CA to a file"):
            BuildbotBackend().submit(schedule("r2", "a"), Folders(), unknown)
