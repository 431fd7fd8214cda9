"""The AUR: one metadata request for all packages, then one fetch of the branches that moved from its git mirror.

The dump says *that* a package changed (`LastModified`), the mirror *what* it is now. The mirror may lag behind the
dump, so a time is only remembered once the mirror shows a commit that explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.formats.aur_metadata import AurEntry, AurMetadata, parse_aur_metadata
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.observation import (
    Absent,
    CouldNotAsk,
    Lagging,
    Moved,
    NewVersion,
    SourceOutcome,
    SourceReport,
    Unmoved,
    Unusable,
)
from ci_toolkit.sources.aur_api import ask_api
from ci_toolkit.sources.package_folder import Folder, read_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.sources.spec import SourceRequest, SourceTools

COUNT_MEMORY = "AUR_DUMP_ENTRIES"
DUMP_LIMIT_BYTES = 256 << 20
_CACHE_NAME = "aur-metadata"
# A commit made this long before the time the dump gives may be an older one than the dump means.
_EXPLAINS_S = 3_600
# After this long a mirror has certainly caught up.
_LAG_LIMIT_S = 86_400
_NOTABLE_CHANGE = 0.05


@dataclass(frozen=True, slots=True)
class _Due:
    request: SourceRequest
    entry: AurEntry


class AurSource:
    """Packages of the Arch User Repository."""

    name: ClassVar[str] = "aur"

    def accepts(self, text: str) -> bool:
        """The word `aur` alone."""
        return text == "aur"

    def observe(self, requests: Sequence[SourceRequest], tools: SourceTools) -> SourceReport:
        """Ask the dump, and the mirror for what the dump says has changed."""
        try:
            metadata = fetch_metadata({request.pkgbase for request in requests}, tools)
            answered = list(requests)
            missing: SourceOutcome = Absent(reason="the AUR has no such package base")
        except UpstreamError as error:
            metadata = ask_api(requests, tools)
            answered = [request for request in requests if request.pkgbase in metadata.entries]
            missing = CouldNotAsk(reason=f"the AUR's metadata: {error.what}")
        outcomes: dict[Pkgbase, SourceOutcome | NewVersion] = {request.pkgbase: missing for request in requests}
        due: list[_Due] = []
        for request in answered:
            entry = metadata.entries.get(request.pkgbase)
            if entry is None:
                pass
            elif _is_due(request, entry, tools):
                due.append(_Due(request, entry))
            else:
                outcomes[request.pkgbase] = Unmoved(timestamp_s=entry.modified_s, maintainers=entry.maintainers)
            if not due or due[-1].request is not request:
                tools.done(request.pkgbase)
        outcomes.update(_look_up(due, tools))
        memory = _memory(metadata, tools.memory) if metadata.count else {}
        return SourceReport(outcomes=outcomes, memory=memory)


def _is_due(request: SourceRequest, entry: AurEntry, tools: SourceTools) -> bool:
    if request.timestamp_s is not None:
        return entry.modified_s != request.timestamp_s
    if request.revision is None and tools.aur_watermark_s is not None:
        # Only the bash template has seen this package: it has taken everything up to its watermark.
        return entry.modified_s > tools.aur_watermark_s
    return True


def fetch_metadata(wanted: set[Pkgbase], tools: SourceTools) -> AurMetadata:
    """The dump's entries for `wanted`: from the cache where the dump is unchanged; UpstreamError otherwise."""
    url = tools.settings.aur_metadata_url
    cached = _Cached.load(tools.files.load(_CACHE_NAME), url, wanted)
    headers = {"If-None-Match": cached.etag} if cached else {}
    answer = tools.aur_web.get(url, limit_bytes=DUMP_LIMIT_BYTES, headers=headers, kind="dump")
    if answer.status == 304 and cached:
        return cached.metadata
    try:
        metadata = parse_aur_metadata(answer.body, wanted)
    except FormatError as error:
        raise UpstreamError(f"{url} is unusable: {error.what}") from error
    before = int(tools.memory.get(COUNT_MEMORY, "0"))
    if metadata.count * 2 < before:
        raise UpstreamError(f"{url} is unusable: it lists {metadata.count} packages and listed {before} before")
    if answer.headers.get("ETag"):
        tools.files.save(_CACHE_NAME, _Cached.dump(url, answer.headers["ETag"], metadata, wanted))
    return metadata


def _memory(metadata: AurMetadata, before: Mapping[str, str]) -> dict[str, str]:
    """The size of the dump, remembered only when it changed notably: the state should not change with every dump."""
    known = int(before.get(COUNT_MEMORY, "0"))
    if known and abs(metadata.count - known) <= known * _NOTABLE_CHANGE:
        return {}
    return {COUNT_MEMORY: str(metadata.count)}


def _look_up(due: Sequence[_Due], tools: SourceTools) -> dict[Pkgbase, SourceOutcome]:
    """Ask the mirror where the branches of `due` are, and fetch those that moved."""
    if not due:
        return {}
    try:
        remote = parse_git_url(tools.settings.aur_git_url, allow_local=tools.settings.allow_local_upstreams)
        heads = tools.aur_heads.ask(remote, [_ref(item) for item in due])
    except (ConfigError, UpstreamError) as error:
        return {item.request.pkgbase: CouldNotAsk(reason=f"the AUR's mirror: {error.what}") for item in due}
    outcomes = {item.request.pkgbase: _without_fetch(item, heads.get(_ref(item)), tools) for item in due}
    moved = {_ref(item): heads[_ref(item)] for item in due if outcomes[item.request.pkgbase] is None}
    folders: Mapping[Oid, Folder | UpstreamError] = {}
    failures: Mapping[str, str] = {}
    if moved:
        try:
            with tools.aur_upstreams.fetched(remote, moved) as fetched:
                failures = fetched.failures
                folders = read_folders(fetched.repository, [moved[ref] for ref in moved if ref not in failures])
        except UpstreamError as error:
            failures = dict.fromkeys(moved, error.what)
    found: dict[Pkgbase, SourceOutcome] = {}
    for item in due:
        outcome = outcomes[item.request.pkgbase]
        if outcome is None:
            commit = heads[_ref(item)]
            failure = UpstreamError(failures.get(_ref(item), "the AUR's mirror gave nothing"))
            outcome = _outcome(item, commit, folders.get(commit) or failure, tools)
        found[item.request.pkgbase] = outcome
        tools.done(item.request.pkgbase)
    return found


def _ref(item: _Due) -> str:
    return f"refs/heads/{item.request.pkgbase}"


def _without_fetch(item: _Due, head: Oid | None, tools: SourceTools) -> SourceOutcome | None:
    """What can be said from the branch's head alone; None: it has to be fetched."""
    old_enough = tools.clock.now() - item.entry.modified_s > _LAG_LIMIT_S
    if head is None:
        reason = "the AUR's mirror has no such branch"
        return Absent(reason=reason) if old_enough else Lagging(reason=f"{reason} yet")
    if head == item.request.revision:
        if old_enough or item.request.timestamp_s is None:
            return Unmoved(timestamp_s=item.entry.modified_s, maintainers=item.entry.maintainers)
        return Lagging(reason="the AUR announces a change that its mirror does not have yet")
    return None


def _outcome(item: _Due, commit: Oid, folder: Folder | UpstreamError, tools: SourceTools) -> SourceOutcome:
    if isinstance(folder, UpstreamError):
        return CouldNotAsk(reason=folder.what)
    modified_s = item.entry.modified_s
    explained = folder.committed_s >= modified_s - _EXPLAINS_S or tools.clock.now() - modified_s > _LAG_LIMIT_S
    timestamp_s = modified_s if explained else None
    if folder.fault:
        return Unusable(revision=commit, reason=folder.fault, timestamp_s=timestamp_s)
    return Moved(
        revision=commit,
        files=folder.files,
        formatted=None,
        timestamp_s=timestamp_s,
        maintainers=item.entry.maintainers,
        public_s=modified_s,
        link=f"https://aur.archlinux.org/cgit/aur.git/commit/?h={item.request.pkgbase}&id={commit}",
    )


@dataclass(frozen=True, slots=True)
class _Cached:
    etag: str
    metadata: AurMetadata

    @classmethod
    def load(cls, saved: Any, url: str, wanted: set[Pkgbase]) -> _Cached | None:  # noqa: ANN401 - JSON, checked here
        match saved:
            case {
                "url": str(known),
                "etag": str(etag),
                "count": int(count),
                "wanted": list(asked),
                "entries": dict(rows),
            }:
                if known != url or not etag.isprintable() or not wanted <= set(asked):
                    return None
                try:
                    entries = {
                        Pkgbase(name): AurEntry(modified_s=int(row[0]), maintainers=tuple(map(str, row[1:])))
                        for name, row in rows.items()
                    }
                except (TypeError, ValueError, IndexError):
                    return None
                return cls(etag, AurMetadata(entries=entries, count=count))
        return None

    @staticmethod
    def dump(url: str, etag: str, metadata: AurMetadata, wanted: set[Pkgbase]) -> dict[str, Any]:
        entries = {name: [entry.modified_s, *entry.maintainers] for name, entry in metadata.entries.items()}
        return {"url": url, "etag": etag, "count": metadata.count, "wanted": sorted(wanted), "entries": entries}
