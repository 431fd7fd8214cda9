"""`docs/farm.md`: its commands are run, its farm is read, and what the program knows is described."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.farm import farm_file
from ci_toolkit.farm.worker_service import WORKER_KEYS
from ci_toolkit.farm.worker_settings import OWN_KEYS
from ci_toolkit.formats import farm_layout
from ci_toolkit.formats.artifact_record import format_artifacts
from ci_toolkit.model.artifact import Artifact
from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS
from ci_toolkit.model.job import JobState
from ci_toolkit.model.worker import WorkerState
from tests.support.certificates import self_signed
from tests.support.farm_stand import FarmStand
from tests.support.grpc_farm import grpc_farm
from tests.support.guides import DOCS, block, sh
from tests.support.jobs import submit
from tests.support.quiet_farm import TOKEN, QuietFarm
from tests.support.rendered_nginx import RunningNginx, running_nginx
from tests.support.stacks import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (DOCS / "farm.md").read_text()
NAME = "farm.example.org"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by the guide's commands, for a name that leads here."""
    folder = tmp_path_factory.mktemp("certificates")
    assert "cert.pem: OK" in sh(block("stack.md", "certificates").replace(NAME, "localhost"), folder)
    (folder / "trust").mkdir()
    shutil.copy(folder / "ca.pem", folder / "trust")
    return folder


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[FarmStand]:
    """A farm with those certificates, for workers and, by nginx, for people."""
    top = tmp_path_factory.mktemp("farm") / "master"
    stand = FarmStand(
        top=top,
        workers={"big": "class 9 slots 1"},
        listen=f"ssl:PORT:privateKey={certificates}/key.pem:certKey={certificates}/cert.pem:interface=127.0.0.1",
        connect=f"tls:localhost:PORT:trustRoots={certificates}/trust",
    )
    try:
        stand.start_master()
        stand.start_worker("big", stub=True)
        yield stand
    finally:
        stand.end()


def test_a_worker_comes_by_the_guides_certificates_and_is_operated_by_its_commands(
    farm: FarmStand, tmp_path: Path
) -> None:
    said = sh(
        block("farm.md", "operating"),
        tmp_path,
        CI_FARM_TOKEN=farm.token,
        CI_FARM_URL=f"http://127.0.0.1:{farm.web_port}",
    )
    assert '"big finishes what it builds"' in said
    assert '"state": "draining", "reason": "a new disk"' in said
    assert '"big takes builds"' in said


def test_a_program_of_the_guide_asks_the_build_service_for_digests(tmp_path: Path) -> None:
    quiet = QuietFarm(tmp_path / "farm")
    with grpc_farm(quiet, certificate=self_signed(tmp_path)) as farm:
        with quiet.database() as database:
            [job] = submit(database, "r1", "a", source="samples")
        made = Artifact(file="a.pkg", name="a", version="1-1", arch="any", sha256="ab" * 32, size_bytes=1)
        quiet.bring(job, JobState.SUCCEEDED, artifacts=format_artifacts([made]))
        (tmp_path / "client.py").write_text(block("farm.md", "grpc").replace('"mine"', '"samples"'))
        variables = {"CI_FARM_CA": str(tmp_path / "certificate.pem"), "CI_FARM_TOKEN": TOKEN, "FARM": farm.address}
        assert sh("python client.py", tmp_path, **variables) == f"a a.pkg {'ab' * 32}\n"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_the_rendered_nginx_leads_to_the_farm_and_to_buildbots_pages(farm: FarmStand, tmp_path: Path) -> None:
    layout = f"""
        url = "https://localhost"
        web = "tcp:{farm.web_port}:interface=127.0.0.1"
        workers_listen = "tcp:{farm.workers_port}:interface=127.0.0.1"
        buildbot = {{url = "https://localhost/buildbot/", web = "tcp:{farm.buildbot_port}:interface=127.0.0.1"}}
        """
    with running_nginx(deployed('run_by = "systemd"', farm=layout), tmp_path, {}) as nginx:
        assert b"<title>" in nginx.ask("/workers").body
        assert nginx.ask("/readyz").status == 200
        assert b"Buildbot" in nginx.ask("/buildbot/").body
        assert b'"big"' in nginx.ask("/buildbot/api/v2/workers").body
        assert _upgraded(nginx, "/buildbot/ws") == 101
        assert nginx.ask("/metrics").status == 403
        body = tmp_path / "body"
        body.write_bytes(b"{" * 1_000_000)  # more than any other page takes; whoever sends it is nobody
        url = f"https://127.0.0.1:{nginx.ports['443']}/api/repositories/samples/schedules?source=samples"
        curl = f"curl -sS --cacert tls/cert.pem --data-binary @{body} -H 'Content-Type: {_TYPE}' '{url}'"
        assert "no client of this farm" in sh(curl, tmp_path)


_TYPE = "application/vnd.ci-toolkit.schedule+json"


def _upgraded(nginx: RunningNginx, path: str) -> int:
    """The status with which a websocket is opened."""
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    with closing(nginx.connected()) as connection:
        connection.request("GET", path, headers={"Connection": "Upgrade", "Upgrade": "websocket", **key})
        return connection.getresponse().status


def test_every_key_is_described_and_nothing_that_is_none() -> None:
    source = Path(farm_file.__file__).read_text() + Path(farm_layout.__file__).read_text()
    lists = re.findall(r"(?:check_keys\((?:table|buildbot), |_TOP_KEYS = )\(([^)]*)\)", source)
    keys = {key for found in lists for key in re.findall(r'"(\w+)"', found)}
    table = GUIDE.partition("## farm.toml")[2].partition("\n## ")[0]
    elsewhere = {
        "buildbot",
        "grpc",
        "workers",
        "clients",
        "config",
        "key",
        "demo_key",
    }  # tables, and in the line of key_file
    described = set(re.findall(r"^\| (?:`\[[^|]*\]` )?`(\w+)` \|", table, re.MULTILINE))
    assert described <= keys
    assert keys - described <= elsewhere
    assert [key for key in elsewhere if not re.search(rf"[`.\[]{key}[`.\] ]", table)] == []


def test_every_state_of_a_worker_and_every_key_of_its_own_is_described() -> None:
    assert [state.value for state in WorkerState if f"`{state.value}`" not in GUIDE] == []
    assert [key for key in OWN_KEYS if f"`{key}`" not in GUIDE] == []


def test_metrics_that_are_written_about_are_there() -> None:
    metrics = (*MASTER_METRICS, *WORKER_METRICS)
    # A histogram is written about by its own name, which no series has.
    rows = re.findall(r"^\| `(ci_toolkit_\w+)` \| ([^|]*)\|", GUIDE, re.MULTILINE)
    assert sorted((name, re.findall(r"`(\w+)`", labels)) for name, labels in rows) == sorted(
        (metric.name if metric.kind == "histogram" else metric.series[0], list(metric.labels)) for metric in metrics
    )


def test_the_keys_of_a_worker_are_those_that_it_reads() -> None:
    table = GUIDE.partition("## worker.toml")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == WORKER_KEYS
