"""PKGBUILD as shfmt formats it, in the style of the repository's `.editorconfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.checks.pkgbuild_texts import read_pkgbuilds
from ci_toolkit.checks.problem import Problem
from ci_toolkit.checks.spec import PKGBUILD, Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Subject

_NAME = "pkgbuild-format"


def _whole(subject: Subject) -> Iterator[Problem]:
    texts, problems = read_pkgbuilds(subject, _NAME)
    yield from problems
    formatted = subject.tools.formatted(texts.values())
    for name, text in texts.items():
        wanted = formatted.get(text)
        if wanted is None:
            yield _problem(name, None, "cannot be formatted, as shfmt cannot parse it", None)
        elif wanted != text:
            line = _first_difference(text, wanted)
            yield _problem(name, line, "is not formatted as shfmt does from this line on", wanted)


def _problem(name: str, line: int | None, text: str, replacement: bytes | None) -> Problem:
    hint = "--fix formats it" if replacement is not None else None
    file = f"{name}/{PKGBUILD}"
    return Problem(check=_NAME, severity="error", file=file, line=line, text=text, hint=hint, replacement=replacement)


def _first_difference(text: bytes, other: bytes) -> int:
    pairs = zip(text.split(b"\n"), other.split(b"\n"), strict=False)
    return next((number for number, (one, two) in enumerate(pairs, 1) if one != two), text.count(b"\n") + 1)


CHECK = Check(name=_NAME, whole=_whole)
