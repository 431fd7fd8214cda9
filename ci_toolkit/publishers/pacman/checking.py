"""Holding what a repository says against what lies in its folder, and mending what differs.

The databases' signatures are checked with the key that lies beside them, which finds damage, not a forger with access
to the folder. Packages are held against the checksums of the database, which those signatures cover.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of, write_file
from ci_toolkit.errors import FormatError, NotReadyError, ProcessError
from ci_toolkit.formats.pacman_database import read_pacman_database
from ci_toolkit.publishers.pacman.database import read_published
from ci_toolkit.publishers.pacman.layout import SIGNATURE
from ci_toolkit.publishers.pacman.switching import mend_links, prepare, readable_ledgers, set_aside, wrong_links

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.publishers.pacman.ledger import Ledger, PublishedPackage
    from ci_toolkit.publishers.pacman.repository import PacmanRepository

_TIMEOUT_S = 120.0
_PACKAGE_FILE = re.compile(r".+\.pkg\.tar\.[a-z0-9]+(?:\.sig)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is wrong; `name` is the file's, and `package` is set where a package cannot be installed."""

    name: str
    problem: str
    mending: str
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found; `intact` are the packages whose files are as they should be."""

    faults: tuple[Fault, ...]
    intact: Mapping[str, PublishedPackage]
    database_is_intact: bool


def examine(repository: PacmanRepository) -> Examination:
    """Compare everything; nothing is changed. Faults are ordered: links, databases, packages, files of nobody."""
    repository.programs.check()
    layout = repository.layout
    number = layout.current_number()
    if number == 0:
        return Examination(faults=(), intact={}, database_is_intact=True)
    faults = [
        Fault(name=name, problem="is missing or leads elsewhere", mending="linked anew") for name in wrong_links(layout)
    ]
    in_database, packages, signatures = _databases(repository, number)
    faults += in_database
    intact = {}
    for package in packages.values():
        found = _package_fault(repository, package, signatures.get(package.name, b""))
        faults += filter(None, [found])
        if found is None or found.package is None:
            intact[package.name] = package
    faults += _strays(repository, packages)
    return Examination(faults=tuple(faults), intact=intact, database_is_intact=not in_database)


def mend(repository: PacmanRepository) -> tuple[Fault, ...]:
    """Mend what `examine` finds and give what that was. What can be made good stays published; the rest is taken out.

    A damaged package is set aside and published no longer: an older version comes back by `rollback` alone.
    """
    with repository.writing("publish check --mend") as key:
        layout = repository.layout
        found = examine(repository)
        if not found.faults:
            return ()
        prepare(layout)
        mend_links(layout)
        ledger = _readable_ledger(repository, found)
        signatures = _signatures(repository) if found.database_is_intact else {}
        for name, package in found.intact.items():
            signature = layout.folder / f"{package.file}{SIGNATURE}"
            if signatures.get(name):
                if not signature.is_file() or signature.read_bytes() != signatures[name]:
                    write_file(signature, signatures[name])
            elif not found.database_is_intact:
                key.sign(layout.folder / package.file)
        broken = {fault.name for fault in found.faults if fault.package is not None}
        if broken or not found.database_is_intact:
            anew = not found.database_is_intact
            repository.publish(ledger, found.intact, key, reason="check --mend", anew=anew, forget=broken)
        set_aside(layout, [fault.name for fault in found.faults if fault.mending == _SET_ASIDE])
        return found.faults


_SET_ASIDE = "set aside"
_TAKEN_OUT = "set aside and published no longer; build it again, or take an older one back by publish rollback"


def _databases(
    repository: PacmanRepository, number: int
) -> tuple[list[Fault], dict[str, PublishedPackage], dict[str, bytes]]:
    """What is wrong with databases and ledger, and the packages: of the ledger where the database is damaged."""
    layout = repository.layout
    folder = layout.generation(number)
    faults = []
    packages: dict[str, PublishedPackage] = {}
    signatures: dict[str, bytes] = {}
    try:
        packages, signatures = read_published(layout, folder)
        files = read_pacman_database((folder / layout.files_database).read_bytes(), file=layout.files_database)
        if {package.name: package.version for package in files} != {
            package.name: package.version for package in packages.values()
        }:
            faults.append(_wrong(layout.files_database, "has other packages than the database"))
    except (FormatError, NotReadyError, OSError) as error:
        faults.append(_wrong(layout.database, f"cannot be read: {error}"))
    for name in (layout.database, layout.files_database):
        faults += filter(None, [_signature_fault(repository, number, name)])
    try:
        ledger = layout.ledger(number)
    except FormatError as error:
        faults.append(_wrong("ledger.json", error.what))
        return faults, packages, signatures
    if faults:
        return faults, dict(ledger.packages), {}
    if ledger.packages != packages:
        faults.append(_wrong("ledger.json", "has other packages than the database"))
    return faults, packages, signatures


def _wrong(name: str, problem: str) -> Fault:
    return Fault(name=name, problem=problem, mending="made anew")


def _signature_fault(repository: PacmanRepository, number: int, name: str) -> Fault | None:
    folder = repository.layout.generation(number)
    argv = ("gpgv", "--keyring", f"./{repository.layout.public_key}", "--", f"./{name}{SIGNATURE}", f"./{name}")
    programs = repository.programs
    try:
        programs.processes.run(argv, env=programs.env, timeout_s=_TIMEOUT_S, cwd=folder)
    except ProcessError as error:
        return _wrong(f"{name}{SIGNATURE}", f"is not valid: {error.said}")
    return None


def _package_fault(repository: PacmanRepository, package: PublishedPackage, signature: bytes) -> Fault | None:
    path = repository.layout.folder / package.file
    try:
        if path.is_symlink() or path.stat().st_size != package.size_bytes or sha256_of(path) != package.sha256:
            return Fault(name=package.file, problem="is damaged", mending=_TAKEN_OUT, package=package.name)
    except FileNotFoundError:
        return Fault(name=package.file, problem="is missing", mending=_TAKEN_OUT, package=package.name)
    beside = path.with_name(f"{package.file}{SIGNATURE}")
    if signature and (not beside.is_file() or beside.read_bytes() != signature):
        return Fault(name=beside.name, problem="is not the signature of the database", mending="taken from there")
    return None


def _strays(repository: PacmanRepository, packages: Mapping[str, PublishedPackage]) -> Iterator[Fault]:
    """Package files that no generation speaks of; other files are nobody's business here."""
    layout = repository.layout
    known = {package.file for package in packages.values()}
    for ledger in readable_ledgers(layout, layout.numbers()):
        known |= ledger.files
    for name in sorted(path.name for path in layout.folder.iterdir()):
        if _PACKAGE_FILE.fullmatch(name) and name.removesuffix(SIGNATURE) not in known:
            yield Fault(name=name, problem="is not in the database", mending=_SET_ASIDE)


def _readable_ledger(repository: PacmanRepository, found: Examination) -> Ledger:
    try:
        return repository.current()
    except FormatError:
        number = repository.layout.current_number()
        earlier = readable_ledgers(repository.layout, [n for n in repository.layout.numbers() if n < number])
        if not earlier and not found.intact:
            raise
        base = earlier[-1] if earlier else repository.layout.ledger(0)
        return replace(base, number=number, packages=found.intact)


def _signatures(repository: PacmanRepository) -> dict[str, bytes]:
    return read_published(repository.layout, repository.layout.current)[1]
