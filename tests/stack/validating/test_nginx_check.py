"""`nginx -t` of what is rendered, on a machine that has no certificate, no rights and another version."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.stack.proxy.nginx import nginx_outputs
from ci_toolkit.stack.validating.check import Check, Programs
from ci_toolkit.stack.validating.nginx_check import check_nginx
from ci_toolkit.stack_fragments.spec import Fragment, Route, Service
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from pathlib import Path

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
PLUGIN = Fragment(services=(Service(name="hello", image="hello:1", port=80),), routes=(Route(service="hello"),))


def checked(folder: Path, *, run_by: str = "compose", broken: tuple[str, str] = ("", ""), path: str = "") -> Check:
    deployment = deployed(f'run_by = "{run_by}"\n{STACK}', hello=PLUGIN)
    for output in nginx_outputs(deployment):
        file = folder / output.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(output.content.decode().replace(*broken))
    programs = Programs(processes=Processes(redactor=Redactor({})), environ={"PATH": path or os.environ["PATH"]})
    [found] = check_nginx(folder, deployment, programs)
    return found


@needs_nginx
@pytest.mark.parametrize("run_by", ["compose", "systemd"])
def test_nginx_understands_what_is_rendered(tmp_path: Path, run_by: str) -> None:
    found = checked(tmp_path, run_by=run_by)
    assert (found.faults, found.missing) == ((), "")
    assert run_by == "compose" or not found.note


@needs_nginx
def test_a_fault_names_the_file_and_line_as_rendered(tmp_path: Path) -> None:
    found = checked(tmp_path, broken=("absolute_redirect off;", "absolut_redirect off;"))
    [fault] = found.faults
    line = (tmp_path / "nginx/sites/farm.conf").read_text().partition("absolut_redirect")[0].count("\n") + 1
    assert 'unknown directive "absolut_redirect"' in fault
    assert f" nginx/sites/farm.conf:{line}" in fault


def test_what_was_rendered_stays_as_it_was(tmp_path: Path) -> None:
    checked(tmp_path)
    assert "/etc/nginx/tls/cert.pem" in (tmp_path / "nginx/sites/farm.conf").read_text()


def test_without_openssl_nobody_is_asked_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nginx").write_text("#!/bin/sh\n")
    (tmp_path / "bin/nginx").chmod(0o755)
    assert "openssl" in checked(tmp_path, path=str(tmp_path / "bin")).missing
