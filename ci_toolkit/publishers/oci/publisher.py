"""The publisher of container images: they go to a registry, or to another one while that cannot be reached.

The ledger knows where each image is. What had to go to the fall-back registry is brought home by the first run that
can, and older versions are removed from the registry that has them when the time that they are kept is over.
"""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.registry_http import (
    RegistryCredentials,
    RegistryDownError,
    RegistryHttp,
    RegistryManners,
    check_certificates,
)
from ci_toolkit.errors import ConfigError, FormatError, NotReadyError, PublishError, RefusedError
from ci_toolkit.formats.oci_reference import image_name, image_tag
from ci_toolkit.publishers.kept_files import kept_checksums, opened_files, published_each
from ci_toolkit.publishers.kept_ledger import with_delivered, without_bases, without_expired
from ci_toolkit.publishers.oci.archive import SUFFIX, file_artifact, read_oci_archive
from ci_toolkit.publishers.oci.pushing import LATEST, ImageRepository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.formats.oci_reference import OciRegistry
    from ci_toolkit.publishers.kept_files import KeptFiles
    from ci_toolkit.publishers.kept_ledger import KeptLedger, KeptPackage, RetiredPackage
    from ci_toolkit.publishers.oci.archive import OciImage
    from ci_toolkit.publishers.spec import Delivery, PublisherTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

log = logging.getLogger(__name__)

_SECRET = re.compile(r"[!-~]{1,8192}")


class OciPublisher:
    """Publishes to CI_OCI_REGISTRY, with the user and password that the environment has for it."""

    name: ClassVar[str] = "oci"

    def kept(self, tools: PublisherTools) -> frozenset[str]:
        """By the ledger."""
        return kept_checksums(tools.folder)

    @contextmanager
    def opened(self, tools: PublisherTools) -> Iterator[OpenRegistries]:
        """The registry, not asked yet; NotReadyError when none is named, ConfigError when it cannot be used."""
        settings = tools.settings
        if settings.oci_registry is None:
            raise NotReadyError("no registry is named that images go to", hint="set CI_OCI_REGISTRY")
        check_certificates(settings.oci_ca)
        places = [_Place(registry=settings.oci_registry, credentials=_credentials(tools.environ, "CI_OCI"))]
        if settings.oci_fallback is not None:
            credentials = _credentials(tools.environ, "CI_OCI_FALLBACK")
            places.append(_Place(registry=settings.oci_fallback, credentials=credentials))
        with opened_files(tools.folder, clock=tools.clock, who="builds run") as files:
            opened = OpenRegistries(files=files, places=tuple(places), ca=settings.oci_ca, keep_s=tools.keep_s)
            opened.bring_home()
            yield opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    registry: OciRegistry
    credentials: RegistryCredentials | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRegistries:
    """The registry and its fall-back for one run, which is the only one that publishes there."""

    files: KeptFiles
    places: tuple[_Place, ...]
    ca: str | None
    keep_s: float

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now, as archives."""
        return self.files.available()

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        """Push one delivery after the other; gives the package bases that are refused, with the reason.

        PublishError when the registries cannot be reached or do not let us in: what was pushed until then stays.
        """
        self.bring_home()
        leaving = frozenset(gone)
        with self._asking(RegistryManners()) as asked:
            try:
                self._take_away(leaving, asked)
                refused = published_each(deliveries, leaving, lambda delivery: self._publish(delivery, asked))
                self._expire(asked)
            finally:
                self.files.sweep(self.files.ledger())
        return refused

    def bring_home(self) -> None:
        """Push to the first registry what is published elsewhere; what cannot be yet stays where it is."""
        home = self.places[0].registry.place
        away = [package for package in self.files.ledger().packages.values() if package.facts["registry"] != home]
        if not away:
            return
        with self._asking(RegistryManners(attempts=1)) as asked:
            for package in away:
                there = package.facts["registry"]
                try:
                    self._push(package, asked.repository(self.places[0], package.facts["image"]))
                except (PublishError, RefusedError, FormatError) as error:
                    log.warning("%s %s is still at %s: %s", package.name, package.version, there, error)
                    continue
                self._save_moved(package, home)
                log.info("%s %s is at %s now, and no longer at %s alone", package.name, package.version, home, there)

    def _save_moved(self, package: KeptPackage, home: str) -> None:
        ledger, now = self.files.ledger(), self.files.clock.now()
        moved = replace(package, facts={**package.facts, "registry": home})
        all_of_base = [one for one in ledger.packages.values() if one.base == package.base]
        packages = [moved if one.name == package.name else one for one in all_of_base]
        self.files.save(with_delivered(ledger, package.base, packages, now=now))

    def _publish(self, delivery: Delivery, asked: _Asked) -> None:
        ledger, now = self.files.ledger(), self.files.clock.now()
        packages = [_named(package, ledger) for package in self.files.take_in(delivery)]
        with_delivered(ledger, delivery.pkgbase, packages, now=now)  # what it refuses is not pushed
        pushed = [self._pushed(package, asked) for package in packages]
        self.files.save(with_delivered(ledger, delivery.pkgbase, pushed, now=now))

    def _pushed(self, package: KeptPackage, asked: _Asked) -> KeptPackage:
        """The package with where it is: the first registry that can be reached."""
        problems: list[str] = []
        for place in self.places:
            try:
                digest = self._push(package, asked.repository(place, package.facts["image"]))
            except RegistryDownError as error:
                problems.append(error.problem)
                continue
            registry = place.registry.place
            if problems:
                fallback = (package.name, package.version, registry, "; ".join(problems))
                log.warning("%s %s went to %s, and the next run that can brings it home: %s", *fallback)
            return replace(package, facts={**package.facts, "registry": registry, "digest": digest})
        raise RegistryDownError("; ".join(problems), hint="the next run tries it again")

    def _push(self, package: KeptPackage, repository: ImageRepository) -> str:
        image = _image(package, self.files)
        repository.push(image, tag=package.facts["tag"])
        place, digest = repository.registry.repository(repository.image), image.top.digest
        log.info("%s %s is pushed: %s:%s@%s", package.name, package.version, place, package.facts["tag"], digest)
        return digest

    # what leaves

    def _take_away(self, leaving: frozenset[str], asked: _Asked) -> None:
        """Publish what is gone no longer: versions are kept for a time, and `latest` goes where that is possible."""
        ledger = self.files.ledger()
        going = [package for package in ledger.packages.values() if package.base in leaving]
        if not going:
            return
        self.files.save(without_bases(ledger, leaving, now=self.files.clock.now()))
        for package in going:
            asked.remove(package, LATEST)

    def _expire(self, asked: _Asked) -> None:
        """Remove older versions whose time is over; what cannot be asked for now is left for the next run."""
        ledger, before_s = self.files.ledger(), self.files.clock.now() - self.keep_s
        expired = [old for old in ledger.retired if old.retired_at < before_s]
        kept = {_identity(package) for package in without_expired(ledger, before_s=before_s).everything}
        names = {package.facts["image"] for package in ledger.packages.values()}
        postponed: list[RetiredPackage] = []
        for old in expired:
            package = old.package
            if _identity(package) in kept:
                continue
            is_latest = package.facts["image"] in names and asked.is_latest(package)
            if is_latest or not asked.remove(package, package.facts["digest"]):
                postponed.append(old)
        if expired:
            self.files.save(without_expired(ledger, before_s=before_s, postponed=postponed))

    @contextmanager
    def _asking(self, manners: RegistryManners) -> Iterator[_Asked]:
        with ExitStack() as until:
            yield _Asked(places=self.places, ca=self.ca, clock=self.files.clock, manners=manners, until=until)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """The connections of one publication, each made when it is needed."""

    places: tuple[_Place, ...]
    ca: str | None
    clock: Clock
    manners: RegistryManners
    until: ExitStack
    _open: dict[str, RegistryHttp] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def repository(self, place: _Place, image: str) -> ImageRepository:
        """An image in a registry."""
        name = place.registry.place
        if name not in self._open:
            http = RegistryHttp(
                place.registry, credentials=place.credentials, ca=self.ca, clock=self.clock, manners=self.manners
            )
            self.until.callback(http.close)
            self._open[name] = http
        return ImageRepository(registry=place.registry, image=image, http=self._open[name])

    def is_latest(self, package: KeptPackage) -> bool:
        """Whether somebody has made `latest` mean this version again; also when that cannot be told."""
        place = self._place(package)
        try:
            return (
                place is not None
                and self.repository(place, package.facts["image"]).digest(LATEST) == package.facts["digest"]
            )
        except (PublishError, RefusedError):
            return True

    def remove(self, package: KeptPackage, reference: str) -> bool:
        """Remove a tag or a digest of an image where it is; False when that is to be tried again.

        A registry that does not allow it is not asked for the same again, and a run says it once.
        """
        registry, place = package.facts["registry"], self._place(package)
        if place is None:
            self._tell(registry, "it is in no setting any more")
            return True
        try:
            fault = self.repository(place, package.facts["image"]).remove(reference)
        except RegistryDownError as error:
            self._tell(registry, str(error))
            return False
        except (PublishError, RefusedError) as error:
            fault = str(error)
        if fault is not None:
            self._tell(registry, fault)
        return True

    def _place(self, package: KeptPackage) -> _Place | None:
        return next((one for one in self.places if one.registry.place == package.facts["registry"]), None)

    def _tell(self, registry: str, fault: str) -> None:
        if registry not in self._told:
            self._told.add(registry)
            log.warning("what should leave %s stays there, for its owner to remove: %s", registry, fault)


def _credentials(environ: Mapping[str, str], prefix: str) -> RegistryCredentials | None:
    """What the environment has for a registry; ConfigError, without the values, for half of it."""
    names = (f"{prefix}_USER", f"{prefix}_PASSWORD")
    user, password = (environ.get(name, "").strip() for name in names)
    if not user and not password:
        return None
    for name, text in zip(names, (user, password), strict=True):
        if not text:
            raise ConfigError("is missing in the environment", key=name, hint=f"{' and '.join(names)} go together")
        if _SECRET.fullmatch(text) is None:
            raise ConfigError("does not look like what it should hold", key=name)
    if ":" in user:
        raise ConfigError("has a colon, which ends a user's name", key=names[0])
    return RegistryCredentials(user=user, password=password, variables=" and ".join(names))


def _named(package: KeptPackage, ledger: KeptLedger) -> KeptPackage:
    """The package with what it is called in a registry; RefusedError where another one is called that."""
    image = image_name(package.name)
    for other in ledger.packages.values():
        if other.name != package.name and other.facts["image"] == image:
            raise RefusedError(f"would be called {image}, as {other.name} is already", key=package.name)
    return replace(package, facts={"image": image, "tag": image_tag(package.version)})


def _image(package: KeptPackage, files: KeptFiles) -> OciImage:
    path = files.place(package.sha256)
    if package.file.endswith(SUFFIX):
        return read_oci_archive(path, file=package.file)
    return file_artifact(package, path)


def _identity(package: KeptPackage) -> tuple[str, ...]:
    return tuple(package.facts[key] for key in ("registry", "image", "digest"))
