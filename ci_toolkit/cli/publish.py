"""`ci-toolkit publish`."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.cli.signing import declare_key, key_opener
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, PackagesFailedError
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.publishers.nix_cache.key import make_nix_key
from ci_toolkit.publishers.nix_cache.publisher import NixCachePublisher
from ci_toolkit.publishers.pacman.checking import examine, mend
from ci_toolkit.publishers.pacman.copying import copy_published
from ci_toolkit.publishers.pacman.database import DatabasePrograms
from ci_toolkit.publishers.pacman.layout import Layout
from ci_toolkit.publishers.pacman.repository import PacmanRepository
from ci_toolkit.publishers.signing_key import program_environment
from ci_toolkit.reports.publishing import (
    copy_json,
    copy_text,
    faults_json,
    faults_text,
    list_json,
    list_text,
    publication_json,
    publication_text,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.publishers.pacman.repository import Publication

NAME = "publish"
HELP = "publish built packages in a signed pacman repository, list, check and take them back"
# What pacman takes for the name of a section, and what is harmless in a path.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")
_DAY_S = 86_400.0


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser("add", help="publish package files")
    add.add_argument("files", metavar="FILE", type=Path, nargs="+", help="NAME-VERSION-ARCH.pkg.tar.zst, .xz or .gz")
    add.add_argument("--base", metavar="PKGBASE", help="they are all that this package makes: drop its other ones")
    remove = verbs.add_parser("remove", help="publish packages no longer")
    remove.add_argument("names", metavar="NAME", nargs="+", help="a package, or a package base with all its packages")
    listing = verbs.add_parser("list", help="what is published")
    check = verbs.add_parser("check", help="compare the database with the files")
    check.add_argument("--mend", action="store_true", help="mend what differs")
    rollback = verbs.add_parser("rollback", help="publish again what was published before")
    rollback.add_argument("name", metavar="NAME", nargs="?", help="one package alone (default: all that changed last)")
    copy = verbs.add_parser("copy", help="copy what clients see, without links, to where a web service takes it from")
    copy.add_argument("target", metavar="DIR", type=Path, help="DIR/ARCHITECTURE is made")
    nix_key = verbs.add_parser(
        "nix-key", help="make the key that signs what goes into a Nix cache, and print its other half"
    )
    nix_key.add_argument("name", metavar="NAME", help="what clients know it by, such as cache.example.org-1")
    for verb in (add, remove, listing, check, rollback, copy):
        _declare_folder(verb)
    for verb in (add, remove, check, rollback):
        _declare_writing(verb)
    for verb in (add, remove):
        verb.add_argument("--force", action="store_true", help="also a lower version, or most packages at once")
    for verb in (add, remove, rollback):
        verb.add_argument("--dry-run", action="store_true", help="show what would change; change nothing")


def _declare_folder(parser: ArgumentParser) -> None:
    parser.add_argument("--repo", metavar="DIR", type=Path, help="the folder (default: the local backend's)")
    parser.add_argument(
        "--name", help="what pacman.conf calls the repository (default: REPO_NAME)", dest="repository_name"
    )
    parser.add_argument("--arch", default=platform.machine(), help="its architecture (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")


def _declare_writing(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--keep-days", type=float, metavar="N", help="how long older versions are kept (default: CI_ARCHIVE_DAYS)"
    )
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for another run")
    declare_key(parser)


def run(options: Namespace, terminal: Terminal) -> int:
    """Do what the verb says."""
    if options.verb == "nix-key":
        settings = checkout_settings(find_top(terminal.cwd.resolve()), terminal.environ)
        folder = local_folder(settings, terminal.environ).of_publisher(NixCachePublisher.name)
        terminal.say(f"{make_nix_key(folder, options.name)}\n")
        return 0
    if re.fullmatch(r"[a-z0-9_]{1,32}", options.arch) is None:
        raise ConfigError("is no architecture", key="--arch", got=options.arch)
    repository = _repository(options, terminal)
    match options.verb:
        case "list":
            packages = repository.current().packages.values()
            terminal.say(list_json(packages) if options.json else list_text(packages))
            return 0
        case "copy":
            copied = copy_published(repository.layout, terminal.cwd / options.target)
            terminal.say(copy_json(copied) if options.json else copy_text(copied))
            return 0
        case "check":
            return _check(repository, options, terminal)
        case "add":
            files = [terminal.cwd / file for file in options.files]
            done = repository.add(files, base=options.base, force=options.force, dry_run=options.dry_run)
        case "remove":
            done = repository.remove(options.names, force=options.force, dry_run=options.dry_run)
        case _:
            done = repository.rollback(options.name, dry_run=options.dry_run)
    terminal.say(_shown(done, options))
    return 0


def _shown(done: Publication, options: Namespace) -> str:
    return publication_json(done) if options.json else publication_text(done, dry_run=options.dry_run)


def _check(repository: PacmanRepository, options: Namespace, terminal: Terminal) -> int:
    faults = mend(repository) if options.mend else examine(repository).faults
    terminal.say(faults_json(faults, mended=options.mend) if options.json else faults_text(faults, mended=options.mend))
    is_good = options.mend and all(fault.package is None for fault in faults)
    return 0 if is_good or not faults else PackagesFailedError.exit_status


def _repository(options: Namespace, terminal: Terminal) -> PacmanRepository:
    processes = Processes(redactor=terminal.redactor)
    writes = options.verb not in ("list", "copy")
    settings = checkout_settings(find_top(terminal.cwd.resolve()), terminal.environ)
    name = settings.repo_name if options.repository_name is None else options.repository_name
    if _NAME.fullmatch(name) is None:
        raise ConfigError("is no name for a repository", key="--name", got=name)
    top = terminal.cwd / options.repo if options.repo else local_folder(settings, terminal.environ).repository
    keep_days = settings.archive_days if not writes or options.keep_days is None else options.keep_days
    return PacmanRepository(
        layout=Layout(top=top.absolute(), name=name, arch=options.arch),
        programs=DatabasePrograms(processes=processes, env=program_environment(terminal.environ)),
        open_key=key_opener(options, terminal, processes),
        clock=terminal.clock,
        keep_s=keep_days * _DAY_S,
        wait_s=options.wait if writes else 0.0,
    )
