"""`ci-toolkit init gitlab|github`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.config_keys import parse_repository_name, parse_web_address
from ci_toolkit.pipelines.initial_files import (
    FIRST_PACKAGE,
    Fate,
    plan_initial_files,
    usable_name,
    write_initial_files,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.pipelines.caller_files import Builds

NAME = "init"
HELP = "write the pipeline, the configuration and a first package into a repository"

_NEXT = {
    "gitlab": (
        "add the variable ACCESS_TOKEN (protected, masked; a project token with scope api and role Maintainer)\n"
        "add a pipeline schedule on the default branch; it needs no variable\n"
    ),
    "github": (
        "allow workflows to create pull requests (Settings, Actions), or add the secret ACCESS_TOKEN\n"
        "in packages.yml, name your default branch if it is not main\n"
    ),
}

_NEXT_BUILDING = {
    "gitlab": (
        "add the variable CI_SIGNING_KEY with the environment ci-toolkit/build (protected; an exported secret key)\n"
        "protect the default branch, since others could else write to the cache that packages are kept in\n"
    ),
    "github": (
        "add the secret CI_SIGNING_KEY (an exported secret key) to the environment ci-toolkit-build,\n"
        "and let only the default branch use that\n"
    ),
}

_NEXT_FARM = {
    "gitlab": (
        "add the variable CI_FARM_TOKEN with the environment ci-toolkit/process (protected, masked): the farm's "
        "operator gives you one for this repository\n"
    ),
    "github": (
        "add the secret CI_FARM_TOKEN to the environment ci-toolkit-process: the farm's operator gives you one for "
        "this repository\n"
    ),
}


_FURTHER: Mapping[Builds, Mapping[str, str]] = {"elsewhere": {}, "here": _NEXT_BUILDING, "farm": _NEXT_FARM}


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("service", choices=("gitlab", "github"), help="whose CI runs the pipeline")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="the top of the repository (default: here)")
    parser.add_argument("--name", metavar="NAME", help="the repository's name, as pacman knows it (default: DIR's)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--build-here", action="store_true", help="the pipeline builds and publishes packages, too")
    where.add_argument("--farm", metavar="URL", help="the farm at this address builds and publishes packages")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written; change nothing")


def run(options: Namespace, terminal: Terminal) -> int:
    """Write what is missing; where files differ, show how and write nothing unless forced."""
    top = terminal.cwd / (options.dir or ".")
    if not top.is_dir():
        raise ConfigError("no such folder", got=str(top), hint="git init makes one")
    name = parse_repository_name(options.name or usable_name(top.resolve().name))
    farm_url = parse_web_address(options.farm) if options.farm else None
    builds: Builds = "here" if options.build_here else "farm" if farm_url else "elsewhere"
    planned = plan_initial_files(top, options.service, name, builds=builds, farm_url=farm_url)
    if options.dry_run or (not options.force and any(file.fate is Fate.DIFFERS for file in planned)):
        terminal.say("".join(file.difference for file in planned if file.fate is not Fate.KEPT))
    if options.dry_run:
        return 0
    written = write_initial_files(top, planned, forced=options.force)
    fates = {file.path: file.fate for file in planned}
    lines = [f"{path}: {'overwritten' if fates[path] is Fate.DIFFERS else fates[path].value}\n" for path in written]
    lines += [f"{path}: {fate.value}\n" for path, fate in fates.items() if path not in written]
    terminal.say("".join(sorted(lines)))
    first = f"look at {FIRST_PACKAGE}/, a first package\n" if f"{FIRST_PACKAGE}/PKGBUILD" in written else ""
    following = _NEXT[options.service] + _FURTHER[builds].get(options.service, "")
    if written:
        terminal.say(f"\nNext:\nread .ci/config\n{first}{following}commit and push\n")
    return 0
