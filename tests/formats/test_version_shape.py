"""Which version text may follow which."""

from __future__ import annotations

import pytest

from ci_toolkit.formats.version_shape import is_described, is_hash, keeps_shape


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.2", "1.3rc1"),
        ("r9.abcdef1", "r12.1234567"),
        ("v1.2", "v2"),
        ("20250101", "20250202"),
        ("9.9", "10.0"),
        ("1.0.r1.gabcdef1", "1.1.r0.g1234567"),
    ],
)
def test_ordinary_steps_keep_their_shape(old: str, new: str) -> None:
    assert keeps_shape(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.2", "main"),
        ("1.2", "v1.3"),
        ("1.2", "1.3/.."),
        ("1.2", "1..3"),
        ("1.2", "1.3.evil"),
        ("1.2", "12345678"),
        ("1.2", "1abcdef"),
        ("1.2", ""),
        ("1.2", "1.3 4"),
        ("r9.abcdef1", "main.9.abcdef1"),
        ("main", "main2"),
    ],
)
def test_others_do_not(old: str, new: str) -> None:
    assert not keeps_shape(old, new)


def test_hashes_are_whole_ones() -> None:
    assert is_hash("a" * 40)
    assert is_hash("0" * 64)
    assert not any(map(is_hash, ("a" * 39, "A" * 40, "g" * 40, "a" * 41)))
    assert is_described("1.0.r3.gabcdef1")
    assert not is_described("1.0.3")
