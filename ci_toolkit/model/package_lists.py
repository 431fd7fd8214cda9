"""Lists of packages as people write them: names, `name/class`, globs and `all`, between blanks, commas or colons."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.model.config_keys import parse_builder
from ci_toolkit.model.names import Pkgbase, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

EVERYTHING = "all"
_SEPARATORS = re.compile(r"[\s,:]+")
_GLOB = re.compile(r"[*?\[]")


def split_list(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of a list, each once, in order."""
    words = (word for text in texts for word in _SEPARATORS.split(text) if word)
    return tuple(dict.fromkeys(words))


def choose(texts: Iterable[str], packages: Collection[Pkgbase]) -> dict[Pkgbase, str | None]:
    """The packages that a list means, sorted, with the builder class that it asks for.

    ConfigError, which names every word that means nothing and what it may have meant, so that nothing is done for any.
    """
    chosen: dict[Pkgbase, str | None] = {}
    unknown: list[str] = []
    for word in split_list(texts):
        name, slash, wanted = word.partition("/")
        builder_class = parse_builder(wanted) if slash else None
        meant = _meant(name, packages)
        if not meant:
            unknown.append(_with_hint(name, packages))
        chosen.update(dict.fromkeys(meant, builder_class))
    if unknown:
        raise ConfigError(f"no such package: {'; '.join(unknown)}", hint="nothing was done")
    if not chosen:
        raise ConfigError("no package is named", hint="names, globs or all, separated by blanks, commas or colons")
    return dict(sorted(chosen.items()))


def choose_names(texts: Iterable[str], packages: Collection[Pkgbase]) -> tuple[Pkgbase, ...]:
    """The same where a builder class means nothing; ConfigError where one is given."""
    chosen = choose(texts, packages)
    classes = [f"{pkgbase}/{wanted}" for pkgbase, wanted in chosen.items() if wanted is not None]
    if classes:
        raise ConfigError("a builder class is for schedule alone", got=", ".join(classes), hint="nothing was done")
    return tuple(chosen)


def _meant(name: str, packages: Collection[Pkgbase]) -> list[Pkgbase]:
    if name in packages:
        return [Pkgbase(name)]
    if name == EVERYTHING:
        return list(packages)
    return [package for package in packages if fnmatch.fnmatchcase(package, name)] if _GLOB.search(name) else []


def _with_hint(name: str, packages: Collection[Pkgbase]) -> str:
    hint = nearest(name, packages)
    return f"{name} ({hint})" if hint else name
