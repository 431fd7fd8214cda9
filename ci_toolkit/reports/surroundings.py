"""Where output is going to be read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDEST = 160
_USUAL = 100


class Place(Enum):
    """The kinds of readers."""

    TERMINAL = "terminal"
    PLAIN = "plain"
    GITLAB = "gitlab"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """One reader: `width` in characters, `colours` whether to use them."""

    place: Place
    width: int = _USUAL
    colours: bool = False


def detect(environ: Mapping[str, str], stream: TextIO) -> Surroundings:
    """What the environment and the stream say; a CI service counts more than a terminal."""
    if environ.get("GITLAB_CI"):
        return Surroundings(place=Place.GITLAB)
    if environ.get("GITHUB_ACTIONS"):
        return Surroundings(place=Place.GITHUB)
    if not stream.isatty() or environ.get("TERM") == "dumb":
        return Surroundings(place=Place.PLAIN)
    columns = environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and int(columns) > 0 else _terminal_width(stream)
    return Surroundings(place=Place.TERMINAL, width=min(width, _WIDEST), colours=not environ.get("NO_COLOR"))


def _terminal_width(stream: TextIO) -> int:

    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except OSError:
        return _USUAL
