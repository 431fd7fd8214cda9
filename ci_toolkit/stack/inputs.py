"""What a stack is made from: stack.toml, the farm's farm.toml, and the plugins that are installed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit import __version__
from ci_toolkit.errors import ConfigError, MachineError, NotReadyError
from ci_toolkit.formats.farm_layout import FARM_FILE, farm_layout, parse_farm_table
from ci_toolkit.stack.asking_plugins import bundles
from ci_toolkit.stack.deployment import Deployment
from ci_toolkit.stack.limits import check_limits
from ci_toolkit.stack.stack_file import STACK_FILE, parse_stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.stack.stack_file import Stack

_HINT = "write one; a stack.toml with nothing in it describes the farm in the folder `master` beside it"

_FARM_HINT = f"`farm` in {STACK_FILE} names the master's folder; farm master create makes one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A deployment, and the SHA-256 of each file that it was read from, by name."""

    deployment: Deployment
    digests: Mapping[str, str]


def read_inputs(folder: Path) -> Inputs:
    """The stack of a folder; NotReadyError when a file is missing, ConfigError or PluginError for what cannot be."""
    stack_bytes = _read(folder / STACK_FILE, _HINT)
    stack = parse_stack(stack_bytes)
    farm_path = folder / stack.farm / FARM_FILE
    farm_bytes = _read(farm_path, _FARM_HINT)
    try:
        layout = farm_layout(parse_farm_table(farm_bytes, file=str(farm_path)))
    except ConfigError as error:
        raise error.located(file=str(farm_path)) from None
    deployment = Deployment(stack=stack, farm=layout, bundles=tuple(bundles(stack, layout.url)), version=__version__)
    deployment.check()
    check_limits(deployment)
    return Inputs(deployment=deployment, digests=_digests(stack, stack_bytes, farm_bytes))


def digests_now(folder: Path, stack: Stack) -> dict[str, str]:
    """The digests of the files of a stack as they are at the moment, without reading anything into them."""
    return _digests(stack, _read(folder / STACK_FILE, _HINT), _read(folder / stack.farm / FARM_FILE, _FARM_HINT))


def _digests(stack: Stack, stack_bytes: bytes, farm_bytes: bytes) -> dict[str, str]:
    files = {STACK_FILE: stack_bytes, f"{stack.farm}/{FARM_FILE}": farm_bytes}
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotReadyError("is missing", key=str(path), hint=hint) from None
    except OSError as error:
        raise MachineError(f"cannot be read: {error.strerror or error}", key=str(path)) from error
