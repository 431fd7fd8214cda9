"""The AUR's dump, whole and damaged."""

from __future__ import annotations

import gzip
import json

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats import aur_metadata
from ci_toolkit.formats.aur_metadata import base_names, find_listings, parse_aur_metadata
from ci_toolkit.model.names import Pkgbase
from tests.support.upstreams import AurPackage, make_dump

PACKAGES = {
    "plain": AurPackage(100),
    "split": AurPackage(200, "bob", ("eve", "al"), names=("split-a", "split-b")),
    "orphan": AurPackage(300, None),
}


def packed(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def test_wanted_entries_are_read_and_all_are_counted() -> None:
    metadata = parse_aur_metadata(packed(make_dump(PACKAGES, filler=50)), {"split", "orphan", "absent"})
    assert metadata.count == 54
    assert set(metadata.entries) == {"split", "orphan"}
    assert metadata.entries[Pkgbase("split")].maintainers == ("bob", "eve", "al")
    assert metadata.entries[Pkgbase("split")].modified_s == 200
    assert metadata.entries[Pkgbase("orphan")].maintainers == ()


def test_an_empty_list_is_no_error_and_counts_nothing() -> None:
    assert parse_aur_metadata(packed(b"[]"), set()).count == 0


def test_one_line_of_objects_is_one_line() -> None:
    assert parse_aur_metadata(packed(b'[{"PackageBase":"a","LastModified":1,"Maintainer":null}]'), {"a"}).count == 1


@pytest.mark.parametrize("part", range(1, 20))
def test_a_dump_that_is_cut_anywhere_is_refused(part: int) -> None:
    good = packed(make_dump(PACKAGES, filler=200))
    with pytest.raises(FormatError):
        parse_aur_metadata(good[: len(good) * part // 20], {"plain"})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"{}",
        b"<html>",
        b"[",
        b'["a"]',
        b"[1]",
        b"[{}]",
        b'[{"PackageBase": 5}]',
        b'[{"PackageBase":"a"},',
    ],
)
def test_text_of_another_shape_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse_aur_metadata(packed(text), {"a"})


@pytest.mark.parametrize(
    "change",
    [
        {"LastModified": "100"},
        {"LastModified": True},
        {"LastModified": 1.5},
        {"LastModified": None},
        {"Maintainer": 7},
        {"Maintainer": ["a"]},
        {"CoMaintainers": "a"},
        {"CoMaintainers": [1]},
    ],
    ids=str,
)
def test_hostile_types_are_refused(change: dict[str, object]) -> None:
    row = {"PackageBase": "a", "LastModified": 1, "Maintainer": "m", "CoMaintainers": [], **change}
    with pytest.raises(FormatError):
        parse_aur_metadata(packed(json.dumps([row]).encode()), {"a"})


def test_a_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aur_metadata, "LARGEST_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(FormatError, match="unpacks to more"):
        parse_aur_metadata(packed(b"[\n" + b"\n" * (4 << 20)), set())


def test_an_endless_line_is_stopped() -> None:
    with pytest.raises(FormatError, match="more than 1 MiB"):
        parse_aur_metadata(packed(b"[" + b" " * (2 << 20)), set())


def test_packages_are_found_by_name_base_and_what_they_provide() -> None:
    rows = [
        {"Name": "one", "PackageBase": "base", "Provides": ["libx.so=1-64"], "Depends": ["a>1"], "MakeDepends": ["b"]},
        {"Name": "two", "PackageBase": "base", "CheckDepends": ["c", "a>1"]},
        {"Name": "other", "PackageBase": "other", "Description": "mentions one, and libx.so"},
    ]
    dump = packed(b"[\n" + b",\n".join(json.dumps(row).encode() for row in rows) + b"\n]\n")
    assert [found.name for found in find_listings(dump, {"libx.so"})] == ["one"]
    assert [found.name for found in find_listings(dump, {"base", "nobody"})] == ["one", "two"]
    assert [found.needs for found in find_listings(dump, {"one", "two"})] == [("a>1", "b"), ("c", "a>1")]
    assert list(base_names(dump)) == ["base", "base", "other"]


@pytest.mark.parametrize(
    "change", [{"Name": 1}, {"Provides": "x"}, {"Depends": [None]}, {"CheckDepends": {"a": "b"}}], ids=str
)
def test_listings_of_hostile_types_are_refused(change: dict[str, object]) -> None:
    row = {"PackageBase": "a", "Name": "a", **change}
    with pytest.raises(FormatError):
        list(find_listings(packed(b"[\n" + json.dumps(row).encode() + b"\n]\n"), {"a"}))
