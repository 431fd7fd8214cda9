"""What pacman databases (`CI_LIB_DB`) tell, each sent only if it changed.

Versions of packages and libraries are kept of all of them in the cache, and the names of what there is of those whose
names are wanted. Where names are wanted for the first time, what is cached is not enough and the database is sent once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.pacman_database import read_pacman_database
from ci_toolkit.model.observation import DatabaseReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ci_toolkit.effects.web import Answer
    from ci_toolkit.formats.pacman_database import DatabasePackage
    from ci_toolkit.sources.spec import SourceTools

_CACHE_NAME = "databases"
_LIMIT_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class _Known:
    """What a database told when it was last read, and what to send to learn whether it still does.

    `names` None: they were not wanted then.
    """

    condition: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] | None = None


def observe_databases(tools: SourceTools, official: Collection[str] = ()) -> DatabaseReport | None:
    """What all databases tell together, None when none is configured; the names are told of those called `official`.

    Of a package that several have, the first one listed counts, as for pacman. One that cannot be read is named, and
    tells what it told last, if that is in the cache.
    """
    urls = tools.settings.lib_databases
    if not urls:
        return None
    cached = _load(tools.files.load(_CACHE_NAME))
    found: dict[str, _Known] = {}
    problems: list[str] = []
    wanted = {url for url in urls if database_name(url) in official}
    answers = tools.pool.map(lambda url: _read(url, cached.get(url), tools, with_names=url in wanted), urls)
    for url, answer in zip(urls, answers, strict=True):
        if isinstance(answer, UpstreamError):
            name = database_name(url) or url
            problems.append(f"package database {name}: {answer.what}; what it told before stays known")
        known = cached.get(url) if isinstance(answer, UpstreamError) else answer
        if known is not None:
            found[url] = known
    if any(cached.get(url) is not known for url, known in found.items()):
        tools.files.save(_CACHE_NAME, {url: _row(known) for url, known in found.items()})
    versions: dict[str, str] = {}
    for url in reversed(urls):
        versions.update(found[url].versions if url in found else {})
    names: dict[str, frozenset[str]] = {}
    for url in wanted & found.keys():
        here = found[url].names
        if here:
            names[database_name(url)] = names.get(database_name(url), frozenset()) | here
    return DatabaseReport(versions=versions, problems=tuple(problems), official=names)


def database_name(url: str) -> str:
    """What pacman calls the repository with this database: `core` for `https://host/core/os/x86_64/core.db.tar.gz`."""
    return urlsplit(url).path.rpartition("/")[2].partition(".db")[0]


def _read(url: str, known: _Known | None, tools: SourceTools, *, with_names: bool) -> _Known | UpstreamError:
    if known is not None and with_names and known.names is None:
        known = None
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
    return _Known(_condition(answer), _versions(packages), _names(packages) if with_names else None)


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


def _names(packages: Iterable[DatabasePackage]) -> frozenset[str]:
    """The names of packages and of what they provide, as a dependency may name them."""
    provided = chain.from_iterable(package.provides for package in packages)
    names = {name for text in provided if (name := text.partition("=")[0]).isprintable()}
    return frozenset(names | {package.name for package in packages})


def _condition(answer: Answer) -> dict[str, str]:
    if answer.headers.get("ETag"):
        return {"If-None-Match": answer.headers["ETag"]}
    modified = answer.headers.get("Last-Modified")
    return {"If-Modified-Since": modified} if modified else {}


def _row(known: _Known) -> dict[str, Any]:
    row: dict[str, Any] = {"condition": dict(known.condition), "versions": known.versions}
    # One text is read back many times faster than thousands.
    return row if known.names is None else {**row, "names": "\n".join(sorted(known.names))}


def _load(saved: Any) -> dict[str, _Known]:  # noqa: ANN401 - JSON, checked here
    found = {}
    for url, row in saved.items() if isinstance(saved, dict) else ():
        match row:
            case {"condition": dict(condition), "versions": dict(versions)}:
                texts = [*condition, *condition.values(), *versions, *versions.values()]
                names = row.get("names")
                if all(isinstance(text, str) and text.isprintable() for text in texts):
                    here = frozenset(names.split("\n")) if isinstance(names, str) and names else None
                    found[str(url)] = _Known(condition, versions, here)
    return found
