"""`docs/farm/`: what people copy onto their machines is what the programs it is for understand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.farm.worker_service import WORKER_KEYS
from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS

DOCS = Path(__file__).parents[2] / "docs"
FARM = DOCS / "farm"
BIN = Path(sys.executable).parent
UNITS = sorted(FARM.glob("*.service"))
PROGRAM = "/opt/ci-toolkit/bin/ci-toolkit"
STYLE = "{extends: default, rules: {line-length: {max: 130}, document-start: disable, braces: disable}}"
# With one of these bubblewrap makes no namespace, or no /proc in it, or packages may not hold what they hold.
FORBIDDEN = (
    *("PrivateDevices", "PrivateUsers", "ProcSubset", "ProtectKernelLogs", "ProtectKernelTunables", "ProtectProc"),
    *("RestrictNamespaces", "RestrictSUIDSGID", "SystemCallFilter"),
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a program says, which has to be content."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def needs(program: str) -> pytest.MarkDecorator:
    """Leave a test out where a program is missing that nobody has to have."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def test_the_compose_file_is_one() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FARM / "compose.yaml")


@pytest.mark.parametrize("path", sorted(FARM.glob("*.y*ml")), ids=lambda path: path.name)
def test_yamllint_finds_nothing(path: Path) -> None:
    run(BIN / "yamllint", "--strict", "-d", STYLE, path)


@needs("systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # It looks for the program, which is installed nowhere here.
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    said = run("systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.service")))
    assert [line for line in said.splitlines() if "ci-toolkit" in line] == []


@needs("systemd-analyze")
@pytest.mark.parametrize(("unit", "most"), [("master", 20), ("worker@", 60)])
def test_units_stay_as_closed_as_they_are(unit: str, most: int) -> None:
    path = FARM / f"ci-toolkit-farm-{unit}.service"
    run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={most}", path)


def test_a_worker_is_not_so_closed_that_it_cannot_build() -> None:
    text = (FARM / "ci-toolkit-farm-worker@.service").read_text()
    assert not re.findall(rf"^(?:{'|'.join(FORBIDDEN)})=", text, re.MULTILINE)


@needs("promtool")
def test_prometheus_understands_what_it_scrapes_and_alerts_of() -> None:
    assert "8 rules found" in run("promtool", "check", "config", "prometheus.yml", cwd=FARM)


@needs("promtool")
def test_alerts_come_when_they_are_due(tmp_path: Path) -> None:
    shutil.copy(FARM / "farm-alerts.yml", tmp_path)
    shutil.copy(Path(__file__).with_name("farm-alerts.test.yml"), tmp_path)
    run("promtool", "test", "rules", "farm-alerts.test.yml", cwd=tmp_path)


def test_metrics_that_are_written_about_are_there() -> None:
    metrics = (*MASTER_METRICS, *WORKER_METRICS)
    watched = re.findall(r"ci_toolkit_(?:farm|worker)_[a-z_]+", (FARM / "farm-alerts.yml").read_text())
    assert set(watched) <= {name for metric in metrics for name in metric.series}
    # A histogram is written about by its own name, which no series has.
    rows = re.findall(r"^\| `(ci_toolkit_\w+)` \| ([^|]*)\|", (DOCS / "farm.md").read_text(), re.MULTILINE)
    assert sorted((name, re.findall(r"`(\w+)`", labels)) for name, labels in rows) == sorted(
        (metric.name if metric.kind == "histogram" else metric.series[0], list(metric.labels)) for metric in metrics
    )


def test_the_keys_of_a_worker_are_those_that_it_reads() -> None:
    table = (DOCS / "farm.md").read_text().partition("## worker.toml")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == WORKER_KEYS
