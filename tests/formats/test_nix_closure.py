"""Closures: read as a whole, path by path, and refused when they are none."""

from __future__ import annotations

import hashlib

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_closure import read_closure, top_paths
from tests.support.nix_exports import archive, export, store_path

LIB, TOOL, OTHER = store_path("lib"), store_path("tool"), store_path("other")
STREAM = export([(LIB, b"lib", (LIB,)), (TOOL, b"tool", (LIB,)), (OTHER, b"other", (LIB,))])


def test_each_path_comes_with_its_archive_and_what_was_wanted_is_on_top() -> None:
    taken = bytearray()
    found = []
    for one in read_closure([STREAM[:100], STREAM[100:]], taken.extend):
        assert bytes(taken) == archive(one.path.name.encode())
        assert (one.nar_size_bytes, one.nar_sha256) == (len(taken), hashlib.sha256(taken).hexdigest())
        taken.clear()
        found.append(one)
    assert [one.path for one in found] == [LIB, TOOL, OTHER]
    # A path that refers to itself is as good as one that does not.
    assert found[0].references == (LIB,)
    assert {one.path for one in top_paths(found)} == {TOOL, OTHER}


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (export([(LIB, b"", ()), (LIB, b"", ())]), "twice"),
        (export([(TOOL, b"", (LIB,)), (LIB, b"", ())]), "not before it"),
        (export([]), "no paths"),
        (STREAM.replace(b"/nix/store", b"/gnu/store"), "not in the store"),
        (STREAM + b"\0", "behind its end"),
    ],
    ids=["twice", "disorder", "empty", "elsewhere", "more"],
)
def test_what_is_no_closure_is_refused(stream: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        list(read_closure([stream]))


@pytest.mark.parametrize("length", range(0, len(STREAM), 61))
def test_what_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        list(read_closure([STREAM[:length]]))
