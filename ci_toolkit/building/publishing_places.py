"""All places that a run publishes to, each opened when something is there, is to go there, or is to leave it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, NotReadyError, PublishError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager, ExitStack

    from ci_toolkit.publishers.spec import Delivery, OpenPublisher
    from ci_toolkit.scheduling.built_with import AvailablePackage

FIRST_PUBLISHER = "pacman"
"""Opened where nothing was ever built: a key that is missing is to be missed before the first build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What became of it: package bases that are refused, with the reason, and places that could not be had now.

    `held` are the package bases that go there, or were built against one of those: they are still to be published.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, PublishError] = field(default_factory=dict)
    held: Mapping[str, PublishError] = field(default_factory=dict)


class PublishingPlaces:
    """The places by the names of their publishers; they are closed when `until` is."""

    def __init__(self, begin: Callable[[str], AbstractContextManager[OpenPublisher]], until: ExitStack) -> None:
        self._begin, self._until = begin, until
        self._opened: dict[str, OpenPublisher] = {}
        self._not_ready: dict[str, ConfigError | NotReadyError] = {}

    def open(self, name: str) -> None:
        """Open one of them; one that is not ready is tried again by the next publication that needs it.

        NotReadyError without what the first one needs, which is the one that is never to be missed.
        """
        if name in self._opened:
            return
        try:
            self._opened[name] = self._until.enter_context(self._begin(name))
        except (ConfigError, NotReadyError) as error:
            if name == FIRST_PUBLISHER:
                raise
            self._not_ready[name] = error
        else:
            self._not_ready.pop(name, None)

    def available(self) -> tuple[AvailablePackage, ...]:
        """What is published anywhere, to build other packages with."""
        return tuple(package for place in self._opened.values() for package in place.available())

    def publish(self, deliveries: Mapping[str, Sequence[Delivery]], gone: Iterable[str]) -> Publication:
        """Publish what was built, by publisher, and no longer what is gone; a place that fails holds up no other.

        What a package base had elsewhere before leaves there. What was built against something that is not published
        is not either, wherever it was to go.
        """
        for name in deliveries:
            self.open(name)
        leaving, refused, held = frozenset(gone), dict[str, str](), dict[str, PublishError]()
        failed = {
            name: PublishError(f"{name} is not ready: {error.what_and_where}")
            for name, error in self._not_ready.items()
            if name in deliveries
        }
        for step in _steps(deliveries):
            for name in failed.keys() & step.keys():
                held.update((one.pkgbase, failed[name]) for one in step[name])
            for name, place in self._opened.items():
                here = [one for one in step.get(name, ()) if not _stays_with(one, refused, held)]
                elsewhere = {one.pkgbase for other, them in step.items() if other != name for one in them}
                went = leaving | {package.base for package in place.available() if package.base in elsewhere}
                if (here or went) and name not in failed:
                    try:
                        refused.update(place.publish(here, sorted(went)))
                    except PublishError as error:
                        failed[name] = error
                        held.update((one.pkgbase, error) for one in here)
            leaving = frozenset()
        return Publication(refused=refused, failed=failed, held=held)


def _stays_with(delivery: Delivery, refused: dict[str, str], held: dict[str, PublishError]) -> bool:
    """Whether it was built against something that is refused or held, and so is now refused or held itself."""
    bad, waiting = sorted(delivery.built_with & refused.keys()), sorted(delivery.built_with & held.keys())
    if bad:
        refused[delivery.pkgbase] = f"it was built against {bad[0]}, which is not published"
    elif waiting:
        held[delivery.pkgbase] = held[waiting[0]]
    return bool(bad or waiting) or delivery.pkgbase in held


def _steps(deliveries: Mapping[str, Sequence[Delivery]]) -> Iterator[Mapping[str, Sequence[Delivery]]]:
    """At least one step; what was built against something that goes to another place comes in a later one than that."""
    left = {name: list(them) for name, them in deliveries.items() if them}
    if not left:
        yield {}
    while left:
        place_of = {one.pkgbase: name for name, them in left.items() for one in them}
        step = {
            name: [one for one in them if all(place_of.get(base, name) == name for base in one.built_with)]
            for name, them in left.items()
        }
        if not any(step.values()):
            step = dict(left)
        yield step
        left = {name: [one for one in them if one not in step[name]] for name, them in left.items()}
        left = {name: them for name, them in left.items() if them}
