"""What every publisher must do: a class of tests that needs fixtures for a place and for what is published there.

`publisher` and `tools` (`PublisherTools`) are a place that is empty, `older` and `newer` two deliveries of one package
base, `other` one of another base, and `broken` one that cannot be published, of a third.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.plugins import load_publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.publishers.spec import Delivery, Publisher, PublisherTools
    from ci_toolkit.scheduling.built_with import AvailablePackage


def contents(files: Iterable[Path]) -> set[str]:
    """Checksums of files."""
    return {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


class PublisherContract:
    """Subclass it where the fixtures are."""

    def test_it_is_registered_under_its_name(self, publisher: Publisher) -> None:
        assert type(load_publisher(publisher.name)) is type(publisher)

    def test_an_empty_place_has_nothing_and_gets_what_is_delivered(
        self, publisher: Publisher, tools: PublisherTools, older: Delivery, other: Delivery
    ) -> None:
        with publisher.opened(tools) as place:
            assert (tuple(place.available()), publisher.kept(tools)) == ((), frozenset())
            assert not place.publish([older, other], [])
            found = place.available()
        assert {package.base for package in found} == {older.pkgbase, other.pkgbase}
        assert {package.sha256 for package in found} == contents([*older.files, *other.files])
        assert contents(Path(package.place) for package in found) == {package.sha256 for package in found}
        assert all(package.name and package.version and package.file for package in found)
        assert len({package.name for package in found}) == len(found)
        # It is so for the next run, too.
        with publisher.opened(tools) as place:
            assert set(self.by_name(place.available()).items()) == set(self.by_name(found).items())
            assert publisher.kept(tools) >= {package.sha256 for package in found}

    def test_a_newer_delivery_is_in_place_of_all_that_its_base_had_and_the_old_is_kept(
        self, publisher: Publisher, tools: PublisherTools, older: Delivery, newer: Delivery, other: Delivery
    ) -> None:
        with publisher.opened(tools) as place:
            place.publish([older, other], [])
            assert not place.publish([newer], [])
            found = place.available()
            assert {one.sha256 for one in found if one.base == newer.pkgbase} == contents(newer.files)
            assert {one.sha256 for one in found if one.base == other.pkgbase} == contents(other.files)
            assert publisher.kept(tools) >= contents([*older.files, *newer.files, *other.files])

    def test_what_is_gone_leaves_while_something_else_comes(
        self, publisher: Publisher, tools: PublisherTools, older: Delivery, other: Delivery
    ) -> None:
        with publisher.opened(tools) as place:
            place.publish([older], [])
            assert not place.publish([other], [older.pkgbase])
            assert {package.base for package in place.available()} == {other.pkgbase}
            # One that was never there, or has gone, is no error.
            assert not place.publish([], [older.pkgbase, "never-there"])
            assert {package.base for package in place.available()} == {other.pkgbase}

    def test_what_is_refused_is_named_with_what_was_built_against_it_and_the_others_are_published(
        self, publisher: Publisher, tools: PublisherTools, older: Delivery, other: Delivery, broken: Delivery
    ) -> None:
        upon = replace(other, built_with=frozenset({broken.pkgbase}))
        with publisher.opened(tools) as place:
            refused = place.publish([broken, upon, older], [])
            assert refused.keys() == {broken.pkgbase, other.pkgbase}
            assert all(refused.values())
            assert broken.pkgbase in refused[other.pkgbase]
            assert {package.base for package in place.available()} == {older.pkgbase}
            # By itself it is.
            assert not place.publish([other], [])

    def by_name(self, packages: Iterable[AvailablePackage]) -> Mapping[str, str]:
        """Checksums by package."""
        return {package.name: package.sha256 for package in packages}
