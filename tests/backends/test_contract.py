"""What every backend must do, and what the local one does when its machine refuses."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends.build_job import BuildJobBackend
from ci_toolkit.backends.build_service.backend import BuildServiceBackend
from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.backends.chaotic_manager import ChaoticManagerBackend
from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.local import LocalBackend
from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.errors import HandOverError, NotReadyError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.job import JobFilter
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.plugins import load_backend, registered
from tests.support.backend_contract import BackendContract, Folders, HandingOverContract
from tests.support.jobs import schedule
from tests.support.pacman_stand import SteppingClock

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.backends.spec import Backend


@pytest.fixture
def tools(tmp_path: Path) -> BackendTools:
    (tmp_path / "top").mkdir()
    return BackendTools(
        top=tmp_path / "top",
        environ=dict(os.environ),
        settings=parse_settings(KeyValueFile.parse(b"", file=".ci/config"), {}),
        clock=SteppingClock(),
    )


class TestTheLocalBackendKeepsTheContract(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return LocalBackend()


class TestTheChaoticManagerKeepsTheContract(HandingOverContract):
    """As far as it takes part: its manager keeps the jobs."""

    @pytest.fixture
    def backend(self) -> Backend:
        return ChaoticManagerBackend()


class TestTheBuildJobKeepsTheContract(HandingOverContract):
    """As far as it takes part: another job of the pipeline keeps the jobs."""

    @pytest.fixture
    def backend(self) -> Backend:
        return BuildJobBackend()

    @pytest.fixture
    def tools(self, tools: BackendTools) -> BackendTools:
        return replace(tools, environ={**tools.environ, "CI_BACKEND": "build_job"})


def test_every_registered_backend_is_tested_here_or_beside() -> None:
    tested: tuple[type[Any], ...] = (
        LocalBackend,
        ChaoticManagerBackend,
        BuildJobBackend,
        BuildbotBackend,
        BuildServiceBackend,
    )
    assert {type(load_backend(name)) for name in registered("backends")} == set(tested)


def test_schedules_of_two_published_repositories_are_kept_apart(tools: BackendTools) -> None:
    backend = LocalBackend()
    other = replace(tools, settings=replace(tools.settings, repo_name="other"))
    backend.submit(schedule("r1", "a"), Folders(), tools)
    assert backend.jobs(JobFilter(), other) == ()
    backend.submit(schedule("r2", "a"), Folders(), other)
    assert [job.request for job in backend.jobs(JobFilter(), tools)] == ["r1"]


def test_asking_for_jobs_makes_no_database(tools: BackendTools) -> None:
    assert LocalBackend().jobs(JobFilter(), tools) == ()
    assert not local_folder(tools.settings, tools.environ).top.exists()


def test_what_cannot_be_stored_is_not_taken(tools: BackendTools, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cases = {"file": "file", "": "set HOME"}
    for name, said in cases.items():
        environ = {"XDG_DATA_HOME": str(tmp_path / name)} if name else {}
        with pytest.raises(HandOverError, match=said):
            LocalBackend().submit(schedule("r1", "a"), Folders(), replace(tools, environ=environ))


def test_a_full_disk_takes_no_schedule(tools: BackendTools, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, path = LocalBackend(), local_folder(tools.settings, tools.environ).jobs
    backend.submit(schedule("r1", "a"), Folders(), tools)

    def full(path: Path) -> JobDatabase:
        database = JobDatabase(path)
        pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
        database._connection.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr("ci_toolkit.backends.local.JobDatabase", full)
    large = "".join(map(chr, range(0x100, 0x9000)))
    with pytest.raises(HandOverError, match=rf"cannot be stored: {path} .*full"):
        backend.submit(schedule("r2", "a", "b", "c"), Folders(large), tools)
    monkeypatch.undo()
    assert [job.request for job in backend.jobs(JobFilter(), tools)] == ["r1"]


def test_a_newer_database_is_refused_whoever_asks(tools: BackendTools) -> None:
    backend, path = LocalBackend(), local_folder(tools.settings, tools.environ).jobs
    backend.submit(schedule("r1", "a"), Folders(), tools)
    with closing(JobDatabase(path)) as database:
        database._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HandOverError, match="newer ci-toolkit"):
        backend.submit(schedule("r2", "a"), Folders(), tools)
    with pytest.raises(NotReadyError, match="newer ci-toolkit"):
        backend.jobs(JobFilter(), tools)
