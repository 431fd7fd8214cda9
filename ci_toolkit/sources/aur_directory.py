"""Who has what in the AUR: looked up in its metadata dump, which is sent once and read again for every question.

Reading it takes a second or two; an index of its hundred thousand packages would take hundreds of megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.aur_metadata import AurListing, base_names, find_listings
from ci_toolkit.model.names import Pkgbase, is_pkgbase, nearest
from ci_toolkit.scheduling.dependencies import dependency_name
from ci_toolkit.sources.aur import DUMP_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from ci_toolkit.sources.aur_lookup import AurTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Package bases that have a name: `exact` has a package called so, the others only provide it."""

    exact: Pkgbase | None = None
    others: tuple[Pkgbase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AurDirectory:
    """A dump, still compressed, from `url`."""

    url: str
    dump: bytes = field(repr=False)

    def providers(self, names: Collection[str]) -> dict[str, Providers]:
        """Who has each of `names`; those that nobody has are left out."""
        exact: dict[str, Pkgbase] = {}
        others: dict[str, set[Pkgbase]] = {}
        for listing in self._listings(names):
            pkgbase = Pkgbase(listing.pkgbase)
            if listing.name in names:
                exact[listing.name] = pkgbase
            for provided in {dependency_name(text) for text in listing.provides} & set(names):
                others.setdefault(provided, set()).add(pkgbase)
        return {
            name: Providers(exact=exact.get(name), others=tuple(sorted(others.get(name, ()))))
            for name in exact.keys() | others.keys()
        }

    def packages_of(self, pkgbases: Collection[Pkgbase]) -> dict[Pkgbase, list[AurListing]]:
        """All packages of some package bases."""
        found: dict[Pkgbase, list[AurListing]] = {}
        for listing in self._listings(pkgbases):
            if listing.pkgbase in pkgbases:
                found.setdefault(Pkgbase(listing.pkgbase), []).append(listing)
        return found

    def nearest(self, name: str) -> str:
        """A hint at names that look like one that is not there; looked for among those that begin alike."""
        try:
            return nearest(name, {base for base in base_names(self.dump) if base[:1] == name[:1] and is_pkgbase(base)})
        except FormatError:
            return ""

    def _listings(self, names: Collection[str]) -> list[AurListing]:
        try:
            found = list(find_listings(self.dump, names)) if names else []
        except FormatError as error:
            raise UpstreamError(f"{self.url} is unusable: {error.what}") from error
        return [listing for listing in found if is_pkgbase(listing.pkgbase)]


def fetch_directory(tools: AurTools) -> AurDirectory:
    """The AUR as its dump has it now; UpstreamError when that cannot be had."""
    url = tools.settings.aur_metadata_url
    answer = tools.web.get(url, limit_bytes=DUMP_LIMIT_BYTES, kind="dump")
    if answer.status != 200:
        raise UpstreamError(f"{url} answers {answer.status}")
    return AurDirectory(url=url, dump=answer.body)
