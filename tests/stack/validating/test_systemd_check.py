"""`systemd-analyze verify` of what is rendered, where neither the farm nor what it needs is installed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.stack.units.units import systemd_outputs
from ci_toolkit.stack.validating.check import Check, Programs
from ci_toolkit.stack.validating.systemd_check import check_systemd
from ci_toolkit.stack_fragments.spec import Fragment, SeedTable, Service
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from pathlib import Path

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
PLUGIN = Fragment(
    services=(Service(name="hello", image="hello:1", command=("sh", "-c", 'echo "$HOME";\n %')),),
    needs_redis=True,
    seeds=(SeedTable(name="rows", columns={"a": "text"}, rows=()),),
)


def checked(folder: Path, *, run_by: str = "systemd", edited: dict[str, tuple[str, str]] | None = None) -> list[Check]:
    deployment = deployed(f'run_by = "{run_by}"\n{STACK}', hello=PLUGIN)
    for output in systemd_outputs(deployment):
        file = folder / output.path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = output.content.decode()
        if output.path in (edited or {}):
            old, new = (edited or {})[output.path]
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
    programs = Programs(processes=Processes(redactor=Redactor({})), environ={"PATH": os.environ["PATH"]})
    return list(check_systemd(folder, deployment, programs))


@needs_systemd
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    [found] = checked(tmp_path)
    assert (found.faults, found.missing) == ((), "")
    assert "/opt/ci-toolkit/bin/ci-toolkit" in found.note


@needs_systemd
@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("ci-toolkit-farm-master.service", "KillMode=mixed", "KilMode=mixed", "Unknown key"),
        ("ci-toolkit-farm-hello.service", "TimeoutStopSec=30", "TimeoutStopSec=soon", "Failed to parse"),
        ("loki.service.d/ci-toolkit-stack.conf", "Restart=always", "Restart=mybe", "Failed to parse"),
        (
            "ci-toolkit-farm-worker@one.service.d/ci-toolkit-stack.conf",
            "WorkingDirectory=/",
            "WorkingDirectory=",
            "not absolute",
        ),
    ],
)
def test_a_fault_names_the_file_as_rendered(tmp_path: Path, path: str, old: str, new: str, said: str) -> None:
    [found] = checked(tmp_path, edited={f"systemd/{path}": (old, new)})
    assert found.faults
    assert all(fault.startswith(f"systemd/{path}:") for fault in found.faults)
    assert said in found.faults[0]


def test_containers_have_no_units_to_ask_about(tmp_path: Path) -> None:
    assert checked(tmp_path, run_by="compose") == []
