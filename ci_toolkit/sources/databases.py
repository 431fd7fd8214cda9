"""Versions of libraries in pacman databases (`CI_LIB_DB`), each asked for only if it changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.pacman_database import read_pacman_database
from ci_toolkit.model.observation import DatabaseReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.effects.web import Answer
    from ci_toolkit.formats.pacman_database import DatabasePackage
    from ci_toolkit.sources.spec import SourceTools

_CACHE_NAME = "databases"
_LIMIT_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class _Known:
    """What a database told when it was last read, and what to send to learn whether it still does."""

    condition: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def observe_databases(tools: SourceTools) -> DatabaseReport | None:
    """What all databases tell together, None when none is configured.

    Of a package that several have, the first one listed counts, as for pacman. One that cannot be read is named, and
    tells what it told last, if that is in the cache.
    """
    urls = tools.settings.lib_databases
    if not urls:
        return None
    cached = _load(tools.files.load(_CACHE_NAME))
    found: dict[str, _Known] = {}
    problems: list[str] = []
    for url, answer in zip(urls, tools.pool.map(lambda url: _read(url, cached.get(url), tools), urls), strict=True):
        if isinstance(answer, UpstreamError):
            problems.append(f"package database {_name(url)}: {answer.what}; what it told before stays known")
        known = cached.get(url) if isinstance(answer, UpstreamError) else answer
        if known is not None:
            found[url] = known
    if any(cached.get(url) is not known for url, known in found.items()):
        rows = {url: {"condition": dict(known.condition), "versions": known.versions} for url, known in found.items()}
        tools.files.save(_CACHE_NAME, rows)
    versions: dict[str, str] = {}
    for url in reversed(urls):
        versions.update(found[url].versions if url in found else {})
    return DatabaseReport(versions=versions, problems=tuple(problems))


def _name(url: str) -> str:
    """`core` for `…/core.db`."""
    return url.rpartition("/")[2].partition(".db")[0] or url


def _read(url: str, known: _Known | None, tools: SourceTools) -> _Known | UpstreamError:
    try:
        headers = known.condition if known else {}
        answer = tools.web.get(url, limit_bytes=_LIMIT_BYTES, headers=headers, kind="database")
        if answer.status == 304 and known is not None:
            return known
        if answer.status != 200:
            return UpstreamError(f"{url} answers {answer.status}")
        packages = read_pacman_database(answer.body, file=url)
    except FormatError as error:
        return UpstreamError(f"{url} {error.what}")
    except UpstreamError as error:
        return error
    return _Known(_condition(answer), _versions(packages))


def _versions(packages: Iterable[DatabasePackage]) -> dict[str, str]:
    """Versions by package base, and of shared libraries (`libx.so`) that are provided with one."""
    versions: dict[str, str] = {}
    libraries: dict[str, set[str]] = {}
    for package in packages:
        versions.setdefault(package.base, package.version)
        for provided in package.provides:
            name, equals, version = provided.partition("=")
            if equals and name.endswith(".so") and version.isprintable() and "," not in version:
                libraries.setdefault(name, set()).add(version)
    return {**versions, **{name: ",".join(sorted(found)) for name, found in libraries.items()}}


def _condition(answer: Answer) -> dict[str, str]:
    if answer.headers.get("ETag"):
        return {"If-None-Match": answer.headers["ETag"]}
    modified = answer.headers.get("Last-Modified")
    return {"If-Modified-Since": modified} if modified else {}


def _load(saved: Any) -> dict[str, _Known]:  # noqa: ANN401 - JSON, checked here
    found = {}
    for url, row in saved.items() if isinstance(saved, dict) else ():
        match row:
            case {"condition": dict(condition), "versions": dict(versions)}:
                texts = [*condition, *condition.values(), *versions, *versions.values()]
                if all(isinstance(text, str) and text.isprintable() for text in texts):
                    found[str(url)] = _Known(condition, versions)
    return found
