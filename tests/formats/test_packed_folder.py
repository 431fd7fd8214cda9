"""Package folders as one piece of bytes."""

from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.packed_folder import format_folder, parse_folder
from ci_toolkit.model.observation import UpstreamFile

# What git can name: any bytes but NUL, as text that keeps those that are no UTF-8.
PATHS = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda path: b"\0" not in path)
    .map(lambda path: path.decode(errors="surrogateescape"))
)
FILES = st.builds(UpstreamFile, mode=st.sampled_from(("100644", "100755", "120000")), content=st.binary(max_size=40))
FOLDERS = st.dictionaries(PATHS, FILES, max_size=5)
SAMPLE = {
    "PKGBUILD": UpstreamFile(mode="100644", content=b"pkgname=a\npkgver=1\n" * 4),
    ".CI/config": UpstreamFile(mode="100644", content=b"\0\xff\n"),
    "run": UpstreamFile(mode="100755", content=b""),
}


def is_refused(packed: bytes) -> bool:
    try:
        parse_folder(packed)
    except FormatError:
        return True
    return False


@given(FOLDERS)
def test_what_was_packed_is_unpacked(files: dict[str, UpstreamFile]) -> None:
    packed = format_folder(files)
    assert parse_folder(packed) == files
    assert format_folder(dict(reversed(files.items()))) == packed


@given(st.binary(max_size=200))
def test_any_bytes_are_a_folder_or_refused(content: bytes) -> None:
    assert is_refused(content) or format_folder(parse_folder(content))


def test_every_bit_counts() -> None:
    packed = format_folder(SAMPLE)
    for position in range(len(packed) * 8):
        damaged = bytearray(packed)
        damaged[position // 8] ^= 1 << position % 8
        assert is_refused(bytes(damaged)) or parse_folder(bytes(damaged)) == SAMPLE, position


def test_nothing_may_be_missing_nor_be_added() -> None:
    packed = format_folder(SAMPLE)
    for end in range(len(packed)):
        assert is_refused(packed[:end]), end
    assert is_refused(packed + b"\0")
    assert is_refused(packed + packed)


@pytest.mark.parametrize(
    ("head", "contents"),
    [
        ([["a", "100644", 3]], b"12"),
        ([["a", "100644", 1]], b"12"),
        ([["a", "100644", 3], ["b", "100644", -1]], b"12"),
        ([["a", "100644", -2], ["b", "100644", 4]], b"12"),
        ([["a", "100644", 2.0]], b"12"),
        ([["a", "100644", True]], b"1"),
        ([["a", "100644", "2"]], b"12"),
        ([["a", 100644, 2]], b"12"),
        ([[None, "100644", 2]], b"12"),
        ([["a", "100644"]], b""),
        ([["a", "100644", 1], ["a", "100644", 1]], b"12"),
        ([["b", "100644", 1], ["a", "100644", 1]], b"12"),
        ([[["a"], "100644", 2]], b"12"),
        (["abc"], b""),
        ({"abc": 1}, b""),
        (7, b""),
        (None, b""),
        ("", b""),
    ],
    ids=repr,
)
def test_a_head_that_nobody_wrote_is_refused(head: object, contents: bytes) -> None:
    assert is_refused(zstandard.compress(json.dumps(head).encode() + b"\n" + contents))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\n", b"[" * 100_000 + b"\n", b"\xff\n", b'[["a", "100644", 1' + b"0" * 5000 + b"]]\n"],
    ids=["nothing", "no end of line", "no head", "deep", "no text", "large number"],
)
def test_what_is_no_head_is_refused(content: bytes) -> None:
    assert is_refused(zstandard.compress(content))


@settings(max_examples=20)
@given(FOLDERS)
def test_what_is_refused_says_so(files: dict[str, UpstreamFile]) -> None:
    with pytest.raises(FormatError, match="a package folder that was to be built is damaged"):
        parse_folder(format_folder(files)[:-1])
