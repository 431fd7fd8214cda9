"""`docs/stack/`: the examples of the guide are what is rendered now, and what the programs they are for understand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.validating.all_checks import all_checks
from ci_toolkit.stack.validating.check import Programs
from tests.docs.render_examples import COMMAND, DASHBOARDS, EXAMPLES, TOP, committed, deployment_of, example

BIN = Path(sys.executable).parent
STYLE = """\
extends: default
rules: {line-length: disable, document-start: disable, braces: disable, indentation: {indent-sequences: false}}
"""


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_what_is_rendered(name: str) -> None:
    expected, there = example(name), committed(name)
    differing = sorted(path for path in {*expected, *there} if expected.get(path) != there.get(path))
    assert differing == [], f"`{COMMAND}` writes docs/stack anew; look at the difference before it is committed"


def test_dashboards_are_the_same_with_and_without_containers() -> None:
    composed, units = (
        {output.path: output.content for output in rendered(deployment_of(name)) if output.path.startswith(DASHBOARDS)}
        for name in EXAMPLES
    )
    assert composed
    assert composed == units


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_programs_that_are_here_understand_the_example(name: str) -> None:
    deployment = deployment_of(name)
    programs = Programs(processes=Processes(redactor=Redactor({})), environ=os.environ)
    checks = list(all_checks(deployment, rendered(deployment), programs))
    assert [(check.name, check.faults) for check in checks if check.faults] == []


def test_yamllint_finds_nothing() -> None:
    argv = (str(BIN / "yamllint"), "--strict", "-d", STYLE, str(TOP))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
