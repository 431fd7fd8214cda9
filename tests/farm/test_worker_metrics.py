"""What a worker answers at its own endpoint: whether it is well, its metrics, and nothing else."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit.errors import ConfigError
from ci_toolkit.farm.checking import check_folder
from ci_toolkit.farm.creating import create_worker
from ci_toolkit.farm.worker_service import read_worker_file
from tests.support.farm_stand import FarmStand, free_port, running_farm
from tests.support.local_builds import Tiny
from tests.support.scraped import labels, scraped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World


def test_a_worker_that_lost_its_master_says_so(tmp_path: Path) -> None:
    with running_farm(FarmStand(top=tmp_path / "master", watched=True), stubs=True) as farm:
        url = farm.worker_url("one")
        well = requests.get(f"{url}/healthz", timeout=10)
        assert (well.status_code, well.json()) == (200, {"said": "alive"})
        since_s = scraped(url)["ci_toolkit_worker_connection_changed_timestamp_seconds", labels()]
        farm.tell("one", "slow", "hang")
        farm.submit("r1", Tiny(name="slow"))
        farm.building("slow")
        master = farm.processes.pop("master")
        master.kill()
        master.wait(30)
        farm.wait(lambda: requests.get(f"{url}/healthz", timeout=10).status_code == 503)
        assert requests.get(f"{url}/healthz", timeout=10).json() == {"said": "the connection to its master is lost"}
        farm.wait(lambda: scraped(url)["ci_toolkit_worker_running_builds", labels()] == 0)
        found = scraped(url)
        assert found["ci_toolkit_worker_connected", labels()] == 0
        assert found["ci_toolkit_worker_connection_losses_total", labels()] == 1
        assert found["ci_toolkit_worker_connection_changed_timestamp_seconds", labels()] > since_s
        assert found["ci_toolkit_worker_builds_total", labels(outcome="interrupted")] == 1
        farm.start_master()
        farm.wait(lambda: requests.get(f"{url}/healthz", timeout=10).status_code == 200, within_s=120)


@pytest.fixture
def lonely(tmp_path: Path) -> FarmStand:
    """A worker of a master that does not run."""
    return FarmStand(top=tmp_path / "master", watched=True)


def test_there_are_two_pages_and_nothing_is_taken(lonely: FarmStand) -> None:
    lonely.spawn_worker("one", stub=True)
    url = lonely.worker_url("one")
    try:
        lonely.wait(lambda: answers(lonely.metrics_ports["one"]))
        ill = requests.get(f"{url}/healthz", timeout=10)
        assert (ill.status_code, ill.json()) == (503, {"said": "it has not logged in at its master"})
        assert scraped(url)["ci_toolkit_worker_connected", labels()] == 0
        for path in ("/", "/metrics/", "/metrics/x", "/../password", "/%2e%2e/password"):
            assert requests.get(f"{url}{path}", timeout=10).status_code == 404, path
        assert requests.post(f"{url}/metrics", timeout=10).status_code == 405
        assert requests.put(f"{url}/metrics", data=b"x" * 1_000, timeout=10).status_code == 413
        assert requests.get(f"{url}/metrics", data=iter([b"x"] * 10), timeout=10).status_code == 413
    finally:
        lonely.end()


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_that_is_taken_is_said_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        top = tmp_path / "worker"
        create_worker(top, name="one", master=f"tcp:127.0.0.1:{free_port()}", password="pa55word", metrics=endpoint)
        done = subprocess.run(
            (sys.executable, "-m", "ci_toolkit", "farm", "worker", "run", str(top)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    assert done.returncode == 11
    assert f"{top / 'worker.toml'}: metrics cannot be listened at: " in done.stderr
    assert "in use" in done.stderr
    assert endpoint in done.stderr
    assert "Traceback" not in done.stderr
    assert "pa55word" not in done.stderr


# worker.toml


def test_a_worker_is_made_with_an_endpoint_and_checked(world: World, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cr3t\n")
    words = ("--name", "big", "--master", "tls:farm.example.org:9989", "--password-file", str(tmp_path / "password"))
    top = tmp_path / "worker"
    endpoint = r"tcp:9990:interface=\:\:1"
    assert world.run("farm", "worker", "create", str(top), *words, "--metrics", endpoint).status == 0
    assert read_worker_file(top).metrics == endpoint
    said = world.run("farm", "check", str(top))
    assert said.status == 0, said.stderr
    assert f"its metrics are at {endpoint}, for this machine" in said.stdout


def test_by_default_there_is_none(tmp_path: Path) -> None:
    create_worker(tmp_path, name="one", master="tcp:127.0.0.1:1", password="p")
    assert read_worker_file(tmp_path).metrics is None
    assert "metrics" not in (tmp_path / "worker.toml").read_text()
    assert "its metrics" not in "\n".join(check_folder(tmp_path, os.environ))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('metrics = "tpc:9990"', "worker.toml: metrics is no endpoint to listen on"),
        ('metrics = "tcp:http"', "worker.toml: metrics is no endpoint to listen on"),
        ('metrics = ""', "worker.toml: metrics is no endpoint to listen on"),
        ("metrics = 9990", "worker.toml: metrics is no text: '9990'"),
        ('metric = "tcp:9990"', "worker.toml: metric is no key of a worker (did you mean metrics"),
    ],
)
def test_what_cannot_be_an_endpoint_is_said_before_anything_runs(tmp_path: Path, line: str, expected: str) -> None:
    create_worker(tmp_path, name="one", master="tcp:127.0.0.1:1", password="p")
    with (tmp_path / "worker.toml").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match=re.escape(expected)):
        list(check_folder(tmp_path, os.environ))


def test_who_reaches_it_is_said(tmp_path: Path) -> None:
    create_worker(tmp_path, name="one", master="tcp:127.0.0.1:1", password="p", metrics="tcp:9990")
    assert "for whoever reaches this machine" in "\n".join(check_folder(tmp_path, os.environ))
