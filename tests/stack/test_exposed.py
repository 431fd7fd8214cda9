"""What is said of other programs' metrics is what these programs tell."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest
import yaml

from ci_toolkit.model.metric import Metric
from ci_toolkit.stack.validating.exposed import ALERTMANAGER, PROCESS, PROMETHEUS, Labels, common_series, plugin_series
from ci_toolkit.stack_fragments.spec import Fragment
from tests.support.farm_stand import free_port
from tests.support.stacks import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<labels>.*)\})? ")
# Told once Prometheus has found its Alertmanager, which takes it five seconds.
LATER = ("prometheus_notifications_errors_total", "prometheus_notifications_sent_total")
FIRING = {"groups": [{"name": "g", "rules": [{"alert": "Always", "expr": "vector(1)"}]}]}


@contextmanager
def running(*command: str | Path, cwd: Path) -> Iterator[None]:
    """A server for as long as it is wanted."""
    server = subprocess.Popen(
        [str(word) for word in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        server.kill()
        server.wait()


def told(port: int, wanted: str) -> dict[str, set[str]]:
    """The labels of each metric that a server has, once it has that one."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (URLError, ConnectionError):
            text = ""
        if f"\n{wanted}" in text:
            return labels_by_metric(text)
        time.sleep(0.05)
    pytest.fail(f"{wanted} was never told")


def labels_by_metric(text: str) -> dict[str, set[str]]:
    """By metric, the labels of all its series."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if (sample := SAMPLE.match(line)) is not None:
            found.setdefault(sample["name"], set()).update(re.findall(r'(\w+)="', sample["labels"] or ""))
    return found


def as_told(table: Mapping[str, tuple[str, ...]], seen: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What a server tells of the metrics of a table."""
    return {name: seen.get(name, {"it is not there"}) for name in table}


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_metrics_of_prometheus_are_those_that_it_tells(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(FIRING))
    (tmp_path / "prometheus.yml").write_text("rule_files: [rules.yml]")
    listening = f"--web.listen-address=127.0.0.1:{port}"
    with running("prometheus", "--config.file=prometheus.yml", listening, cwd=tmp_path):
        seen = told(port, "prometheus_rule_group_last_duration_seconds{")
    tables = {name: labels for name, labels in {**PROMETHEUS, **PROCESS}.items() if name not in LATER}
    assert as_told(tables, seen) == {name: set(labels) for name, labels in tables.items()}


@pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="alertmanager is not installed")
def test_metrics_of_alertmanager_are_those_that_it_tells(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "alertmanager.yml").write_text("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
    listening = f"--web.listen-address=127.0.0.1:{port}"
    with running(
        "prometheus-alertmanager",
        *("--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=", listening),
        cwd=tmp_path,
    ):
        seen = told(port, "alertmanager_silences{")
    tables = {**ALERTMANAGER, **PROCESS}
    assert as_told(tables, seen) == {name: set(labels) for name, labels in tables.items()}


def test_series_have_the_labels_that_scraping_adds_and_no_others() -> None:
    known = common_series()
    assert known["ci_toolkit_farm_builds_total"] == Labels(
        names=frozenset(("repository", "outcome", "job", "instance"))
    )
    assert known["ci_toolkit_worker_disk_free_bytes"] == Labels(names=frozenset(("worker", "job", "instance")))
    assert "le" in known["ci_toolkit_farm_build_duration_seconds_bucket"]
    assert "le" not in known["ci_toolkit_farm_build_duration_seconds_sum"]
    assert "ci_toolkit_farm_builds" not in known


def test_a_label_that_prometheus_sets_itself_is_known_by_the_name_that_it_gives_it() -> None:
    metrics = (Metric(name="mirror_hits", kind="counter", meaning="Hits.", labels=("service",)),)
    (bundle,) = deployed(mirror=Fragment(metrics=metrics)).bundles
    assert plugin_series(bundle)["mirror_hits_total"].names == {
        "exported_service",
        "service",
        "plugin",
        "job",
        "instance",
    }
