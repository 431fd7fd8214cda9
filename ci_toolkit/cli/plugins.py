"""`ci-toolkit plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.plugins import FAMILIES, load, registered

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "plugins"
HELP = "list the kinds of sources, forges and backends that are installed, and where they come from"


def declare(parser: ArgumentParser) -> None:
    """No arguments."""


def run(options: Namespace, terminal: Terminal) -> int:  # noqa: ARG001 - every subcommand is called alike
    """Load everything and list it; PluginError names what breaks its contract."""
    rows = [
        (plugin.family, plugin.name, plugin.origin, plugin)
        for family in FAMILIES
        for plugin in registered(family).values()
    ]
    for *_, plugin in rows:
        load(plugin)
    width = max(len(name) for _, name, _, _ in rows)
    terminal.say("".join(f"{family:<9} {name:<{width}}  {origin}\n" for family, name, origin, _ in rows))
    return 0
