"""Hash parts are found in content, wherever they stand and in whatever pieces it comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.nix_base32 import ALPHABET
from ci_toolkit.formats.reference_scan import ReferenceScanner

PART = "7npqailrg3y2cz6bz4s9mq6s0lpz67cm"
OTHER = "0y8cfjxvq78zlam9ykz8yicfqzajch2w"


def found(data: bytes, size: int, *parts: str) -> frozenset[str]:
    scanner = ReferenceScanner(parts)
    for at in range(0, len(data), size):
        scanner.take(data[at : at + size])
    return scanner.found


@pytest.mark.parametrize("size", [1, 5, 31, 32, 33, 1000])
def test_parts_are_found_across_borders(size: int) -> None:
    data = b"\0e/nix/store/" + PART.encode() + b"-name\0" + b"x" * 50 + OTHER.encode()
    assert found(data, size, PART, OTHER) == {PART, OTHER}
    assert found(data, size, "1" * 32) == frozenset()
    assert found(data, size) == frozenset()


@pytest.mark.parametrize("data", [PART[:-1].encode(), PART.upper().encode(), f"{PART[:16]}-{PART[16:]}".encode(), b""])
def test_what_only_looks_like_it_is_not_found(data: bytes) -> None:
    assert found(data, 7, PART) == frozenset()


@given(
    st.lists(st.binary(max_size=90) | st.text(ALPHABET, max_size=60).map(str.encode) | st.just(PART.encode())),
    st.integers(1, 70),
)
def test_it_finds_what_a_plain_search_finds(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    parts = [PART, OTHER, data[3:35].decode("latin1")]
    valid = [part for part in parts if len(part) == 32 and all(digit in ALPHABET for digit in part)]
    assert found(data, size, *valid) == {part for part in valid if part.encode() in data}


@pytest.mark.parametrize("count", [1, 500])
def test_long_runs_of_digits_hide_nothing_and_cost_little(count: int) -> None:
    parts = [PART, *(f"{number:032}" for number in range(1, count))]
    data = b"z" * 300_000 + PART.encode() + b"z" * 300_000
    began = time.process_time()
    assert found(data, 1 << 18, *parts) == {PART}
    assert time.process_time() - began < 2
