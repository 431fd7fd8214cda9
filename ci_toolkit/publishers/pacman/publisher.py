"""The publisher of builds: what they made goes into a signed pacman repository, as many at once as there are."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import FormatError, RefusedError
from ci_toolkit.formats.pacman_database import read_database_files, read_pacman_database
from ci_toolkit.publishers.pacman.changing import with_added
from ci_toolkit.publishers.pacman.database import DatabasePrograms
from ci_toolkit.publishers.pacman.incoming import take_in
from ci_toolkit.publishers.pacman.layout import Layout
from ci_toolkit.publishers.pacman.repository import PacmanRepository
from ci_toolkit.publishers.signing_key import program_environment
from ci_toolkit.scheduling.built_with import AvailablePackage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ci_toolkit.publishers.pacman.ledger import Ledger, PublishedPackage
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.publishers.spec import Delivery, PublisherTools

_WAIT_S = 600.0


class PacmanPublisher:
    """Publishes to a folder that pacman's clients read, locally or by a web server."""

    name: ClassVar[str] = "pacman"

    def kept(self, tools: PublisherTools) -> frozenset[str]:
        """All files that the ledger speaks of."""
        ledger = _repository(tools, tools.open_key).current()
        published = [package.sha256 for package in ledger.packages.values()]
        return frozenset([*published, *(old.package.sha256 for old in ledger.retired)])

    @contextmanager
    def opened(self, tools: PublisherTools) -> Iterator[OpenRepository]:
        """The repository, with a key that was seen to sign; NotReadyError when something is missing."""
        with tools.open_key() as key:
            repository = _repository(tools, lambda: nullcontext(key))
            repository.programs.check()
            yield OpenRepository(repository=repository)


def _repository(tools: PublisherTools, open_key: Callable[[], AbstractContextManager[SigningKey]]) -> PacmanRepository:
    return PacmanRepository(
        layout=Layout(top=tools.folder, name=tools.name, arch=tools.architecture),
        programs=DatabasePrograms(processes=tools.processes, env=program_environment(tools.environ)),
        open_key=open_key,
        clock=tools.clock,
        keep_s=tools.keep_s,
        wait_s=_WAIT_S,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRepository:
    """One repository for one run; it is locked only while it is written."""

    repository: PacmanRepository

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now, as its database says."""
        layout = self.repository.layout
        number = layout.current_number()
        if number == 0:
            return ()
        path = layout.generation(number) / layout.database
        data = path.read_bytes()
        files = read_database_files(data, file=str(path))
        return tuple(
            AvailablePackage(
                name=package.name,
                base=package.base,
                version=package.version,
                file=files[package.name].file,
                sha256=files[package.name].sha256,
                place=str(layout.folder / files[package.name].file),
                provides=package.provides,
                depends=files[package.name].depends,
            )
            for package in read_pacman_database(data, file=str(path))
        )

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        """Publish all that can be in one generation; gives the package bases that are refused, with the reason."""
        repository = self.repository
        with repository.writing("builds run") as key:
            ledger = repository.current()
            packages, refused = self._judged(ledger, deliveries)
            leaving = set(gone)
            packages = {name: one for name, one in packages.items() if one.base not in leaving}
            bases = [delivery.pkgbase for delivery in deliveries if delivery.pkgbase not in refused]
            reason = " ".join((*bases, *(f"-{base}" for base in sorted(leaving))))
            repository.publish(ledger, packages, key, reason=f"builds {reason}")
        return refused

    def _judged(
        self, ledger: Ledger, deliveries: Sequence[Delivery]
    ) -> tuple[dict[str, PublishedPackage], dict[str, str]]:
        """What is to be published next, and what is refused: with something, all that was built against it."""
        packages, refused = dict(ledger.packages), dict[str, str]()
        layout = self.repository.layout
        for delivery in deliveries:
            bad = sorted(delivery.built_with & refused.keys())
            if bad:
                refused[delivery.pkgbase] = f"it was built against {bad[0]}, which is not published"
                continue
            try:
                incoming = take_in(delivery.files, layout.staging, arch=layout.arch)
                now = replace(ledger, packages=packages)
                packages = with_added(now, incoming, base=delivery.pkgbase, force=False)
            except (FormatError, RefusedError) as error:
                refused[delivery.pkgbase] = str(error)
        return packages, refused
