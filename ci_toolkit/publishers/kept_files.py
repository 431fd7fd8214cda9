"""The files that a publisher was given, with its ledger: for publishers whose place is not a folder that pacman reads.

    lock
    ledger.json         what is published, and what was; written last, so what it does not speak of did not happen
    files/ab/cdef…      every file that it speaks of, under its SHA-256

A publisher takes files in, publishes them, and then saves the ledger. Whatever a killed run took in and did not get to
save is removed by the next one.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.effects.files import link_or_copy, remove_unwritten, sha256_of, write_file
from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.publishers.kept_ledger import (
    KeptLedger,
    KeptPackage,
    checked_name,
    format_kept_ledger,
    parse_kept_ledger,
)
from ci_toolkit.scheduling.built_with import AvailablePackage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.publishers.spec import DeliveredPackage, Delivery

_LEDGER = "ledger.json"
_WAIT_S = 10.0  # one that is about to end is waited for
_INCOMING = ".incoming"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFiles:
    """What one publisher keeps in `folder`; get it with `opened_files`, which nobody else can meanwhile."""

    folder: Path
    ledger_path: Path
    clock: Clock

    def ledger(self) -> KeptLedger:
        """What was saved last; an empty one at first. FormatError when it is damaged."""
        return _read_ledger(self.ledger_path)

    def place(self, sha256: str) -> Path:
        """Where a file of the ledger is."""
        return self.folder / "files" / sha256[:2] / sha256[2:]

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now, as `OpenPublisher.available` gives it."""
        return tuple(
            AvailablePackage(
                name=package.name,
                base=package.base,
                version=package.version,
                file=package.file,
                sha256=package.sha256,
                place=str(self.place(package.sha256)),
                provides=package.provides,
                depends=package.depends,
            )
            for package in self.ledger().packages.values()
        )

    def take_in(self, delivery: Delivery) -> tuple[KeptPackage, ...]:
        """The packages of a delivery, whose files are here from now on, until the next sweep.

        FormatError for what is no regular file, and for names that can be no part of a path.
        """
        return tuple(self._taken(checked_name(delivery.pkgbase, what="the folder"), one) for one in delivery.packages)

    def save(self, ledger: KeptLedger) -> None:
        """Make this the ledger, and remove the files that it does not speak of."""
        write_file(self.ledger_path, format_kept_ledger(ledger))
        self.sweep(ledger)

    def sweep(self, ledger: KeptLedger) -> None:
        """Remove the files that a ledger does not speak of, and what killed runs left."""
        remove_unwritten(self.ledger_path)
        shutil.rmtree(self.folder / "files" / _INCOMING, ignore_errors=True)
        wanted = {self.place(sha256) for sha256 in ledger.checksums}
        for path in (self.folder / "files").glob("??/*"):
            if path not in wanted:
                path.unlink()

    def _taken(self, pkgbase: str, package: DeliveredPackage) -> KeptPackage:
        name = checked_name(package.path.name, what="a file's name")
        if not stat.S_ISREG(package.path.lstat().st_mode):
            raise FormatError("is no regular file, and only those are published", file=name)
        sha256, size_bytes = self._moved_in(package.path)
        return KeptPackage(
            name=checked_name(package.name, what=f"the name of what is in {name}"),
            base=pkgbase,
            version=checked_name(package.version, what=f"the version of {package.name}"),
            arch=checked_name(package.arch, what=f"the architecture of {package.name}"),
            file=name,
            sha256=sha256,
            size_bytes=size_bytes,
            published_at=self.clock.now(),
            provides=package.provides,
            depends=package.depends,
        )

    def _moved_in(self, source: Path) -> tuple[str, int]:
        incoming = self.folder / "files" / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        partial = incoming / "file"
        partial.unlink(missing_ok=True)
        # Its own name first, so that what is judged is what is kept.
        link_or_copy(source, partial)
        partial.chmod(0o444)
        _synchronize(partial)
        sha256, size_bytes = sha256_of(partial), partial.stat().st_size
        target = self.place(sha256)
        target.parent.mkdir(exist_ok=True)
        # Two names of one file are left as they are by a rename.
        os.replace(partial, target)  # noqa: PTH105 - all writes here are of os, for tests
        partial.unlink(missing_ok=True)
        _synchronize(target.parent)
        return sha256, size_bytes


@contextmanager
def opened_files(folder: Path, *, clock: Clock, who: str, ledger_path: Path | None = None) -> Iterator[KeptFiles]:
    """What is kept in a folder, which is made where there is none, without what killed runs left.

    NotReadyError while another process has it; FormatError when the ledger is damaged.
    """
    hint = "only one run at a time can publish there"
    with exclusive(folder / "lock", who=who, wait_s=_WAIT_S, clock=clock, hint=hint):
        files = KeptFiles(folder=folder, ledger_path=ledger_path or folder / _LEDGER, clock=clock)
        files.sweep(files.ledger())
        yield files


def kept_checksums(folder: Path, ledger_path: Path | None = None) -> frozenset[str]:
    """The checksums of all that is published or kept there; FormatError when the ledger is damaged."""
    return _read_ledger(ledger_path or folder / _LEDGER).checksums


def _read_ledger(path: Path) -> KeptLedger:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return KeptLedger()
    return parse_kept_ledger(content, file=str(path))


def published_each(
    deliveries: Iterable[Delivery], gone: Collection[str], publish: Callable[[Delivery], None]
) -> Mapping[str, str]:
    """Publish one delivery after the other, but for those whose package base is gone.

    Gives the package bases that are refused, with the reason: those that `publish` raises FormatError or RefusedError
    for, and what was built against one of them. Anything else that it raises ends the publication.
    """
    refused: dict[str, str] = {}
    for delivery in deliveries:
        if delivery.pkgbase in gone:
            continue
        bad = sorted(delivery.built_with & refused.keys())
        if bad:
            refused[delivery.pkgbase] = f"it was built against {bad[0]}, which is not published"
            continue
        try:
            publish(delivery)
        except (FormatError, RefusedError) as error:
            refused[delivery.pkgbase] = str(error)
    return refused


def _synchronize(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
