"""The clients of a farm, over JSON and over gRPC: the same logs, jobs, refusals and restarts."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends.build_service.backend import BuildServiceBackend
from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.errors import HandOverError, NotReadyError, RefusedError
from ci_toolkit.farm.spec import Client as FarmClient
from ci_toolkit.formats.artifact_record import format_artifacts
from ci_toolkit.model.artifact import Artifact
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.news import ReviewCounts
from ci_toolkit.model.worker import WorkerState
from tests.support.backend_contract import Folders
from tests.support.grpc_farm import grpc_farm, grpc_tools
from tests.support.jobs import schedule
from tests.support.quiet_farm import OPERATOR, STRANGER, QuietFarm, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ci_toolkit.backends.spec import BackendTools
    from ci_toolkit.model.job import Job

Client = BuildbotBackend | BuildServiceBackend


@dataclass(frozen=True)
class Transport:
    """A client, and how a farm is served for it: at which port (0: any), and what its address begins with."""

    client: Client
    serve: Callable[..., AbstractContextManager[Any]]


@dataclass(frozen=True)
class Farming:
    """A farm that is served, and its client."""

    farm: QuietFarm
    client: Client
    tools: BackendTools


TRANSPORTS = (Transport(BuildbotBackend(), served), Transport(BuildServiceBackend(), grpc_farm))


@pytest.fixture(params=TRANSPORTS, ids=["json", "grpc"])
def transport(request: pytest.FixtureRequest) -> Transport:
    found: Transport = request.param
    return found


@pytest.fixture
def farming(transport: Transport, tmp_path: Path) -> Iterator[Farming]:
    with farming_on(transport, QuietFarm(tmp_path / "farm"), tmp_path) as found:
        yield found


@contextmanager
def farming_on(transport: Transport, farm: QuietFarm, top: Path, *, port: int = 0) -> Iterator[Farming]:
    with transport.serve(farm, port=port) as running:
        tools = grpc_tools(running.url, top, CI_BACKEND=transport.client.name)
        yield Farming(farm=farm, client=transport.client, tools=tools)


def submitted(farming: Farming, *builds: str) -> tuple[Job, ...]:
    farming.client.submit(schedule("r1", *builds), Folders(), farming.tools)
    return farming.client.jobs(JobFilter(), farming.tools)


# logs


def test_a_log_is_read_to_where_it_is_and_followed_until_the_job_is_over(farming: Farming) -> None:
    [job] = submitted(farming, "a")
    farming.farm.write_log(job, "begun\n")
    building = farming.farm.bring(job, JobState.BUILDING, log_of=job.number)
    assert "".join(farming.client.log(building, farming.tools, follow=False)) == "begun\n"
    told: list[tuple[float, str]] = []

    def follow() -> None:
        told.extend((time.monotonic(), piece) for piece in farming.client.log(building, farming.tools, follow=True))

    thread = threading.Thread(target=follow)
    thread.start()
    written: list[tuple[float, str]] = []
    for text in ("one\n", "tw\N{LATIN SMALL LETTER O WITH DIAERESIS}\n", "no end of a line"):
        time.sleep(0.7)
        farming.farm.write_log(job, text)
        written.append((time.monotonic(), text))
    time.sleep(1.5)
    with farming.farm.database() as database:
        database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
    ended = time.monotonic()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - ended < 2
    assert "".join(piece for _, piece in told) == "begun\n" + "".join(text for _, text in written)
    for at_s, text in written:
        came_s = next(came_s for came_s, piece in told if text in piece)
        assert came_s - at_s < 1.3, text  # half a second of that is patience with a line that is not ended


def test_a_packed_log_of_many_parts_is_read_whole(farming: Farming) -> None:
    [job] = submitted(farming, "a")
    text = "".join(f"line {number} \N{SNOWMAN}\n" for number in range(150_000))
    farming.farm.write_log(job, text)
    over = farming.farm.bring(job, JobState.FAILED, log_of=job.number)
    for follow in (False, True):
        assert "".join(farming.client.log(over, farming.tools, follow=follow)) == text
    JobLogs(folder=farming.farm.repositories["samples"].place.logs).pack("a", job.number)
    for follow in (False, True):
        assert "".join(farming.client.log(over, farming.tools, follow=follow)) == text


def test_a_log_is_followed_over_a_restart_of_the_farm(transport: Transport, tmp_path: Path) -> None:
    quiet = QuietFarm(tmp_path / "farm")
    with farming_on(transport, quiet, tmp_path) as farming:
        port = int((farming.tools.settings.farm_url or "").rpartition(":")[2])
        [job] = submitted(farming, "a")
        quiet.write_log(job, "before\n")
        building = quiet.bring(job, JobState.BUILDING, log_of=job.number)
        pieces = farming.client.log(building, farming.tools, follow=True)
        assert next(pieces) == "before\n"
    quiet.write_log(job, "after\n")
    rest: list[str] = []
    thread = threading.Thread(target=lambda: rest.extend(pieces))
    thread.start()
    time.sleep(1)
    with quiet.database() as database:
        database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
    with farming_on(transport, quiet, tmp_path, port=port):
        thread.join(20)
    assert rest == ["after\n"]


# jobs


def test_many_jobs_are_chosen_by_several_requests(farming: Farming) -> None:
    names = [f"package-{number}" for number in range(250)]
    jobs = submitted(farming, *names)
    assert farming.client.jobs(JobFilter(numbers=frozenset(job.number for job in jobs)), farming.tools) == jobs
    assert farming.client.jobs(JobFilter(packages=frozenset(job.pkgbase for job in jobs)), farming.tools) == jobs
    assert farming.client.jobs(JobFilter(states=frozenset({JobState.FAILED})), farming.tools) == ()


def test_what_the_farm_refuses_is_told_as_its_own(farming: Farming) -> None:
    [job] = submitted(farming, "a")
    with pytest.raises(RefusedError, match=r"a: job 1 of it is queued"):
        farming.client.retry(job, farming.tools)
    gone = replace(job, number=99)
    with pytest.raises(NotReadyError, match=r"a: samples has no job 99 \(old ones"):
        farming.client.cancel(gone, "no need", farming.tools)


@pytest.mark.parametrize("token", ["wrong-token", STRANGER])
def test_who_is_no_client_of_the_repository_is_told_so(farming: Farming, token: str) -> None:
    asking = replace(farming.tools, environ={"CI_FARM_TOKEN": token})
    with pytest.raises(HandOverError) as caught:
        farming.client.submit(schedule("r1", "a"), Folders(), asking)
    assert token not in str(caught.value)
    assert "CI_FARM_TOKEN" in str(caught.value) or "farm.toml" in str(caught.value)
    assert farming.client.jobs(JobFilter(), farming.tools) == ()


def test_what_a_job_made_is_told_with_digests(farming: Farming) -> None:
    [job] = submitted(farming, "a")
    made = Artifact(
        file="a-1-1-any.pkg.tar.zst", name="a", version="1-1", arch="any", sha256="ab" * 32, size_bytes=5 << 30
    )
    done = farming.farm.bring(job, JobState.SUCCEEDED, log_of=job.number, artifacts=format_artifacts([made]))
    assert farming.client.artifacts(done, farming.tools) == (made,)


def test_who_operates_the_farm_purges_and_logs_go_with_their_jobs(farming: Farming) -> None:
    jobs = []
    for number in range(3):
        farming.client.submit(schedule(f"r{number}", "a"), Folders(str(number)), farming.tools)
        job = farming.client.jobs(JobFilter(), farming.tools)[-1]
        farming.farm.write_log(job, "built\n")
        jobs.append(farming.farm.bring(job, JobState.FAILED, log_of=job.number, now_s=100.0 + number, ended_at=100.0))
    operating = replace(farming.tools, environ={"CI_FARM_TOKEN": OPERATOR})
    with pytest.raises(NotReadyError, match=r"does not operate this farm .*operates = true"):
        farming.client.purge(1_000.0, farming.tools, dry_run=False)
    logs = farming.farm.repositories["samples"].place.logs
    assert farming.client.purge(100.0, operating, dry_run=False) == ()
    assert farming.client.purge(101.0, operating, dry_run=True) == tuple(jobs[:2])
    assert len(list(logs.glob("a/*.log"))) == 3
    assert farming.client.purge(101.0, operating, dry_run=False) == tuple(jobs[:2])
    assert [path.name for path in logs.glob("a/*.log")] == [f"{jobs[2].number}.log"]
    assert farming.client.jobs(JobFilter(), farming.tools) == (jobs[2],)


def test_who_operates_the_farm_has_nothing_to_do_with_a_repository_that_is_not_its_own(farming: Farming) -> None:
    [job] = submitted(farming, "a")
    farming.farm._clients["token-elsewhere"] = FarmClient(
        name="elsewhere", repositories=frozenset({"other"}), sources=frozenset({"samples"}), operates=True
    )
    asking = replace(farming.tools, environ={"CI_FARM_TOKEN": "token-elsewhere"})
    for ask in (
        lambda: farming.client.purge(1.0, asking, dry_run=True),
        lambda: farming.client.cancel(job, "no need", asking),
        lambda: farming.client.retry(job, asking),
        lambda: farming.client.note_checks({}, ReviewCounts(open=0, opened=0), asking),
    ):
        with pytest.raises(NotReadyError, match=r"nothing to do with the repository samples .*this is the client else"):
            ask()
    assert farming.client.jobs(JobFilter(), farming.tools) == (job,)


def test_workers_are_told_with_capacity_and_health_and_told_to_rest(farming: Farming) -> None:
    farming.farm.add_worker("w1", WorkerState.BUSY, slots=4, running=(("samples", 1),), version="1.0")
    farming.farm.add_worker("w2", WorkerState.AWAY, reason="it is not connected")
    operating = replace(farming.tools, environ={"CI_FARM_TOKEN": OPERATOR})
    one, two = farming.client.workers(farming.tools)
    assert (one["slots"], one["used"], one["free"], one["state"], one["health"]) == (4, 1, 3, "busy", "good")
    assert one["running"] == [{"repository": "samples", "job": 1}]
    assert (two["free"], two["state"], two["health"], two["version"]) == (0, "away", "bad", None)
    assert "finishes" in farming.client.drain("w1", "a new disk", operating)
    [resting, _] = farming.client.workers(farming.tools)
    assert (resting["state"], resting["health"], resting["reason"]) == ("draining", "resting", "a new disk")
    assert "takes builds" in farming.client.resume("w1", operating)
    with pytest.raises(NotReadyError, match="operates"):
        farming.client.drain("w1", "a new disk", farming.tools)
    with pytest.raises(NotReadyError, match="there is no worker w9"):
        farming.client.drain("w9", "a new disk", operating)


def test_a_pipelines_checks_are_counted(farming: Farming) -> None:
    farming.client.note_checks({"aur": {"unchanged": 3}}, ReviewCounts(open=2, opened=1), farming.tools)
    [(key, last)] = farming.farm.pipelines.told().items()
    assert (key, last.open_reviews) == (("samples", "samples"), 2)
