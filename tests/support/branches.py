"""Where branches are, for stand-ins of services: as a test says, or as a real repository has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UNTOLD = "a" * 40


class Branches:
    """A branch that nobody has told of stands at `UNTOLD`, unless there is a repository to look into."""

    def __init__(self, heads: Callable[[str], str | None] | None = None) -> None:
        self._heads = heads
        self._told: dict[str, str | None] = {}

    def put(self, name: str, head: str) -> None:
        self._told[name] = head

    def remove(self, name: str) -> None:
        self._told[name] = None

    def is_told(self, name: str) -> bool:
        return self._heads is not None or name in self._told

    def head(self, name: str) -> str | None:
        """Its commit, None when it is gone."""
        return self._heads(name) if self._heads else self._told.get(name, UNTOLD)
