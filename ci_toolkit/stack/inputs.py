"""What a stack is made from: stack.toml, the farm's farm.toml, and the plugins that are installed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit import __version__
from ci_toolkit.errors import ConfigError, NotReadyError, PluginError, ToolkitError
from ci_toolkit.formats.farm_layout import FARM_FILE, farm_layout, parse_farm_table
from ci_toolkit.model.names import nearest
from ci_toolkit.plugins import load, registered
from ci_toolkit.stack.deployment import Bundle, Deployment
from ci_toolkit.stack.fragment_check import check_bundle
from ci_toolkit.stack.stack_file import STACK_FILE, parse_stack
from ci_toolkit.stack_fragments.spec import Fragment, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.stack.stack_file import Stack

_HINT = f"write one; a stack.toml with nothing in it describes the farm in the folder `master` beside it ({STACK_FILE})"


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
    farm_bytes = _read(farm_path, f"`farm` in {STACK_FILE} names the master's folder; farm master create makes one")
    try:
        layout = farm_layout(parse_farm_table(farm_bytes, file=str(farm_path)))
    except ConfigError as error:
        raise error.located(file=str(farm_path)) from None
    deployment = Deployment(stack=stack, farm=layout, bundles=tuple(_bundles(stack, layout.url)), version=__version__)
    deployment.check()
    return Inputs(
        deployment=deployment,
        digests={
            STACK_FILE: hashlib.sha256(stack_bytes).hexdigest(),
            f"{stack.farm}/{FARM_FILE}": hashlib.sha256(farm_bytes).hexdigest(),
        },
    )


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotReadyError("is missing", key=str(path), hint=hint) from None


def _bundles(stack: Stack, farm_url: str) -> Iterator[Bundle]:
    found = registered("stack_fragments")
    for name in stack.plugins:
        if name not in found:
            hint = nearest(name, found) or f"there are: {', '.join(found) or 'none'}"
            raise ConfigError("is no plugin that adds to a stack", file=STACK_FILE, key=f"plugins.{name}", hint=hint)
    for name, plugin in found.items():
        setting = Setting(farm_url=farm_url, options=stack.plugins.get(name))
        try:
            fragment = load(plugin).fragment(setting)
        except ToolkitError as error:
            raise error.located(file=STACK_FILE, key=f"plugins.{name}") from None
        except Exception as error:
            problem = f"stack_fragments: {name} from {plugin.origin} failed: {type(error).__name__}: {error}"
            raise PluginError(problem) from error
        if fragment is None:
            continue
        if not isinstance(fragment, Fragment):
            raise PluginError(f"stack_fragments: {name} from {plugin.origin} gives no fragment but {fragment!r}")
        bundle = Bundle(name=name, origin=plugin.origin, fragment=fragment)
        check_bundle(bundle)
        yield bundle
