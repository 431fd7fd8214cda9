"""The farm's client: the contract of all backends over real HTTP, and what it makes of a farm that is not well."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.errors import ConfigError, FormatError, HandOverError, NotReadyError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.job import JobFilter
from ci_toolkit.model.settings import parse_settings
from tests.support.backend_contract import BackendContract, Folders
from tests.support.certificates import self_signed
from tests.support.http_service import JSON, Exchange, FakeClock, HttpService, JsonService, Reply
from tests.support.jobs import schedule
from tests.support.quiet_farm import OPERATOR, TOKEN, QuietFarm, ServedFarm, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.backends.spec import Backend
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


# who it speaks to


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
    BuildbotBackend().submit(schedule("r1", "a"), Folders(), tools)
    [job] = BuildbotBackend().jobs(JobFilter(), tools)
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
