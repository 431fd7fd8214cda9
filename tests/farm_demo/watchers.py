"""Prometheus and Alertmanager of the story: Debian's programs, with what `ci-toolkit stack render` has written for them."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import requests

from tests.support.farm_stand import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.farm_demo.machines import Machines

PROGRAMS = ("prometheus", "prometheus-alertmanager")
_FILE = """\
farm = "{master}"
run_by = "systemd"
installed_at = "{top}"

[ports]
prometheus = {prometheus}
alertmanager = {alertmanager}

[prometheus]
scrape_seconds = 1
"""
_WORKER = """
[workers.{name}]
metrics = "http://127.0.0.1:{port}"
"""


class Watchers:
    """Both, in a folder with a stack; the processes are the machines' to end."""

    def __init__(self, top: Path, machines: Machines) -> None:
        self.top, self._machines = top, machines
        self._prometheus, self._alertmanager = free_port(), free_port()

    @staticmethod
    def missing() -> list[str]:
        """The programs that are not installed."""
        return [program for program in PROGRAMS if shutil.which(program) is None]

    def stack_file(self, workers: Mapping[str, int]) -> str:
        """What is to be around the farm; `workers` are the ports of their metrics."""
        head = _FILE.format(
            master=self.top.parent / "master",
            top=self.top,
            prometheus=self._prometheus,
            alertmanager=self._alertmanager,
        )
        return head + "".join(_WORKER.format(name=name, port=port) for name, port in workers.items())

    def start(self) -> None:
        """Until both answer."""
        self._machines.start_program(
            "alertmanager",
            "prometheus-alertmanager",
            f"--config.file={self.top}/alertmanager/alertmanager.yml",
            f"--storage.path={self.top}/data/alertmanager",
            f"--web.listen-address=127.0.0.1:{self._alertmanager}",
            "--cluster.listen-address=",
        )
        self._machines.start_program(
            "prometheus",
            "prometheus",
            f"--config.file={self.top}/prometheus/prometheus.yml",
            f"--storage.tsdb.path={self.top}/data/prometheus",
            f"--web.listen-address=127.0.0.1:{self._prometheus}",
        )
        urls = [f"http://127.0.0.1:{port}/-/ready" for port in (self._alertmanager, self._prometheus)]
        self._machines.wait("who watches is ready", lambda: all(map(_answers, urls)))

    def healthy_targets(self) -> set[str]:
        """What Prometheus has asked with success: the names of workers, and `master`."""
        answer = requests.get(f"http://127.0.0.1:{self._prometheus}/api/v1/targets", timeout=10).json()
        targets = [target for target in answer["data"]["activeTargets"] if target["health"] == "up"]
        return {
            target["labels"].get("worker", "master")
            for target in targets
            if target["labels"]["job"].startswith("ci-toolkit")
        }

    def asked(self, expression: str) -> dict[str, float]:
        """A value of now for each worker or repository."""
        url = f"http://127.0.0.1:{self._prometheus}/api/v1/query"
        answer = requests.get(url, params={"query": expression}, timeout=10).json()
        return {
            one["metric"].get("worker") or one["metric"].get("repository", ""): float(one["value"][1])
            for one in answer["data"]["result"]
        }

    def alert(self, name: str) -> dict[str, Any] | None:
        """What Alertmanager was told of, with labels and annotations; None: nothing of that name."""
        answer = requests.get(f"http://127.0.0.1:{self._alertmanager}/api/v2/alerts", timeout=10)
        found: list[dict[str, Any]] = [one for one in answer.json() if one["labels"]["alertname"] == name]
        return found[0] if found else None


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=10).ok
    return False
