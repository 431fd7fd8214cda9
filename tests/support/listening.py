"""A listener that keeps what it hears, installed as a plugin would be."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit import plugins
from ci_toolkit.events import hook

if TYPE_CHECKING:
    import pytest


class Recorder:
    name = "recorder"
    heard: ClassVar[list[tuple[str, Any]]] = []

    @hook
    def builds_ended(self, news: Any) -> None:
        self.heard.append(("builds_ended", news))

    @hook
    def packages_removed(self, packages: Any) -> None:
        self.heard.append(("packages_removed", packages))

    @hook
    def worker_troubled(self, repository: str, news: Any) -> None:
        self.heard.append(("worker_troubled", news))

    @hook
    def updates_applied(self, news: Any) -> None:
        self.heard.append(("updates_applied", news))

    @hook
    def review_opened(self, news: Any) -> None:
        self.heard.append(("review_opened", news))

    @hook
    def upstreams_checked(self, news: Any) -> None:
        self.heard.append(("upstreams_checked", news))

    @hook
    def schedule_handed_over(self, news: Any) -> None:
        self.heard.append(("schedule_handed_over", news))


class Failing:
    name = "failing"

    @hook
    def schedule_handed_over(self) -> None:
        raise RuntimeError("it is broken")

    @hook
    def builds_ended(self) -> None:
        raise RuntimeError("it is broken")


class Mistaken:
    name = "mistaken"

    @hook
    def build_ended(self) -> None:
        """There is no such event."""


class Demanding:
    name = "demanding"

    @hook
    def builds_ended(self, nothing: Any) -> None:
        """There is no such argument."""


def install(monkeypatch: pytest.MonkeyPatch, *kinds: type) -> list[tuple[str, Any]]:
    """Have these listeners registered; gives what `Recorder` hears from now on."""
    entries = tuple(
        EntryPoint(name=getattr(kind, "name"), value=f"{__name__}:{kind.__name__}", group="ci_toolkit.listeners")  # noqa: B009 - not of every type
        for kind in kinds
    )
    found = (*plugins._installed(), *entries)
    monkeypatch.setattr(plugins, "_installed", lambda: found)
    Recorder.heard.clear()
    return Recorder.heard
