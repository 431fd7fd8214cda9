"""`ci-toolkit plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.plugins import FAMILIES, lacking, load, load_listeners, load_review_rules, registered
from ci_toolkit.review.plugin_rules import all_rules

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.plugins import Plugin

NAME = "plugins"
HELP = "list everything that is installed, such as sources, forges, backends and notifiers, and where it comes from"


def declare(parser: ArgumentParser) -> None:
    """No arguments."""


def run(options: Namespace, terminal: Terminal) -> int:  # noqa: ARG001 - every subcommand is called alike
    """Load everything and list it; PluginError names what breaks its contract."""
    rows = [
        (plugin.family, plugin.name, _origin(plugin)) for family in FAMILIES for plugin in registered(family).values()
    ]
    all_rules((), load_review_rules())
    load_listeners()
    wide = max(len(family) for family, *_ in rows)
    width = max(len(name) for _, name, _ in rows)
    terminal.say("".join(f"{family:<{wide}} {name:<{width}}  {origin}\n" for family, name, origin in rows))
    return 0


def _origin(plugin: Plugin) -> str:
    """Where a plugin comes from that is loaded now, or what it needs that is not installed."""
    missing = lacking(plugin)
    if missing is not None:
        return f"{plugin.origin}, which needs: {missing}"
    load(plugin)
    return plugin.origin
