"""What installed plugins add to a stack, as each of them answers; nothing that one does wrong ends in a traceback."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, PluginError, ToolkitError, shortened
from ci_toolkit.model.names import nearest
from ci_toolkit.plugins import load, registered
from ci_toolkit.stack.deployment import Bundle
from ci_toolkit.stack.fragment_check import check_bundle
from ci_toolkit.stack.fragment_types import WrongTypeError, plain_fragment
from ci_toolkit.stack.stack_file import STACK_FILE
from ci_toolkit.stack_fragments.spec import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.plugins import Plugin
    from ci_toolkit.stack.stack_file import Stack
    from ci_toolkit.stack_fragments.spec import Fragment


def bundles(stack: Stack, farm_url: str) -> Iterator[Bundle]:
    """Those of all plugins that add something, by name; PluginError for what does not fit."""
    found = registered("stack_fragments")
    for name in stack.plugins:
        if name not in found:
            hint = nearest(name, found) or f"there are: {', '.join(found) or 'none'}"
            raise ConfigError("is no plugin that adds to a stack", file=STACK_FILE, key=f"plugins.{name}", hint=hint)
    for name, plugin in found.items():
        fragment = _answer(plugin, stack, farm_url)
        # The order of tables is that of lines in files.
        if repr(fragment) != repr(_answer(plugin, stack, farm_url)):
            raise _failed(plugin, "gives another fragment each time it is asked")
        if fragment is not None:
            bundle = Bundle(name=name, origin=plugin.origin, fragment=fragment)
            check_bundle(bundle)
            yield bundle


def _answer(plugin: Plugin, stack: Stack, farm_url: str) -> Fragment | None:
    setting = Setting(farm_url=farm_url, options=copy.deepcopy(stack.plugins.get(plugin.name)))
    try:
        given = load(plugin).fragment(setting)
        return None if given is None else plain_fragment(given)
    except WrongTypeError as error:
        raise _failed(plugin, f"breaks its contract: {error}") from None
    except ToolkitError as error:
        raise error.located(file=STACK_FILE, key=f"plugins.{plugin.name}") from None
    # One that ends the program would end it as if all were well.
    except (Exception, SystemExit) as error:
        raise _failed(plugin, f"failed: {type(error).__name__}{_said(error)}") from error


def _said(error: BaseException) -> str:
    """What an error says, in one line; what a plugin raises may fail even at that."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - nothing is known of it
        return ""
    return f": {shortened(text)}" if text else ""


def _failed(plugin: Plugin, problem: str) -> PluginError:
    return PluginError(f"stack_fragments: {plugin.name} from {plugin.origin} {problem}")
