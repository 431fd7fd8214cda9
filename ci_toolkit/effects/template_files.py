"""Which versions of the bash template's files are known, by what git calls their content."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 16


@cache
def known_versions() -> Mapping[str, frozenset[str]]:
    """The template's paths, each with the beginnings of the SHA-1 names of its versions."""
    text = files("ci_toolkit.effects").joinpath("template_versions").read_text()
    rows = (line.split(" ") for line in text.splitlines() if not line.startswith("#"))
    return {path: frozenset(names) for path, *names in rows}


def is_template_path(path: str) -> bool:
    """Whether the template has, or once had, a file there."""
    return path in known_versions()


def is_template_version(path: str, content: bytes) -> bool:
    """Whether `content` is what the template had at `path` at some time, so that nobody's own work is in it."""
    return object_name("blob", content)[:_DIGITS] in known_versions().get(path, ())
