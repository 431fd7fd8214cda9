"""A pacman repository in a folder: what is published changes by one rename, and every change can be taken back."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.effects.files import sha256_of, write_file
from ci_toolkit.errors import NotReadyError, RefusedError
from ci_toolkit.publishers.pacman.changing import PackageChange, changes_between, with_added, with_earlier, without
from ci_toolkit.publishers.pacman.database import check_database
from ci_toolkit.publishers.pacman.incoming import take_in
from ci_toolkit.publishers.pacman.layout import SIGNATURE
from ci_toolkit.publishers.pacman.ledger import successor
from ci_toolkit.publishers.pacman.switching import prepare, prune, readable_ledgers, recover, set_aside, switch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.publishers.pacman.database import DatabasePrograms
    from ci_toolkit.publishers.pacman.layout import Layout
    from ci_toolkit.publishers.pacman.ledger import Ledger, PublishedPackage
    from ci_toolkit.publishers.signing_key import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a run changed, and the number of the generation that is published now."""

    generation: int
    changes: tuple[PackageChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacmanRepository:
    """One repository for one architecture.

    `open_key` gives the signing key; it is opened before anything is written. What is published no longer is kept for
    `keep_s` seconds. A second run waits for the first for `wait_s` seconds.
    """

    layout: Layout
    programs: DatabasePrograms
    open_key: Callable[[], AbstractContextManager[SigningKey]]
    clock: Clock
    keep_s: float
    wait_s: float

    def current(self) -> Ledger:
        """What is published now."""
        return self.layout.ledger(self.layout.current_number())

    def add(
        self, files: Iterable[Path], *, base: str | None = None, force: bool = False, dry_run: bool = False
    ) -> Publication:
        """Publish package files; with `base`, drop the packages that this package base no longer makes.

        FormatError for what is no package, RefusedError for what would do harm; nothing is changed then.
        """
        if dry_run:
            ledger = self.current()
            incoming = take_in(files, None, arch=self.layout.arch)
            return _planned(ledger, with_added(ledger, incoming, base=base, force=force))
        with self.writing("publish add") as key:
            incoming = take_in(files, self.layout.staging, arch=self.layout.arch)
            ledger = self.current()
            packages = with_added(ledger, incoming, base=base, force=force)
            return self.publish(ledger, packages, key, reason=f"add {' '.join(sorted(incoming))}")

    def remove(self, names: Iterable[str], *, force: bool = False, dry_run: bool = False) -> Publication:
        """Publish the packages of these names or package bases no longer."""
        wanted = tuple(names)
        if dry_run:
            return _planned(self.current(), without(self.current(), wanted, force=force))
        with self.writing("publish remove") as key:
            ledger = self.current()
            packages = without(ledger, wanted, force=force)
            return self.publish(ledger, packages, key, reason=f"remove {' '.join(wanted)}")

    def rollback(self, name: str | None = None, *, dry_run: bool = False) -> Publication:
        """Publish what was published before, or only the version of one package that came before its present one."""
        if dry_run:
            ledger = self.current()
            return _planned(ledger, self._earlier(ledger, name)[0])
        with self.writing("publish rollback") as key:
            ledger = self.current()
            packages, parent = self._earlier(ledger, name)
            self._check_files(ledger, packages)
            reason = f"rollback {name or f'to {ledger.parent}'}"
            return self.publish(ledger, packages, key, reason=reason, parent=parent)

    @contextmanager
    def writing(self, who: str) -> Iterator[SigningKey]:
        """Be the only one who writes, with a key that signs, after what a killed run left is undone."""
        self.programs.check()
        with self.open_key() as key, self.exclusive(who):
            prepare(self.layout)
            recover(self.layout)
            try:
                yield key
            except BaseException:
                recover(self.layout)
                raise
            finally:
                shutil.rmtree(self.layout.staging, ignore_errors=True)

    def exclusive(self, who: str) -> AbstractContextManager[None]:
        """Be the only one who writes."""
        hint = "--wait waits longer"
        return exclusive(self.layout.lock, who=who, wait_s=self.wait_s, clock=self.clock, hint=hint)

    def publish(
        self,
        ledger: Ledger,
        packages: Mapping[str, PublishedPackage],
        key: SigningKey,
        *,
        reason: str,
        parent: int | None = None,
        anew: bool = False,
        forget: Collection[str] = (),
    ) -> Publication:
        """Make `packages` what is published, whose files lie in `staging` or in the folder already.

        With `anew` the database is made of the files alone, whatever the present one says. Files to `forget` are
        damaged: no rollback comes back to them, and they are moved out of the way once they are published no longer.
        """
        changes = changes_between(ledger.packages, packages)
        if not changes and not anew:
            return Publication(generation=ledger.number, changes=())
        now, number = self.clock.now(), max(self.layout.numbers(), default=0) + 1
        following = successor(ledger, packages, number=number, now=now, reason=reason, keep_s=self.keep_s)
        if parent is not None:
            following = replace(following, parent=parent)
        if forget:
            kept = tuple(old for old in following.retired if old.package.file not in forget)
            following = replace(following, retired=kept)
        switch(self.layout, self._made(ledger, packages, key, anew=anew), following)
        set_aside(self.layout, forget)
        prune(self.layout, now=now, keep_s=self.keep_s)
        return Publication(generation=number, changes=changes)

    def _made(self, ledger: Ledger, packages: Mapping[str, PublishedPackage], key: SigningKey, *, anew: bool) -> Path:
        """The folder of a new generation, without its ledger."""
        # The name differs from run to run: what a killed one started may still write to its own.
        made = self.layout.staging / f"generation-{os.getpid()}"
        made.mkdir()
        before = {} if anew else ledger.packages
        changed = [name for name in packages.keys() | before.keys() if packages.get(name) != before.get(name)]
        if before:
            for name in (self.layout.database, self.layout.files_database):
                shutil.copyfile(self.layout.generation(ledger.number) / name, made / name)
        self.programs.change(
            self.layout,
            made,
            removed=sorted(name for name in changed if name in before),
            added=[self._signed(packages[name], key) for name in sorted(changed) if name in packages],
        )
        check_database(self.layout, made, packages)
        for name in (self.layout.database, self.layout.files_database):
            key.sign(made / name)
        write_file(made / self.layout.public_key, key.public())
        return made

    def _signed(self, package: PublishedPackage, key: SigningKey) -> Path:
        """Where the package's file is, with its signature beside it."""
        published = self.layout.folder / package.file
        if published.exists():
            if sha256_of(published) != package.sha256:
                raise RefusedError("is there with another content", key=str(published), hint="publish check says more")
            if not published.with_name(f"{package.file}{SIGNATURE}").is_file():
                key.sign(published)
            return published
        staged = self.layout.staging / package.file
        key.sign(staged)
        return staged

    def _earlier(self, ledger: Ledger, name: str | None) -> tuple[Mapping[str, PublishedPackage], int | None]:
        """What a rollback publishes, and its parent if that is not the present generation."""
        numbers = [number for number in self.layout.numbers() if number < ledger.number]
        if name is not None:
            return with_earlier(readable_ledgers(self.layout, numbers), ledger, name), None
        if ledger.parent not in numbers:
            raise NotReadyError("there is no earlier generation that is still kept", hint="--keep-days keeps more")
        earlier = self.layout.ledger(ledger.parent)
        return earlier.packages, earlier.parent

    def _check_files(self, ledger: Ledger, packages: Mapping[str, PublishedPackage]) -> None:
        for name, package in packages.items():
            if ledger.packages.get(name) != package and not (self.layout.folder / package.file).is_file():
                raise NotReadyError("is not kept any more", key=package.file)


def _planned(ledger: Ledger, packages: Mapping[str, PublishedPackage]) -> Publication:
    return Publication(generation=ledger.number, changes=changes_between(ledger.packages, packages))
