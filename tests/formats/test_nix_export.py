"""What `nix-store --export` writes and `--import` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nar import NarFile, NarLimits, format_nar
from ci_toolkit.formats.nix_export import ExportedPath, ExportReader, format_export
from ci_toolkit.formats.store_path import StorePath, parse_base_name
from tests.support.nix_store import NixStore, needs_nix

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (parse_base_name(f"{letter * 32}-{letter}") for letter in "abc")


def archive(content: bytes) -> bytes:
    return b"".join(format_nar([NarFile(path=b"", size_bytes=len(content), is_executable=False, content=[content])]))


PATHS = [
    (ExportedPath(path=A, references=(), deriver=None), archive(b"a" * 5000)),
    (ExportedPath(path=B, references=(A, B), deriver=C), archive(b"")),
]
STREAM = b"".join(format_export((exported, [content]) for exported, content in PATHS))


def read(
    pieces: list[bytes], *, directory: str | None = None, limits: NarLimits | None = None
) -> list[tuple[ExportedPath, bytes]]:
    reader, found = ExportReader(pieces, directory=directory, limits=limits), []
    taken: list[bytes] = []
    while (exported := reader.next(taken.append)) is not None:
        found.append((exported, b"".join(taken)))
        taken.clear()
    return found


@pytest.mark.parametrize("size", [1, 7, 8, 4096, 1 << 20])
def test_it_reads_back_in_whatever_pieces_it_comes(size: int) -> None:
    assert read([STREAM[at : at + size] for at in range(0, len(STREAM), size)]) == PATHS


def test_nothing_is_a_stream_too() -> None:
    assert read([b"".join(format_export([]))]) == []


def test_everything_that_is_cut_off_or_continued_is_refused() -> None:
    for end in range(len(STREAM)):
        with pytest.raises(FormatError):
            read([STREAM[:end]])
    with pytest.raises(FormatError, match="goes on behind its end"):
        read([STREAM, b"\0"])


def test_every_byte_counts() -> None:
    """What is changed is refused or is read as what it is now: nothing is passed over."""
    for at in range(0, len(STREAM), 3):
        changed = bytearray(STREAM)
        changed[at] ^= 0x15
        try:
            found = read([bytes(changed)])
        except FormatError:
            continue
        assert b"".join(format_export((exported, [content]) for exported, content in found)) == changed


def test_paths_of_another_store_are_refused() -> None:
    with pytest.raises(FormatError, match="is not in the store /tmp/store"):
        read([STREAM], directory="/tmp/store")
    other = StorePath(directory="/other", hash_part="d" * 32, name="d")
    mixed = b"".join(format_export([(ExportedPath(path=A, references=(other,), deriver=None), [archive(b"")])]))
    with pytest.raises(FormatError, match="is not in the store /nix/store"):
        read([mixed])


def test_limits_are_kept() -> None:
    with pytest.raises(FormatError, match="more than 4,999 bytes"):
        read([STREAM], limits=NarLimits(most_bytes=4999))
    many = STREAM.replace(
        (2).to_bytes(8, "little") + (45).to_bytes(8, "little"), bytes([255] * 8) + (45).to_bytes(8, "little")
    )
    assert many != STREAM
    with pytest.raises(FormatError, match="references"):
        read([many])


@needs_nix
def test_streams_go_to_nix_and_come_from_it(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/file").write_text("a library")
    lib = nix.add(tmp_path / "lib")
    user = nix.build(
        'derivation { name = "user"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'args = ["-c" "echo ${{builtins.storePath {lib}}} $out > $out"]; }}'
    )
    stream = nix.run("nix-store", "--export", lib, user)
    found = read([stream], directory=str(nix.directory))
    assert [str(exported.path) for exported, _ in found] == [lib, user]
    assert [str(one) for one in found[1][0].references] == sorted([lib, user])
    assert found[1][0].deriver is not None
    ours = b"".join(format_export((exported, [content]) for exported, content in found))
    assert ours == stream
    nix.run("nix-store", "--gc")
    assert not list(nix.directory.glob("*-user"))
    nix.run("nix-store", "--import", given=ours)
    assert sorted(nix.run("nix-store", "--query", "--references", user).decode().split()) == sorted([lib, user])
    nix.run("nix-store", "--verify", "--check-contents")
