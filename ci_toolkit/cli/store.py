"""`ci-toolkit store`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.effects.files import replaced_file
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, FormatError, NotReadyError, PackagesFailedError, RefusedError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.formats.nix_signatures import parse_public_key
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.reports.store import (
    faults_json,
    faults_text,
    imported_json,
    imported_text,
    info_json,
    info_text,
    list_json,
    list_text,
    removal_json,
    removal_text,
)
from ci_toolkit.store.cache_folder import import_cache, is_cache
from ci_toolkit.store.contents import build_facts, build_labels, fault_facts, path_facts, things_in
from ci_toolkit.store.importing import import_export
from ci_toolkit.store.names import meant
from ci_toolkit.store.object_store import ObjectStore, open_store
from ci_toolkit.store.store_reader import INDEX, read_store

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.formats.nix_signatures import PublicKey
    from ci_toolkit.formats.store_path import StorePath
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.publishers.spec import PublisherTools
    from ci_toolkit.store.importing import Imported
    from ci_toolkit.store.object_store import Removal
    from ci_toolkit.store.store_reader import StoreReader

NAME = "store"
HELP = "what was built on this machine, and Nix store paths: list, verify, collect, export and import them"
_DAY_S = 86_400.0
_NAMED = "a store path (whole, or HASH-NAME), a package file, a package base, or a checksum (8 digits or more)"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("ls", help="what is in the store, the newest first")
    listing.add_argument("-n", "--limit", metavar="N", type=int, help="only so many (default: all)")
    info = verbs.add_parser("info", help="all that is known of something")
    info.add_argument("names", metavar="NAME", nargs="+", help=_NAMED)
    verify = verbs.add_parser("verify", help="compare files, their contents and the index, also while builds run")
    verify.add_argument("--mend", action="store_true", help="remove what is wrong; what made it is built again")
    status = PackagesFailedError.exit_status
    verify.epilog = f"Exit status: 0 all is well, or mended; {status} something is wrong."
    collect = verbs.add_parser("gc", help="remove what is old and neither published, kept nor referred to")
    collect.add_argument(
        "--older-than", metavar="WHEN", help="keep what was made since: 12h, 30d, DATE (default: CI_ARCHIVE_DAYS ago)"
    )
    export = verbs.add_parser("export", help="write store paths as nix-store --import reads them")
    export.add_argument("names", metavar="PATH", nargs="+", help="a store path, whole or HASH-NAME")
    export.add_argument("-o", "--output", metavar="FILE", help="where to (default: stdout)")
    export.add_argument("--only", action="store_true", help="these paths alone, without what they refer to")
    import_ = verbs.add_parser("import", help="read what nix-store --export wrote, or a Nix binary cache in a folder")
    import_.add_argument("source", metavar="FILE|DIR", nargs="?", default="-", help="default: -, which is stdin")
    import_.add_argument("names", metavar="PATH", nargs="*", help="of a cache only these, with what they refer to")
    import_.add_argument(
        "--trusted-key",
        metavar="NAME:BASE64",
        action="append",
        help="demand a signature of this key or another one that is trusted; may be repeated",
    )
    delete = verbs.add_parser("delete", help="remove builds or store paths that nothing else refers to")
    delete.add_argument("names", metavar="NAME", nargs="+", help=_NAMED)
    delete.add_argument("--with-referrers", action="store_true", help="and the store paths that refer to them")
    for verb in (collect, delete):
        verb.add_argument("--dry-run", action="store_true", help="show what would be removed; remove nothing")
    for verb in (listing, info, verify, collect, export, import_, delete):
        verb.add_argument("--store", metavar="DIR", help="the folder (default: the local backend's)")
        if verb is not export:
            verb.add_argument("--json", action="store_true", help="print JSON on stdout")


def run(options: Namespace, terminal: Terminal) -> int:
    """Do what the verb says."""
    return _VERBS[options.verb](options, terminal)


# what changes nothing


def _ls(options: Namespace, terminal: Terminal) -> int:
    if options.limit is not None and options.limit < 1:
        raise ConfigError("is not a number of lines", key="--limit", got=str(options.limit))
    with _reading(options, terminal) as store:
        count, size_bytes = store.size()
        things = things_in(store, options.limit)
    terminal.say((list_json if options.json else list_text)(things, objects=count, size_bytes=size_bytes))
    return 0


def _info(options: Namespace, terminal: Terminal) -> int:
    with _reading(options, terminal) as store:
        found = [meant(name, store) for name in options.names]
        builds = [build_facts(build, store) for one in found for build in one.builds]
        paths = [path_facts(entry, store) for one in found for entry in one.paths]
    terminal.say((info_json if options.json else info_text)(builds, paths))
    return 0


def _export(options: Namespace, terminal: Terminal) -> int:
    with _reading(options, terminal) as store:
        pieces = store.export([_only_path(name, store) for name in options.names], closure=not options.only)
        with _output(options, terminal) as file:
            file.writelines(pieces)
    return 0


def _verify(options: Namespace, terminal: Terminal) -> int:
    with _changing(options, terminal) if options.mend else _reading(options, terminal) as store:
        faults = [fault_facts(fault, store) for fault in store.check()]
        if isinstance(store, ObjectStore):
            store.mend(one.fault for one in faults)
        count, size_bytes = store.size()
    show = faults_json if options.json else faults_text
    terminal.say(show(faults, count=count, size_bytes=size_bytes, mended=options.mend))
    return PackagesFailedError.exit_status if faults and not options.mend else 0


# what changes something


def _gc(options: Namespace, terminal: Terminal) -> int:
    now_s = terminal.clock.now()
    settings = _settings(terminal)
    before_s = now_s - settings.archive_days * _DAY_S
    if options.older_than is not None:
        before_s = parse_moment(options.older_than, now_s=now_s, key="--older-than")
    with _changing(options, terminal) as store:
        kept = _kept(options, terminal, store)
        labels = build_labels(store)
        if options.dry_run:
            removal = store.unneeded(before_s=before_s, referenced=kept)
        else:
            removal = store.collect(before_s=before_s, referenced=kept)
        _tell_removal(removal, labels, store, options, terminal)
    return 0


def _delete(options: Namespace, terminal: Terminal) -> int:
    with _changing(options, terminal) as store:
        found = [meant(name, store) for name in options.names]
        builds = {build.identity for one in found for build in one.builds}
        paths = [entry.path for one in found for entry in one.paths]
        labels = build_labels(store)
        removal = store.deletion(builds=builds, paths=paths, with_referrers=options.with_referrers)
        if builds:
            _refuse_kept(removal, _kept(options, terminal, store), store)
        if not options.dry_run:
            removal = store.delete(builds=builds, paths=paths, with_referrers=options.with_referrers)
        _tell_removal(removal, labels, store, options, terminal)
    return 0


def _import(options: Namespace, terminal: Terminal) -> int:
    keys = None if options.trusted_key is None else [_public_key(text) for text in options.trusted_key]
    done: list[Imported] = []
    try:
        with _source(options, terminal, keys) as brought, _changing(options, terminal) as store:
            done.extend(brought(store))
    finally:
        if done:
            terminal.say((imported_json if options.json else imported_text)(done))
    return 0


# pieces


@contextmanager
def _reading(options: Namespace, terminal: Terminal) -> Iterator[StoreReader]:
    folder = _folder(options, terminal)
    if not (folder / INDEX).is_file():
        hint = "ci-toolkit builds run makes one, and so does ci-toolkit store import"
        raise NotReadyError("there is no store", file=str(folder), hint=hint)
    with read_store(folder) as store:
        yield store


@contextmanager
def _changing(options: Namespace, terminal: Terminal) -> Iterator[ObjectStore]:
    if options.verb != "import":
        with _reading(options, terminal):
            pass
    with open_store(_folder(options, terminal), who=f"store {options.verb}", clock=terminal.clock) as store:
        yield store


def _folder(options: Namespace, terminal: Terminal) -> Path:
    if options.store is not None:
        return terminal.cwd / str(options.store)
    return local_folder(_settings(terminal), terminal.environ).store


def _settings(terminal: Terminal) -> Settings:
    return checkout_settings(find_top(terminal.cwd.resolve()), terminal.environ)


def _no_key() -> AbstractContextManager[SigningKey]:
    raise NotReadyError("nothing is signed by looking after the store")


def _kept(options: Namespace, terminal: Terminal, store: ObjectStore) -> frozenset[str]:
    """What is published from the local backend's store; nothing is from any other."""
    if options.store is not None:
        return frozenset()
    # Publishers are asked, and what they need takes a while to import.
    from ci_toolkit.building.what_is_kept import kept_objects, publisher_tools  # noqa: PLC0415

    settings, processes = _settings(terminal), Processes(redactor=terminal.redactor)
    place = local_folder(settings, terminal.environ)

    def tools(name: str) -> PublisherTools:
        return publisher_tools(
            name,
            place=place,
            settings=settings,
            environ=terminal.environ,
            clock=terminal.clock,
            processes=processes,
            open_key=_no_key,
        )

    return kept_objects(place, store, tools)


def _refuse_kept(removal: Removal, kept: frozenset[str], store: ObjectStore) -> None:
    for sha256 in removal.objects:
        if sha256 in kept:
            [file, *_] = sorted(
                one.file for build in store.makers(sha256) for one in build.packages if one.sha256 == sha256
            )
            hint = "drop its folder, or ci-toolkit publish remove; it can be deleted when it is kept no longer"
            raise RefusedError("is published, or kept for going back", key=file, hint=hint)


def _tell_removal(
    removal: Removal, labels: Mapping[str, str], store: ObjectStore, options: Namespace, terminal: Terminal
) -> None:
    count, size_bytes = store.size()
    show = removal_json if options.json else removal_text
    terminal.say(show(removal, labels, objects=count, size_bytes=size_bytes, dry_run=options.dry_run))


def _only_path(name: str, store: StoreReader) -> StorePath:
    found = meant(name, store)
    if len(found.paths) != 1:
        hint = "a build is a file: ci-toolkit store info says which, and where"
        raise ConfigError("is no store path, and only those can be exported", key=name, hint=hint)
    return found.paths[0].path


@contextmanager
def _output(options: Namespace, terminal: Terminal) -> Iterator[BinaryIO]:
    if options.output is not None:
        with replaced_file(terminal.cwd / options.output) as file:
            yield file
        return
    if terminal.stdout.isatty():
        raise RefusedError("an export would fill the terminal", hint="-o FILE, or | nix-store --import")
    yield terminal.stdout.buffer
    terminal.stdout.flush()


@contextmanager
def _source(
    options: Namespace, terminal: Terminal, keys: Sequence[PublicKey] | None
) -> Iterator[Callable[[ObjectStore], Iterable[Imported]]]:
    """What brings the paths that are to be imported into a store."""
    source = terminal.cwd / options.source
    if options.source != "-" and source.is_dir():
        if not is_cache(source):
            hint = "a cache has a file nix-cache-info; a tree is no store path yet: nix-store --add"
            raise NotReadyError("is a folder, but no Nix binary cache", key=options.source, hint=hint)
        yield lambda store: import_cache(store, source, names=options.names, keys=keys)
        return
    if keys is not None:
        hint = "import it from a binary cache, which nix copy --to file://DIR makes"
        raise RefusedError("an export has no signatures that could be demanded", hint=hint)
    if options.names:
        raise ConfigError("can be named where the source is a cache alone", key="PATH")
    if options.source == "-":
        if sys.stdin.isatty():
            raise RefusedError("nothing is piped in", hint="nix-store --export PATH | ci-toolkit store import")
        yield lambda store: _located(import_export(store, pieces_of(sys.stdin.buffer)), "stdin")
        return
    try:
        file = source.open("rb")
    except FileNotFoundError as error:
        raise NotReadyError("there is no such file", file=options.source) from error
    with file:
        yield lambda store: _located(import_export(store, pieces_of(file)), options.source)


def _located(brought: Iterable[Imported], file: str) -> Iterator[Imported]:
    try:
        yield from brought
    except FormatError as error:
        error.hint = error.hint or "what came before it is kept; export the rest again"
        raise error.located(file=file) from error.__cause__


def _public_key(text: str) -> PublicKey:
    try:
        return parse_public_key(text)
    except FormatError as error:
        raise ConfigError(error.problem, key="--trusted-key", got=error.got, hint=error.hint) from error


_VERBS: Mapping[str, Callable[[Namespace, Terminal], int]] = {
    "ls": _ls,
    "info": _info,
    "verify": _verify,
    "gc": _gc,
    "export": _export,
    "import": _import,
    "delete": _delete,
}
