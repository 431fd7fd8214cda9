"""The AUR's interface for single packages, for the days when its metadata dump cannot be had.

`GET /rpc/v5/info?arg[]=name&arg[]=name…` knows packages by their names, not by package base, so a package base is asked
for by the first name in its `.SRCINFO` (source: aur.archlinux.org/rpc). A hundred names fit into one request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ci_toolkit.effects.json_answers import read_json
from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.aur_metadata import AurEntry, AurMetadata
from ci_toolkit.model.names import Pkgbase, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci_toolkit.sources.spec import SourceRequest, SourceTools

log = logging.getLogger(__name__)

NAMES_A_REQUEST = 100
_LIMIT_BYTES = 8 << 20
_LATEST_S = 1 << 34


def ask_api(requests: Sequence[SourceRequest], tools: SourceTools) -> AurMetadata:
    """What is known there of these packages; those of a request that fails are simply missing. Its count is 0."""
    batches = [requests[start : start + NAMES_A_REQUEST] for start in range(0, len(requests), NAMES_A_REQUEST)]
    wanted = {request.pkgbase for request in requests}
    entries: dict[Pkgbase, AurEntry] = {}
    for batch in batches:
        try:
            entries.update((base, entry) for base, entry in _ask(batch, tools) if base in wanted)
        except UpstreamError as error:
            log.info("%s", error.what)
            break
    return AurMetadata(entries=entries, count=0)


def _ask(batch: Sequence[SourceRequest], tools: SourceTools) -> Iterator[tuple[Pkgbase, AurEntry]]:
    names = (request.package.srcinfo.names[0] if request.package.srcinfo else request.pkgbase for request in batch)
    query = "&".join(f"arg%5B%5D={quote(name, safe='')}" for name in names)
    answer = read_json(tools.aur_web.get(f"{tools.settings.aur_api_url}?{query}", limit_bytes=_LIMIT_BYTES, kind="api"))
    match answer:
        case {"type": "multiinfo", "results": list(rows)}:
            return _entries(rows)
    raise UpstreamError(f"{tools.settings.aur_api_url} answers with something else than packages")


def _entries(rows: list[Any]) -> Iterator[tuple[Pkgbase, AurEntry]]:
    for row in rows:
        match row:
            case {"PackageBase": str(base), "LastModified": int(modified_s)} if is_pkgbase(base):
                people = [row.get("Maintainer"), *(row.get("CoMaintainers") or ())]
                if 0 < modified_s < _LATEST_S and all(person is None or isinstance(person, str) for person in people):
                    maintainers = tuple(person for person in people if person)
                    yield Pkgbase(base), AurEntry(modified_s=modified_s, maintainers=maintainers)
