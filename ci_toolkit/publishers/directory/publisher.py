"""The publisher of plain files: a folder that a web server can serve, with checksums that the repository's key signs.

    DIR/current -> generations/7     what is served; renaming this link over the old one publishes
    DIR/generations/7/               a whole tree (`directory_tree`), whose index.json is the ledger
    DIR/files/ab/cdef…               the files that the trees have further names of
    DIR/staging/                     what is being made; nothing there is of use to the next run

A tree never changes once it is published, and the last few are kept for whoever is still reading them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import RefusedError
from ci_toolkit.publishers.directory.tree import LEDGER, DirectoryTree, checked_place
from ci_toolkit.publishers.kept_files import kept_checksums, opened_files, published_each
from ci_toolkit.publishers.kept_ledger import with_delivered, without_bases, without_expired

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.publishers.kept_files import KeptFiles
    from ci_toolkit.publishers.kept_ledger import KeptLedger, KeptPackage
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.publishers.spec import Delivery, PublisherTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

_MOST_GENERATIONS = 5


class DirectoryPublisher:
    """Publishes files below CI_FILES_DIR or, without one, in the publisher's own folder."""

    name: ClassVar[str] = "directory"

    def kept(self, tools: PublisherTools) -> frozenset[str]:
        """By the ledger."""
        folder = _folder(tools)
        return kept_checksums(folder, folder / "current" / LEDGER)

    @contextmanager
    def opened(self, tools: PublisherTools) -> Iterator[OpenDirectory]:
        """The directory, with a key that was seen to sign; NotReadyError when there is none, or another run has it."""
        # A run knows by its own folder that something was published by this publisher, wherever that is.
        tools.folder.mkdir(parents=True, exist_ok=True)
        folder = _folder(tools)
        ledger_path = folder / "current" / LEDGER
        with (
            tools.open_key() as key,
            opened_files(folder, clock=tools.clock, who="builds run", ledger_path=ledger_path) as files,
        ):
            opened = OpenDirectory(files=files, key=key, name=tools.name, keep_s=tools.keep_s)
            opened.recover()
            yield opened


def _folder(tools: PublisherTools) -> Path:
    return Path(tools.settings.files_dir) if tools.settings.files_dir else tools.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDirectory:
    """One directory for one run, which is the only one that writes there."""

    files: KeptFiles
    key: SigningKey
    name: str
    keep_s: float

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now."""
        return self.files.available()

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        """Publish all that can be in one generation; gives the package bases that are refused, with the reason."""
        leaving, before, now = frozenset(gone), self.files.ledger(), self.files.clock.now()
        change = _Change(files=self.files, ledger=without_bases(before, leaving, now=now), now=now)
        try:
            refused = published_each(deliveries, leaving, change.add)
            after = without_expired(change.ledger, before_s=now - self.keep_s)
            if after != before:
                self._switch(after)
        finally:
            self.recover()
        return refused

    def recover(self) -> None:
        """Remove what a run that was killed or failed left, and what has been kept for long enough."""
        shutil.rmtree(self._staging, ignore_errors=True)
        current = self._current()
        for number in self._numbers():
            if number > current or number <= current - _MOST_GENERATIONS:
                self._remove(number)
        shutil.rmtree(self._staging, ignore_errors=True)
        self.files.sweep(self.files.ledger())

    def _switch(self, ledger: KeptLedger) -> None:
        self._staging.mkdir(parents=True)
        number = self._current() + 1
        tree = DirectoryTree(
            top=self._staging / "tree",
            before=self.files.folder / "current",
            files=self.files,
            key=self.key,
            public=self.key.public(),
        )
        tree.make(ledger, name=self.name)
        self._generation(number).parent.mkdir(exist_ok=True)
        os.replace(tree.top, self._generation(number))  # noqa: PTH105 - all writes here are of os, for tests
        link = self._staging / "current"
        os.symlink(f"generations/{number}", link)  # noqa: PTH211 - likewise
        os.replace(link, self.files.folder / "current")  # noqa: PTH105 - likewise

    def _remove(self, number: int) -> None:
        # Away at once, so that nobody begins to read half of one.
        self._staging.mkdir(exist_ok=True)
        gone = self._staging / f"gone-{number}"
        os.replace(self._generation(number), gone)  # noqa: PTH105 - likewise
        shutil.rmtree(gone)

    @property
    def _staging(self) -> Path:
        return self.files.folder / "staging"

    def _generation(self, number: int) -> Path:
        return self.files.folder / "generations" / str(number)

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._generation(0).parent.glob("*") if path.name.isdecimal()]

    def _current(self) -> int:
        """The number of the published generation, 0 without one; RefusedError where the link is not ours."""
        path = self.files.folder / "current"
        if not os.path.lexists(path):
            return 0
        number = path.readlink().name if path.is_symlink() else ""
        if not number.isdecimal() or not self._generation(int(number)).is_dir():
            hint = (
                "move it away, and everything is published anew as it is built; or let CI_FILES_DIR name a new folder"
            )
            raise RefusedError("is no link to a generation that was published", key=str(path), hint=hint)
        return int(number)


@dataclass(slots=True, kw_only=True)
class _Change:
    """The ledger as it becomes, one delivery after the other."""

    files: KeptFiles
    ledger: KeptLedger
    now: float

    def add(self, delivery: Delivery) -> None:
        """Take one delivery; RefusedError for what would do harm."""
        packages = [self._placed(package) for package in self.files.take_in(delivery)]
        versions = sorted({package.version for package in packages})
        if len(versions) > 1:
            raise RefusedError(f"has several versions at once, {' and '.join(versions)}", key=delivery.pkgbase)
        self.ledger = with_delivered(self.ledger, delivery.pkgbase, packages, now=self.now)

    def _placed(self, package: KeptPackage) -> KeptPackage:
        path = checked_place(package)
        for known in self.ledger.everything:
            if known.facts["path"] == path and known.sha256 != package.sha256:
                hint = "raise its release: who has fetched the old file expects it there"
                raise RefusedError("was published with another content", key=path, hint=hint)
        return replace(package, facts={"path": path})
