"""Nix archives: what is read is what was written, and what nobody should write is refused."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.byte_stream import padded_text, pieces_of
from ci_toolkit.formats.nar import (
    DEEPEST,
    NarEntry,
    NarFile,
    NarFolder,
    NarLimits,
    NarLink,
    format_nar,
    parse_nar,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = bytes | tuple[bytes] | dict[bytes, "Tree"]
"""A file, which is executable if it begins with `#!`, a link (its target), or a folder."""

NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: name not in (b".", b"..") and not set(name) & set(b"/\0"))
LEAVES = st.binary(max_size=40) | st.tuples(
    st.binary(min_size=1, max_size=10).filter(lambda target: b"\0" not in target)
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def entries(tree: Tree, path: bytes = b"") -> Iterator[NarEntry]:
    if isinstance(tree, bytes):
        pieces = (tree[:7], tree[7:])
        yield NarFile(path=path, size_bytes=len(tree), is_executable=tree.startswith(b"#!"), content=pieces)
    elif isinstance(tree, tuple):
        yield NarLink(path=path, target=tree[0])
    else:
        yield NarFolder(path=path)
        for name, inner in sorted(tree.items()):
            yield from entries(inner, path + b"/" + name if path else name)


def packed(tree: Tree) -> bytes:
    return b"".join(format_nar(entries(tree)))


def unpacked(pieces: list[bytes] | bytes, limits: NarLimits | None = None) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for entry in parse_nar([pieces] if isinstance(pieces, bytes) else pieces, limits=limits):
        if isinstance(entry, NarFile):
            found.append((entry.path, entry.is_executable, b"".join(entry.content)))
        elif isinstance(entry, NarLink):
            found.append((entry.path, "->", entry.target))
        else:
            found.append((entry.path,))
    return found


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


BIG: Tree = {b"a": b"plain", b"b": {b"c": b"#!run", b"d": {}, b"e": (b"../a",)}, b"b.c": b"", b"z" * 255: b"x" * 1000}


# what is written is read, whatever pieces it comes in


@given(TREES, st.integers(1, 60))
def test_trees_read_back(tree: Tree, size: int) -> None:
    data = packed(tree)
    assert len(data) % 8 == 0
    again = [
        (entry.path, entry.is_executable, b"".join(entry.content))
        if isinstance(entry, NarFile)
        else (entry.path, "->", entry.target)
        if isinstance(entry, NarLink)
        else (entry.path,)
        for entry in entries(tree)
    ]
    assert unpacked(in_pieces(data, size)) == again
    assert b"".join(format_nar(parse_nar(in_pieces(data, size)))) == data


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 255))
def test_what_is_accepted_is_written_in_the_one_way_that_there_is(noise: bytes, where: int, value: int) -> None:
    data = bytearray(packed(BIG))
    data[where % len(data)] = value
    for candidate in (bytes(data), bytes(data[: where % len(data)]) + noise):
        try:
            again = b"".join(format_nar(parse_nar([candidate])))
        except FormatError:
            continue
        assert again == candidate


def test_content_that_nobody_reads_is_passed_over() -> None:
    assert [entry.path for entry in parse_nar([packed(BIG)])] == [
        b"",
        b"a",
        b"b",
        b"b/c",
        b"b/d",
        b"b/e",
        b"b.c",
        b"z" * 255,
    ]


def test_a_large_file_is_never_held_as_a_whole() -> None:
    size = 64 << 20
    piece = bytes(1 << 18)
    big = NarFile(path=b"", size_bytes=size, is_executable=False, content=(piece for _ in range(size // len(piece))))
    digest, count = hashlib.sha256(), 0
    tracemalloc.start()
    try:
        for entry in parse_nar(format_nar([big])):
            assert isinstance(entry, NarFile)
            for part in entry.content:
                digest.update(part)
                count += len(part)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == size
    assert digest.hexdigest() == hashlib.sha256(bytes(size)).hexdigest()
    assert most < 4 << 20


# what hostile archives say


def node(*words: bytes | str) -> bytes:
    return b"".join(padded_text(word.encode() if isinstance(word, str) else word) for word in words)


def folder_of(*names: bytes) -> bytes:
    inner = b"".join(
        node("entry", "(", "name", name, "node", "(", "type", "regular", "contents", b"x", ")", ")") for name in names
    )
    return node("nix-archive-1", "(", "type", "directory") + inner + node(")")


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"a\0", b"n" * 256], ids=repr)
def test_names_that_lead_elsewhere_are_refused(name: bytes) -> None:
    with pytest.raises(FormatError, match="name"):
        unpacked(folder_of(name))
    with pytest.raises(FormatError):
        packed({b"inner": {name: b""}})


@pytest.mark.parametrize("names", [(b"b", b"a"), (b"a", b"a"), (b"a", b"b", b"a")], ids=["order", "twice", "again"])
def test_names_that_are_not_sorted_are_refused(names: tuple[bytes, ...]) -> None:
    with pytest.raises(FormatError, match="twice, or not in its place") as caught:
        unpacked(folder_of(*names))
    assert caught.value.got == "a"


@pytest.mark.parametrize("target", [b"", b"a\0b", b"t" * 4096], ids=["empty", "NUL", "long"])
def test_links_that_no_file_system_has_are_refused(target: bytes) -> None:
    with pytest.raises(FormatError, match="link"):
        unpacked(node("nix-archive-1", "(", "type", "symlink", "target", target, ")"))
    with pytest.raises(FormatError, match="link"):
        packed({b"a": (target,)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        node("nix-archive-2"),
        node("nix-archive-1"),
        node("nix-archive-1", "(", "type", "device", ")"),
        node("nix-archive-1", "(", "type", "regular", ")"),
        node("nix-archive-1", "(", "type", "regular", "contents", "x", "contents", "y", ")"),
        node("nix-archive-1", "(", "type", "regular", "executable", "x", "contents", "", ")"),
        node("nix-archive-1", "(", "type", "regular", "contents", "", "executable", "", ")"),
        node("nix-archive-1", "(", "type", "symlink", ")"),
        node("nix-archive-1", "(", "type", "directory", "entry", "(", "name", "a", ")", ")"),
        node("nix-archive-1", "(", "type", "directory", "entry", "(", "node", "(", "type", "directory", ")", "name", "a", ")", ")"),
        packed(b"x")[:-8],
        packed(b"x") + b"\0",
        packed(b"x") + packed(b"x"),
        packed(b"abc").replace(b"abc\0", b"abc!"),
    ],
)  # fmt: skip
def test_what_is_not_written_in_that_way_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        unpacked(data)


def test_everything_that_is_cut_off_is_refused() -> None:
    data = packed(BIG)
    for end in range(len(data)):
        with pytest.raises(FormatError):
            unpacked(data[:end])


@pytest.mark.parametrize("size", [1 << 40, (1 << 64) - 1])
def test_sizes_are_believed_only_as_far_as_they_are_allowed(size: int) -> None:
    head = node("nix-archive-1", "(", "type")
    with pytest.raises(FormatError, match="bytes in its files"):
        unpacked(head + node("regular", "contents") + size.to_bytes(8, "little"))
    with pytest.raises(FormatError, match="a link of"):
        unpacked(head + node("symlink", "target") + size.to_bytes(8, "little"))


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(FormatError, match="more than 9 bytes in its files"):
        unpacked(packed({b"a": b"12345", b"b": b"12345"}), NarLimits(most_bytes=9))
    with pytest.raises(FormatError, match="more than 3 entries"):
        unpacked(packed({b"a": b"", b"b": {}, b"c": b""}), NarLimits(most_entries=3))
    deep = b"".join(node("(", "type", "directory", "entry", "(", "name", "a", "node") for _ in range(DEEPEST + 1))
    with pytest.raises(FormatError, match=f"more than {DEEPEST} others"):
        unpacked(node("nix-archive-1") + deep + node("(", "type", "directory", ")"))


# what a writer must not be given


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [NarFolder(path=b"a")],
        [NarLink(path=b"", target=b"x"), NarLink(path=b"a", target=b"x")],
        [NarFolder(path=b""), NarLink(path=b"a/b", target=b"x")],
        [NarFolder(path=b""), NarFolder(path=b"a"), NarFolder(path=b"b"), NarLink(path=b"a/b", target=b"x")],
        [NarFolder(path=b""), NarFolder(path=b"b"), NarFolder(path=b"a")],
        [NarFolder(path=b""), NarFolder(path=b"")],
    ],
    ids=["nothing", "no top", "in a file", "in no folder", "in a closed folder", "not sorted", "two tops"],
)
def test_entries_that_are_no_tree_are_refused(wrong: list[NarEntry]) -> None:
    with pytest.raises(FormatError):
        list(format_nar(wrong))


@pytest.mark.parametrize("content", [b"", b"ab", b"abcd"])
def test_a_file_that_changes_while_it_is_read_is_named(content: bytes) -> None:
    file = NarFile(path=b"a", size_bytes=3, is_executable=False, content=[content])
    with pytest.raises(FormatError, match="was said to have 3") as caught:
        list(format_nar([NarFolder(path=b""), file]))
    assert caught.value.key == "a"


def test_a_file_is_read_in_pieces() -> None:
    assert [len(piece) for piece in pieces_of(io.BytesIO(bytes(600_000)))] == [262_144, 262_144, 75_712]
