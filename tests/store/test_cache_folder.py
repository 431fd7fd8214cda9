"""A binary cache in a folder is imported: all of it, or what somebody needs, and nothing that is not what it says."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
from typing import TYPE_CHECKING

import pytest
import zstandard

from ci_toolkit.errors import FormatError, NotReadyError, RefusedError
from ci_toolkit.formats.narinfo import NarInfo, format_narinfo
from ci_toolkit.formats.nix_signatures import generate_secret_key
from ci_toolkit.formats.store_path import fingerprint
from ci_toolkit.store.cache_folder import import_cache, is_cache
from ci_toolkit.store.importing import import_export
from tests.support.nix_store import NixStore, needs_nix
from tests.support.stores import files
from tests.support.trees import archive, contents, expected, exported, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ci_toolkit.store.object_store import ObjectStore

KEY = generate_secret_key("key-1")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "bzip2": bz2.compress,
    "gzip": gzip.compress,
}


def offer(
    cache: Path, letter: str, content: str, refers_to: str = "", *, packed: str = "xz", sign: bool = True
) -> Path:
    """A path of a cache; gives its packed archive."""
    (cache / "nar").mkdir(parents=True, exist_ok=True)
    (cache / "nix-cache-info").write_text("StoreDir: /nix/store\n")
    data, references = archive(content.encode()), tuple(map(named, sorted(refers_to)))
    sha256 = hashlib.sha256(data).hexdigest()
    signed = fingerprint(named(letter), nar_sha256=sha256, nar_size_bytes=len(data), references=references)
    info = NarInfo(
        path=named(letter),
        url=f"nar/{letter}",
        compression=packed,
        nar_sha256=sha256,
        nar_size_bytes=len(data),
        references=references,
        signatures=(KEY.sign(signed),) if sign else (),
    )
    (cache / info.file_name).write_text(format_narinfo(info))
    (cache / info.url).write_bytes(PACKERS.get(packed, bytes)(data))
    return cache / info.url


@pytest.mark.parametrize("packed", PACKERS)
def test_archives_are_unpacked_and_what_is_referred_to_comes_first(
    store: ObjectStore, tmp_path: Path, packed: str
) -> None:
    offer(tmp_path / "cache", "a", "one", "c", packed=packed)
    offer(tmp_path / "cache", "b", "two", packed=packed)
    offer(tmp_path / "cache", "c", "three", packed=packed)
    assert is_cache(tmp_path / "cache")
    brought = import_cache(store, tmp_path / "cache", names=[named("a").base_name], keys=[KEY.public])
    assert [one.path.name for one in brought] == ["c", "a"]
    assert [one.path.name for one in import_cache(store, tmp_path / "cache")] == ["c", "a", "b"]
    assert contents(store) == expected([exported("a", "one"), exported("b", "two"), exported("c", "three")])


def test_nothing_is_imported_unless_everything_is_signed(store: ObjectStore, tmp_path: Path) -> None:
    offer(tmp_path / "cache", "a", "one")
    offer(tmp_path / "cache", "b", "two", "a", sign=False)
    with pytest.raises(RefusedError, match="is not signed") as caught:
        list(import_cache(store, tmp_path / "cache", keys=[KEY.public]))
    assert (caught.value.key, store.entries()) == (str(named("b")), ())


@pytest.mark.parametrize("packed", ["xz", "zstd", "gzip", "none"])
@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:-20], lambda data: data[:40] + b"?" + data[41:], lambda _: b"", lambda data: data + data],
    ids=["cut", "changed", "empty", "twice"],
)
def test_a_damaged_archive_is_named_and_leaves_nothing(
    store: ObjectStore, tmp_path: Path, packed: str, spoil: Callable[[bytes], bytes]
) -> None:
    path = offer(tmp_path / "cache", "a", "one" * 100, packed=packed)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FormatError) as caught:
        list(import_cache(store, tmp_path / "cache"))
    assert str(path) in str(caught.value)
    assert list(files(store)) == []


def test_a_bomb_is_not_unpacked(store: ObjectStore, tmp_path: Path) -> None:
    path = offer(tmp_path / "cache", "a", "one")
    path.write_bytes(lzma.compress(archive(bytes(50_000_000))))
    with pytest.raises(FormatError, match="more than 120 bytes in its files"):
        list(import_cache(store, tmp_path / "cache"))


def test_what_is_missing_or_told_of_elsewhere_is_named(store: ObjectStore, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    offer(cache, "a", "one").unlink()
    with pytest.raises(FormatError, match="nar/a: is missing"):
        list(import_cache(store, cache))
    with pytest.raises(NotReadyError, match="is not in the cache"):
        list(import_cache(store, cache, names=["x"]))
    (cache / f"{'b' * 32}.narinfo").write_text((cache / f"{'a' * 32}.narinfo").read_text())
    with pytest.raises(FormatError, match="tells of another path"):
        list(import_cache(store, cache))
    offer(cache, "b", "two", packed="br")
    with pytest.raises(FormatError, match="is packed with br; known are none, xz"):
        list(import_cache(store, cache, names=[named("b").base_name]))


@needs_nix
def test_what_nix_copies_to_a_cache_is_what_it_exports(store: ObjectStore, tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    (tmp_path / "lib").write_text("a library")
    lib = nix.add(tmp_path / "lib")
    user = nix.build(
        'derivation { name = "user"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'args = ["-c" "echo ${{builtins.storePath {lib}}} > $out"]; }}'
    )
    for packed in ("xz", "zstd"):
        cache = f"file://{tmp_path}/{packed}?compression={packed}"
        nix.run("nix", "--extra-experimental-features", "nix-command", "copy", "--to", cache, user)
        assert [str(one.path) for one in import_cache(store, tmp_path / packed)] == [lib, user]
    again = list(import_export(store, [nix.run("nix-store", "--export", lib, user)]))
    assert [one.is_new for one in again] == [False, False]
