"""The publisher of Nix binary caches: closures go into a folder or to a server, signed, for every Nix to take from.

What a client reads first is written last: archives, then what describes them, each path behind all that it refers to;
and it is removed first. So whoever reads meanwhile finds a path whole or not at all, wherever a run is killed. The
ledger (`kept_files`) is saved when all is there; what it does not speak of is removed by the next run.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.files import write_file
from ci_toolkit.effects.message_http import service_address
from ci_toolkit.effects.object_http import ObjectHttp
from ci_toolkit.effects.token import first_token
from ci_toolkit.errors import ConfigError, FormatError, PublishError, RefusedError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.nix_closure import read_closure
from ci_toolkit.formats.nix_signatures import signing_key
from ci_toolkit.formats.store_path import NIX_STORE, parse_base_name
from ci_toolkit.publishers.kept_files import kept_checksums, opened_files, published_each
from ci_toolkit.publishers.kept_ledger import with_delivered, without_bases, without_expired
from ci_toolkit.publishers.nix_cache.index import CachedPath, format_index, parse_index, planned
from ci_toolkit.publishers.nix_cache.key import nix_key
from ci_toolkit.publishers.nix_cache.packing import described, packed, signed
from ci_toolkit.publishers.nix_cache.place import FolderPlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.formats.nix_closure import ClosurePath
    from ci_toolkit.formats.nix_signatures import SecretKey
    from ci_toolkit.publishers.kept_files import KeptFiles
    from ci_toolkit.publishers.kept_ledger import KeptLedger, KeptPackage
    from ci_toolkit.publishers.nix_cache.place import CachePlace
    from ci_toolkit.publishers.spec import Delivery, PublisherTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

log = logging.getLogger(__name__)

TOKEN_VARIABLE = "CI_NIX_CACHE_TOKEN"  # noqa: S105 - its name, not a token
_SUFFIX = ".nix-export"
_PATHS = "paths"
_INFORMATION, _PUBLIC_KEY = "nix-cache-info", "public-key"
_LARGEST_INFORMATION_BYTES = 1 << 16


class NixCachePublisher:
    """Publishes exports of closures; CI_NIX_CACHE says where, by default in a folder of the publisher's own."""

    name: ClassVar[str] = "nix_cache"

    def kept(self, tools: PublisherTools) -> frozenset[str]:
        """By the ledger."""
        return kept_checksums(tools.folder)

    @contextmanager
    def opened(self, tools: PublisherTools) -> Iterator[OpenNixCache]:
        """The cache; NotReadyError without a key that signs, ConfigError for a token that is none."""
        key = nix_key(tools.folder, tools.environ)
        with opened_files(tools.folder, clock=tools.clock, who="builds run") as files, _place(tools) as place:
            yield OpenNixCache(
                files=files,
                where=tools.settings.nix_cache,
                place=place,
                key=key,
                compression=tools.settings.nix_compression,
                keep_s=tools.keep_s,
            )


@contextmanager
def _place(tools: PublisherTools) -> Iterator[CachePlace]:
    where = tools.settings.nix_cache
    if not where.startswith(("https://", "http://")):
        yield FolderPlace(folder=Path(where) if where else tools.folder / "cache")
        return
    try:
        token = first_token(tools.environ, [TOKEN_VARIABLE])
    except ValueError:
        raise ConfigError("is no token", key=TOKEN_VARIABLE) from None
    url = service_address(where, variable="CI_NIX_CACHE", may_be_plain=token is None)
    place = ObjectHttp(url=url, clock=tools.clock, token=token)
    try:
        yield place
    finally:
        place.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """An export that is to be published, and what is in it."""

    export: Path
    closure: tuple[ClosurePath, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is to be there next: `index` is all of it, `coming` are the exports that are looked at for it."""

    index: Mapping[str, CachedPath]
    coming: tuple[_Coming, ...] = ()

    def with_export(self, export: Path, *, file: str, compression: str) -> _Plan:
        """The plan with an export; FormatError for what is none, RefusedError for another content of a known path."""
        with export.open("rb") as opened:
            try:
                closure = tuple(read_closure(pieces_of(opened)))
            except FormatError as error:
                raise error.located(file=file) from error.__cause__
        index = dict(self.index)
        for path in closure:
            known = index.setdefault(str(path.path), planned(path, compression))
            if known.nar_sha256 != path.nar_sha256:
                hint = "its build is not reproducible: others keep it by its name, so change what it is made from"
                raise RefusedError("was published with another content", key=str(path.path), hint=hint)
        return _Plan(index=index, coming=(*self.coming, _Coming(export=export, closure=closure)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNixCache:
    """One cache for one run; `where` is what CI_NIX_CACHE says of its place."""

    files: KeptFiles
    where: str
    place: CachePlace
    key: SecretKey
    compression: str
    keep_s: float

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published now, as exports."""
        return self.files.available()

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        """Publish closures; a path that is published with another content is refused, and with it its package base.

        PublishError when the place cannot be had: then it is as it was.
        """
        now, leaving = self.files.clock.now(), frozenset(gone)
        before = after = self.files.ledger()
        plan = self._kept_plan(before)

        def judge(delivery: Delivery) -> None:
            nonlocal after, plan
            planned_too, packages = plan, []
            for package in self.files.take_in(delivery):
                planned_too = self._planned(planned_too, package)
                names = " ".join(path.path.base_name for path in planned_too.coming[-1].closure)
                packages.append(replace(package, facts={_PATHS: names}))
            after, plan = with_delivered(after, delivery.pkgbase, packages, now=now), planned_too

        refused = published_each(deliveries, leaving, judge)
        after = without_expired(without_bases(after, leaving, now=now), before_s=now - self.keep_s)
        if after is before and not plan.coming:
            return refused
        try:
            index = self._filled(plan)
        except BaseException:
            self._undo(before)
            raise
        self.files.save(after)
        self._collected(after, index)
        return refused

    def _kept_plan(self, ledger: KeptLedger) -> _Plan:
        """What is there, without what killed runs left; what is kept and not there, as at a new place, comes again."""
        index = self._collected(ledger, self._index())
        plan = _Plan(index={path: entry for path, entry in index.items() if entry.narinfo})
        for package in ledger.everything:
            if _paths(package) <= plan.index.keys():
                continue
            try:
                plan = self._planned(plan, package)
            except (FormatError, OSError) as error:
                log.warning("%s, which is kept, cannot be put to %s: %s", package.file, self.place.shown, error)
        return plan

    def _planned(self, plan: _Plan, package: KeptPackage) -> _Plan:
        if not package.file.endswith(_SUFFIX):
            raise FormatError("is no export of a Nix store, and a binary cache has nothing else", file=package.file)
        export = self.files.place(package.sha256)
        return plan.with_export(export, file=package.file, compression=self.compression)

    # writing

    def _filled(self, plan: _Plan) -> dict[str, CachedPath]:
        """Put everything there that is not; the index with all of it."""
        found = dict(plan.index)
        self._save(found)
        self._introduce()
        for one in plan.coming:
            entries = [found[str(path.path)] for path in one.closure]
            wanted = {entry.path: entry.compression for entry in entries if not self._is_there(entry)}
            for path, sha256, size_bytes in packed(one.export, one.closure, wanted, self._scratch):
                entry = found[str(path.path)]
                self.place.put(entry.archive, self._scratch)
                text = described(
                    path,
                    archive=entry.archive,
                    compression=entry.compression,
                    file_sha256=sha256,
                    file_size_bytes=size_bytes,
                    key=self.key,
                )
                found[entry.path] = replace(entry, narinfo=text)
        found = {path: self._signed(entry) for path, entry in found.items()}
        self._save(found)
        looked_at = {str(path.path) for one in plan.coming for path in one.closure}
        for name, entry in found.items():
            is_missing = name in looked_at and self.place.size_of(entry.described) is None
            if is_missing or entry != plan.index.get(name):
                self.place.write(entry.described, entry.narinfo.encode())
        return found

    def _is_there(self, entry: CachedPath) -> bool:
        return bool(entry.narinfo) and self.place.size_of(entry.archive) == entry.info.file_size_bytes

    def _signed(self, entry: CachedPath) -> CachedPath:
        """With a signature of today's key."""
        info = entry.info
        if signing_key(info.fingerprint, info.signatures, [self.key.public]) is not None:
            return entry
        return replace(entry, narinfo=signed(info, self.key))

    def _introduce(self) -> None:
        """Say what kind of cache it is; RefusedError where it is one of another store."""
        said = self.place.read(_INFORMATION, limit_bytes=_LARGEST_INFORMATION_BYTES)
        if said is None:
            self.place.write(_INFORMATION, f"StoreDir: {NIX_STORE}\nWantMassQuery: 1\nPriority: 40\n".encode())
        elif f"StoreDir: {NIX_STORE}" not in said.decode(errors="replace").splitlines():
            raise PublishError(f"{self.place.shown} is a cache of another store than {NIX_STORE}")
        key = f"{self.key.public}\n".encode()
        if self.place.read(_PUBLIC_KEY, limit_bytes=_LARGEST_INFORMATION_BYTES) != key:
            self.place.write(_PUBLIC_KEY, key)

    # removing

    def _collected(self, ledger: KeptLedger, index: Mapping[str, CachedPath]) -> dict[str, CachedPath]:
        """Remove what the ledger does not speak of; the index without it.

        What refers to others goes first, and descriptions before archives. What cannot be removed now is removed by
        the next run: nobody is kept from publishing by it.
        """
        wanted = _wanted(ledger)
        left = {path: entry for path, entry in index.items() if path in wanted}
        gone = [entry for path, entry in reversed(list(index.items())) if path not in wanted]
        if not gone:
            return left
        archives = {entry.archive for entry in left.values()}
        try:
            for entry in gone:
                self.place.remove(entry.described)
            for entry in gone:
                if entry.archive not in archives:
                    self.place.remove(entry.archive)
        except PublishError as error:
            log.warning("what is published no longer is still at %s: %s", self.place.shown, error)
            return dict(index)
        self._save(left)
        return left

    def _undo(self, ledger: KeptLedger) -> None:
        """Have it as it was, as far as that is possible now."""
        self._collected(ledger, self._index())
        self._scratch.unlink(missing_ok=True)

    # the index

    @property
    def _scratch(self) -> Path:
        return self.files.folder / "outgoing"

    @property
    def _index_path(self) -> Path:
        return self.files.folder / "cache-index.json"

    def _index(self) -> dict[str, CachedPath]:
        try:
            content = self._index_path.read_bytes()
        except FileNotFoundError:
            return {}
        return parse_index(content, self.where, file=str(self._index_path))

    def _save(self, index: Mapping[str, CachedPath]) -> None:
        write_file(self._index_path, format_index(self.where, index.values()))


def _wanted(ledger: KeptLedger) -> frozenset[str]:
    """Every path that a kept closure has."""
    return frozenset().union(*map(_paths, ledger.everything))


def _paths(package: KeptPackage) -> frozenset[str]:
    return frozenset(str(parse_base_name(name)) for name in package.facts.get(_PATHS, "").split())
