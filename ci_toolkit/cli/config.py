"""`ci-toolkit config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.config_values import find_value, package_values, repository_values
from ci_toolkit.model.names import nearest, parse_pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings
from ci_toolkit.reports.configuration import explained, reference_page, schema_json, values_json, values_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.model.config_values import ConfigValue

NAME = "config"
HELP = "show the configuration: values, where they come from, and what they mean"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="all keys with their values, and where those come from")
    listing.add_argument("--json", action="store_true", help="print the same as JSON")
    get = verbs.add_parser("get", help="the value of one key, an empty line when it has none")
    explain = verbs.add_parser("explain", help="what a key means, its form, its value and where that comes from")
    for verb in (get, explain):
        verb.add_argument("key", metavar="KEY")
    for verb in (listing, get, explain):
        verb.add_argument("--package", metavar="NAME", help="the configuration of a package, not of the repository")
        verb.add_argument(
            "--repository", metavar="DIR", type=Path, help="a checkout of the package repository (default: here)"
        )
    verbs.add_parser("schema", help="a JSON schema of the configuration files, for editors and checkers")
    verbs.add_parser("reference", help="the reference page of the documentation")


def run(options: Namespace, terminal: Terminal) -> int:
    """Print what was asked for."""
    match options.verb:
        case "schema":
            terminal.say(schema_json())
        case "reference":
            terminal.say(reference_page())
        case "list":
            values = _values(options, terminal).values()
            terminal.say(values_json(values) if options.json else values_text(values))
        case "get":
            terminal.say(f"{find_value(options.key, _values(options, terminal)).text or ''}\n")
        case _:
            terminal.say(explained(find_value(options.key, _values(options, terminal))))
    return 0


def _values(options: Namespace, terminal: Terminal) -> Mapping[str, ConfigValue]:
    """What the checkout says, uncommitted changes too; ConfigError at the first value that is not acceptable."""
    top = (options.repository or terminal.cwd).resolve()
    if not options.package:
        if not (top / SETTINGS_PATH).is_file():
            raise ConfigError("is not here", key=SETTINGS_PATH, hint="go to the top of a package repository")
        file = KeyValueFile.parse((top / SETTINGS_PATH).read_bytes(), file=SETTINGS_PATH)
        parse_settings(file, terminal.environ)
        return repository_values(file, terminal.environ)
    pkgbase = parse_pkgbase(options.package)
    if not (top / pkgbase).is_dir():
        packages = [path.name for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")]
        raise ConfigError("is no package here", key=pkgbase, hint=nearest(pkgbase, packages) or None)
    path = top / pkgbase / CONFIG_PATH
    file = KeyValueFile.parse(path.read_bytes() if path.is_file() else b"", file=f"{pkgbase}/{CONFIG_PATH}")
    parse_package_config(file)
    return package_values(file)
