"""The client of a farm's build service: the contract of all backends over real gRPC, and a farm that is not well."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.backends.build_service.backend import BuildServiceBackend
from ci_toolkit.errors import ConfigError, HandOverError, NotReadyError
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.observation import UpstreamFile
from tests.support.backend_contract import BackendContract, Folders
from tests.support.certificates import self_signed
from tests.support.farm_stand import free_port
from tests.support.grpc_farm import GrpcFarm, grpc_farm, grpc_tools
from tests.support.http_service import FakeClock
from tests.support.jobs import folder_of, schedule
from tests.support.quiet_farm import OPERATOR, TOKEN, QuietFarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.backends.spec import Backend, BackendTools

TOP = Path(__file__).parents[2]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[GrpcFarm]:
    with grpc_farm(QuietFarm(tmp_path / "farm")) as running:
        yield running


@pytest.fixture
def tools(farm: GrpcFarm, tmp_path: Path) -> BackendTools:
    return grpc_tools(farm.url, tmp_path)


class TestTheBuildServicesClientKeepsTheContract(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return BuildServiceBackend()

    @pytest.fixture
    def tools(self, farm: GrpcFarm, tmp_path: Path) -> BackendTools:
        return grpc_tools(farm.url, tmp_path, token=OPERATOR)


# schedules


def test_folders_arrive_as_they_are_however_large_and_strange_their_files(farm: GrpcFarm, tools: BackendTools) -> None:
    sent = folder_of({"PKGBUILD": b"", "empty": b"", "large": bytes(range(256)) * 20_000, "sub/\udcff": b"x"})
    BuildServiceBackend().submit(schedule("r1", "a"), lambda _: {Pkgbase("a"): sent}, tools)
    with farm.farm.database() as database:
        assert database.folder(1) == sent
    assert UpstreamFile(mode="100644", content=b"x") == sent.files["sub/\udcff"]


def test_what_the_farm_finds_wrong_with_a_schedule_is_told(tools: BackendTools) -> None:
    with pytest.raises(HandOverError, match=r"did not take the schedule: .*its request has no possible name"):
        BuildServiceBackend().submit(schedule("r 1", "a"), Folders(), tools)


# a farm that is killed


@contextmanager
def killable_farm(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The build service as a process; it is there when this begins."""
    command = (sys.executable, "-m", "tests.support.served_grpc_farm", str(folder), str(port))
    process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"127.0.0.1:{port}"
        yield process
    finally:
        process.kill()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def test_a_log_is_followed_over_a_farm_that_is_killed_and_has_each_line_once(tmp_path: Path) -> None:
    quiet, port = QuietFarm(tmp_path / "farm"), free_port()
    tools = grpc_tools(f"http://127.0.0.1:{port}", tmp_path)
    told: list[str] = []
    with killable_farm(quiet.folder, port) as process:
        BuildServiceBackend().submit(schedule("r1", "a"), Folders(), tools)
        [job] = BuildServiceBackend().jobs(JobFilter(), tools)
        quiet.write_log(job, "before\n")
        building = quiet.bring(job, JobState.BUILDING, log_of=job.number)
        pieces = BuildServiceBackend().log(building, tools, follow=True)
        told.append(next(pieces))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    thread = threading.Thread(target=lambda: told.extend(pieces))
    thread.start()
    quiet.write_log(job, "after\n")
    with killable_farm(quiet.folder, port):
        with quiet.database() as database:
            database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
        thread.join(20)
        assert not thread.is_alive()
    assert "".join(told) == "before\nafter\n"


# who it speaks to


def test_a_farm_with_a_certificate_of_its_own_is_believed_by_its_file_alone(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    with grpc_farm(QuietFarm(tmp_path / "farm"), certificate=certificate) as farm:
        tools = grpc_tools(farm.url, tmp_path, CI_FARM_CA=str(certificate))
        BuildServiceBackend().submit(schedule("r1", "a"), Folders(), tools)
        [job] = BuildServiceBackend().jobs(JobFilter(), tools)
        assert job.pkgbase == "a"
        for more in ({}, {"CI_FARM_CA": str(self_signed(tmp_path / "other"))}):
            unknown = replace(grpc_tools(farm.url, tmp_path, **more), clock=FakeClock())
            with pytest.raises(NotReadyError, match=r"set CI_FARM_CA to a file"):
                BuildServiceBackend().jobs(JobFilter(), unknown)
        plain = replace(grpc_tools(farm.url.replace("https", "http"), tmp_path), clock=FakeClock())
        with pytest.raises(NotReadyError):
            BuildServiceBackend().jobs(JobFilter(), plain)


def test_a_certificate_is_renewed_while_the_farm_serves(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with grpc_farm(QuietFarm(tmp_path / "farm"), certificate=certificate) as farm:
        tools = grpc_tools(farm.url, tmp_path, CI_FARM_CA=str(certificate))
        assert BuildServiceBackend().jobs(JobFilter(), tools) == ()
        old = tmp_path / "old.pem"
        old.write_bytes(certificate.read_bytes())
        self_signed(tmp_path)
        assert BuildServiceBackend().jobs(JobFilter(), tools) == ()
        believing_the_old = replace(grpc_tools(farm.url, tmp_path, CI_FARM_CA=str(old)), clock=FakeClock())
        with pytest.raises(NotReadyError, match="CI_FARM_CA"):
            BuildServiceBackend().jobs(JobFilter(), believing_the_old)


@pytest.mark.parametrize(
    ("more", "token", "said"),
    [
        ({"CI_FARM_URL": ""}, TOKEN, "CI_FARM_URL is missing"),
        ({"CI_FARM_URL": "http://farm.example.org"}, TOKEN, "CI_FARM_URL is not encrypted"),
        ({"CI_FARM_URL": "farm.example.org"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_URL": "https://farm.example.org/api"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_URL": "https://farm.example.org:99999"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_URL": "https://u:p@farm.example.org"}, TOKEN, "CI_FARM_URL is no address"),
        ({"CI_FARM_CA": "/nowhere.pem"}, TOKEN, "CI_FARM_CA is no file"),
        ({}, "", "CI_FARM_TOKEN is missing"),
        ({}, "two words", "CI_FARM_TOKEN holds something that is no token"),
    ],
)
def test_what_is_not_set_right_is_named(tmp_path: Path, more: dict[str, str], token: str, said: str) -> None:
    values = {"CI_FARM_URL": "https://farm.example.org", **more}
    tools = grpc_tools(values.pop("CI_FARM_URL"), tmp_path, token=token, **values)
    with pytest.raises(ConfigError, match=said):
        BuildServiceBackend().jobs(JobFilter(), tools)
    with pytest.raises(HandOverError, match=said):
        BuildServiceBackend().submit(schedule("r1", "a"), Folders(), tools)


def test_only_what_may_be_asked_twice_is_asked_again_while_the_farm_is_away(
    farm: GrpcFarm, tools: BackendTools
) -> None:
    BuildServiceBackend().submit(schedule("r1", "a"), Folders(), tools)
    [job] = BuildServiceBackend().jobs(JobFilter(), tools)
    clock = FakeClock()
    away = replace(grpc_tools(f"http://127.0.0.1:{free_port()}", tools.top), clock=clock)
    for ask in (
        lambda: BuildServiceBackend().cancel(job, "no need", away),
        lambda: BuildServiceBackend().retry(job, away),
        lambda: list(BuildServiceBackend().log(job, away, follow=False)),
    ):
        with pytest.raises(NotReadyError, match=r"where \[grpc\] of its farm\.toml listens"):
            ask()
    assert clock.sleeps == []
    with pytest.raises(NotReadyError):
        BuildServiceBackend().jobs(JobFilter(), away)
    with pytest.raises(HandOverError, match=r"see that the farm runs"):
        BuildServiceBackend().submit(schedule("r2", "a"), Folders(), away)
    assert len(clock.sleeps) == 8
