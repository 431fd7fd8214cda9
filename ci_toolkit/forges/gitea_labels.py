"""Labels of a Gitea by number, which all its versions want; one that is not there is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.forges.gitea_api import GiteaApi

_COLOUR = "#6e7781"


class GiteaLabels:
    """The labels of one repository, read when the first one is wanted."""

    def __init__(self, api: GiteaApi) -> None:
        self._api = api
        self._numbers: dict[str, int] | None = None

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of labels; nothing is asked without names."""
        return [self._number(name) for name in names]

    def _number(self, name: str) -> int:
        if self._numbers is None:
            self._numbers = {str(row["name"]): int(row["id"]) for row in self._api.rows("/labels")}
        if name not in self._numbers:
            made = self._api.send("POST", "/labels", {"name": name, "color": _COLOUR})
            self._numbers[name] = int(made["id"])
        return self._numbers[name]
