"""Whether Alertmanager understands what was rendered for it, and whether alerts reach whom they are for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import ProcessError
from ci_toolkit.stack.monitoring.alertmanager import receivers
from ci_toolkit.stack.output import read_yaml, yaml_text
from ci_toolkit.stack.validating.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.validating.check import Programs

_CONFIGURATION, _ROUTES = "alertmanager configuration", "alertmanager routes"
_MISSING = "amtool is not installed; Debian: apt install prometheus-alertmanager"
_FILE = "alertmanager/alertmanager.yml"
_TELEGRAM_FILES_SINCE = (0, 26)


def check_alertmanager(folder: Path, deployment: Deployment, programs: Programs) -> Iterator[Check]:
    """Its configuration, and that an alert of each plugin goes to the plugin's receiver and ours to the farm's."""
    amtool = programs.find("amtool")
    if amtool is None:
        yield Check(name=_CONFIGURATION, missing=_MISSING)
        yield Check(name=_ROUTES, missing=_MISSING)
        return
    note = _adapt(folder, amtool, programs)
    asked = programs.ask(_CONFIGURATION, (amtool, "check-config", _FILE), cwd=folder)
    yield Check(name=asked.name, faults=asked.faults, note=note)
    if not asked.faults:
        yield Check(name=_ROUTES, faults=tuple(_misrouted(folder, deployment, amtool, programs)))


def _adapt(folder: Path, amtool: str, programs: Programs) -> str:
    """An older amtool knows only tokens that stand in the file, so it gets a copy with one that was made up."""
    try:
        said = programs.run((amtool, "--version"), cwd=folder)
    except ProcessError:  # the check that follows fails likewise, and says so
        return ""
    found = re.search(rb"version (\d+)\.(\d+)", said.stdout + said.stderr)
    if found is None or (int(found[1]), int(found[2])) >= _TELEGRAM_FILES_SINCE:
        return ""
    path = folder / _FILE
    configuration = read_yaml(path.read_text())
    told = [told for receiver in configuration["receivers"] for told in receiver.get("telegram_configs", ())]
    if not told:
        return ""
    for telegram in told:
        del telegram["bot_token_file"]
        telegram["bot_token"] = "made-up"  # noqa: S105
    path.write_text(yaml_text(configuration))
    version = f"{found[1].decode()}.{found[2].decode()}"
    return f"amtool {version} does not know bot_token_file: a copy was checked that has bot_token instead"


def _misrouted(folder: Path, deployment: Deployment, amtool: str, programs: Programs) -> Iterator[str]:
    for receiver in receivers(deployment):
        label = "alertname=FarmDown" if receiver.plugin is None else f"plugin={receiver.plugin}"
        argv = (
            amtool,
            "config",
            "routes",
            "test",
            f"--config.file={_FILE}",
            f"--verify.receivers={receiver.name}",
            label,
        )
        for fault in programs.ask(_ROUTES, argv, cwd=folder).faults:
            yield f"{_FILE}: {label} does not reach {receiver.name}: {fault}"
