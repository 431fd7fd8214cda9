"""Several places, published to in an order in which nothing comes before what it was built against."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.building.publishing_places import PublishingPlaces
from ci_toolkit.errors import ConfigError, NotReadyError, PublishError
from ci_toolkit.publishers.spec import Delivery
from ci_toolkit.scheduling.built_with import AvailablePackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass
class Place:
    """A place in memory, which notes what happens; `refuses` are package bases, `fault` what it fails with."""

    name: str
    happened: list[str]
    refuses: frozenset[str] = frozenset()
    fault: Exception | None = None
    bases: list[str] = field(default_factory=list)

    def available(self) -> tuple[AvailablePackage, ...]:
        return tuple(
            AvailablePackage(
                name=base, base=base, version="1", file=base, sha256="0", place="/", provides=(), depends=()
            )
            for base in self.bases
        )

    def publish(self, deliveries: Sequence[Delivery], gone: Iterable[str]) -> Mapping[str, str]:
        if self.fault is not None:
            raise self.fault
        left = sorted(set(gone) & set(self.bases))
        self.happened.append(
            f"{self.name}: {' '.join([one.pkgbase for one in deliveries] + [f'-{base}' for base in left])}"
        )
        taken = [one.pkgbase for one in deliveries if one.pkgbase not in self.refuses]
        self.bases = [base for base in self.bases if base not in left] + taken
        return {one.pkgbase: "bad" for one in deliveries if one.pkgbase in self.refuses}


@dataclass
class Stand:
    """Places by name, opened on demand."""

    places: dict[str, Place] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    not_ready: dict[str, Exception] = field(default_factory=dict)

    def add(self, name: str, **more: object) -> Place:
        self.places[name] = Place(name=name, happened=self.happened, **more)  # type: ignore[arg-type]  # fields of it
        return self.places[name]

    @contextmanager
    def opened(self, name: str) -> Iterator[Place]:
        if name in self.not_ready:
            raise self.not_ready[name]
        yield self.places[name]


def delivery(base: str, *built_with: str) -> Delivery:
    return Delivery(pkgbase=base, packages=(), built_with=frozenset(built_with))


@pytest.fixture
def stand() -> Stand:
    stand = Stand()
    for name in ("directory", "oci", "pacman"):
        stand.add(name)
    return stand


def test_what_was_built_against_something_comes_behind_it_wherever_they_go(stand: Stand) -> None:
    with ExitStack() as until:
        places = PublishingPlaces(stand.opened, until)
        wanted = {
            "oci": [delivery("image", "list"), delivery("alone")],
            "directory": [delivery("list", "lib")],
            "pacman": [delivery("lib"), delivery("app", "lib"), delivery("wrapper", "image")],
        }
        done = places.publish(wanted, [])
    assert stand.happened == [
        "oci: alone",
        "pacman: lib app",
        "directory: list",
        "oci: image",
        "pacman: wrapper",
    ]
    assert (done.refused, done.failed) == ({}, {})


def test_a_circle_through_places_is_published_all_the_same(stand: Stand) -> None:
    with ExitStack() as until:
        wanted = {"oci": [delivery("a", "b")], "directory": [delivery("b", "a")]}
        PublishingPlaces(stand.opened, until).publish(wanted, [])
    assert sorted(stand.happened) == ["directory: b", "oci: a"]


def test_what_is_refused_takes_along_what_was_built_against_it_elsewhere(stand: Stand) -> None:
    stand.places["pacman"].refuses = frozenset({"lib"})
    with ExitStack() as until:
        wanted = {
            "oci": [delivery("image", "list")],
            "directory": [delivery("list", "lib")],
            "pacman": [delivery("lib")],
        }
        done = PublishingPlaces(stand.opened, until).publish(wanted, [])
    assert done.refused == {
        "lib": "bad",
        "list": "it was built against lib, which is not published",
        "image": "it was built against list, which is not published",
    }
    assert stand.happened == ["pacman: lib"]


def test_what_goes_elsewhere_from_now_on_leaves_where_it_was(stand: Stand) -> None:
    stand.places["pacman"].bases = ["tool", "other"]
    with ExitStack() as until:
        places = PublishingPlaces(stand.opened, until)
        places.open("pacman")
        places.publish({"directory": [delivery("tool")]}, ["other"])
    assert sorted(stand.happened) == ["directory: tool", "pacman: -other -tool"]


def test_a_place_that_fails_or_is_not_ready_holds_up_no_other(stand: Stand) -> None:
    stand.places["oci"].fault = PublishError("it is down")
    stand.not_ready["directory"] = ConfigError("is no folder", key="CI_FILES_DIR")
    with ExitStack() as until:
        places = PublishingPlaces(stand.opened, until)
        wanted = {name: [delivery(f"for-{name}")] for name in stand.places}
        done = places.publish(wanted, [])
        assert {name: error.what for name, error in done.failed.items()} == {
            "oci": "it is down",
            "directory": "directory is not ready: CI_FILES_DIR is no folder",
        }
        assert stand.happened == ["pacman: for-pacman"]
        # It is asked again when there is something for it again.
        stand.not_ready.clear()
        assert not places.publish({"directory": [delivery("late")]}, []).failed
    assert stand.happened[-1] == "directory: late"


def test_what_was_built_against_something_that_waits_waits_with_it(stand: Stand) -> None:
    stand.places["directory"].fault = PublishError("it is down")
    with ExitStack() as until:
        places = PublishingPlaces(stand.opened, until)
        wanted = {"oci": [delivery("image", "list"), delivery("other")], "directory": [delivery("list")]}
        done = places.publish(wanted, [])
    assert {base: error.what for base, error in done.held.items()} == {"list": "it is down", "image": "it is down"}
    assert stand.happened == ["oci: other"]


def test_without_a_key_for_packages_nothing_begins(stand: Stand) -> None:
    stand.not_ready["pacman"] = NotReadyError("the signing key is missing")
    with ExitStack() as until, pytest.raises(NotReadyError, match="the signing key is missing"):
        PublishingPlaces(stand.opened, until).open("pacman")
