"""Archives of images: the same bytes for the same images, and nothing that an enemy put into one is taken."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.image_layout import CONFIG_TYPE, MANIFEST_TYPE, image_for, parse_index
from ci_toolkit.formats.image_platform import parse_platform
from ci_toolkit.recipes.image_archive import check_archive, laid_image, pack_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARM, INTEL = parse_platform("linux/arm64"), parse_platform("linux/amd64")
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
NAME = "demo:1.0-1"


def blob(folder: Path, content: bytes, kind: str) -> dict[str, Any]:
    digits = hashlib.sha256(content).hexdigest()
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (folder / "blobs/sha256" / digits).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digits}", "size": len(content)}


def layout(folder: Path, architecture: str, layer: bytes = b"a layer", **more: Any) -> Path:
    """A layout of one image, as a tool that builds leaves it."""
    config = blob(folder, json.dumps({"os": "linux", "architecture": architecture}).encode(), CONFIG_TYPE)
    layers = [{**blob(folder, layer, LAYER_TYPE), **more}]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers})
    described = blob(folder, manifest.encode(), MANIFEST_TYPE)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    return folder


def packed(folder: Path) -> Path:
    """An archive of two images."""
    layout(folder / "0", "amd64")
    layout(folder / "1", "arm64", b"another layer")
    images = [laid_image(folder, "0", INTEL), laid_image(folder, "1", ARM)]
    pack_images(images, folder / "demo.oci.tar", name=NAME)
    return folder / "demo.oci.tar"


def test_an_archive_is_packed_checked_and_always_the_same(tmp_path: Path) -> None:
    one, two = packed(tmp_path / "one"), packed(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    check_archive(one, (INTEL, ARM), name=NAME)
    for platforms, name in (((INTEL,), NAME), ((ARM, INTEL), NAME), ((INTEL, ARM), "demo:1.0-2")):
        with pytest.raises(UpstreamError):
            check_archive(one, platforms, name=name)


def _link(folder: Path) -> None:
    for path in (folder / "blobs/sha256").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(folder / path.name)


def _link_folder(folder: Path) -> None:
    (folder / "blobs").rename(folder / "elsewhere")
    (folder / "blobs").symlink_to(folder / "elsewhere")


def _change_layer(folder: Path) -> None:
    path = folder / "blobs/sha256" / hashlib.sha256(b"a layer").hexdigest()
    path.write_bytes(b"A layer")


def _shorten_layer(folder: Path) -> None:
    path = folder / "blobs/sha256" / hashlib.sha256(b"a layer").hexdigest()
    path.write_bytes(b"a")


def _fifo(folder: Path) -> None:
    (folder / "index.json").unlink()
    os.mkfifo(folder / "index.json")


def _hard_link(folder: Path) -> None:
    (folder / "other").hardlink_to(folder / "index.json")


def _other_machine(folder: Path) -> None:
    layout(folder, "s390x")


def _elsewhere(folder: Path) -> None:
    layout(folder, "amd64", urls=["https://example.org/"])


def _climb(folder: Path) -> None:
    layout(folder, "amd64", digest="sha256:../../../etc/passwd")


def _nested(folder: Path) -> None:
    (folder / "index.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    "spoil",
    [
        _link,
        _link_folder,
        _change_layer,
        _shorten_layer,
        _fifo,
        _hard_link,
        _other_machine,
        _elsewhere,
        _climb,
        _nested,
    ],
)
def test_what_a_build_left_is_not_believed(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(layout(tmp_path / "0", "amd64"))
    with pytest.raises((UpstreamError, FormatError)):
        pack_images([laid_image(tmp_path, "0", INTEL)], tmp_path / "out.oci.tar", name=NAME)
    assert not [path for path in tmp_path.iterdir() if "out.oci.tar" in path.name]


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {one.name: file.read() for one in archive if (file := archive.extractfile(one))}


def _write(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in members:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _as_they_are(members: dict[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo(name), content) for name, content in members.items()]


@pytest.mark.parametrize(
    "kind", ["more", "less", "changed", "twice", "link", "sparse", "longer", "cut", "garbage", "empty"]
)
def test_what_another_machine_sends_is_not_believed(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path / "one")
    members = _members(path)
    layer = f"blobs/sha256/{hashlib.sha256(b'another layer').hexdigest()}"
    entries = _as_they_are(members)
    link = tarfile.TarInfo(layer)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    sparse, longer = tarfile.TarInfo(layer), tarfile.TarInfo(layer)
    sparse.type = tarfile.GNUTYPE_SPARSE
    longer.pax_headers = {"comment": "x" * 10_000}
    without = [entry for entry in entries if entry[0].name != layer]
    _write(
        path,
        {
            "more": [*entries, (tarfile.TarInfo("blobs/sha256/" + "0" * 64), b"x")],
            "less": without,
            "changed": [*without, (tarfile.TarInfo(layer), b"Another layer")],
            "twice": [*entries, (tarfile.TarInfo(layer), b"another layer")],
            "sparse": [*without, (sparse, b"another layer")],
            "longer": [*without, (longer, b"another layer")],
            "link": [*without, (link, b"")],
        }.get(kind, entries),
    )
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    if kind in ("garbage", "empty"):
        path.write_bytes(b"\x1f\x8b nonsense" * 100 if kind == "garbage" else b"")
    with pytest.raises((UpstreamError, FormatError)):
        check_archive(path, (INTEL, ARM), name=NAME)


def test_an_image_is_chosen_by_platform_and_variant() -> None:
    def entry(digit: str, architecture: str, variant: str = "", kind: str = MANIFEST_TYPE) -> dict[str, Any]:
        platform = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        return {"mediaType": kind, "digest": f"sha256:{digit * 64}", "size": 1, "platform": platform}

    manifests = [
        entry("1", "arm", "v6"),
        entry("2", "arm", "v7"),
        entry("3", "arm64", "v8"),
        entry("4", "amd64", kind="application/vnd.example.signature"),
        entry("5", "amd64"),
    ]
    listed = parse_index(json.dumps({"manifests": manifests}).encode(), file="index")
    wanted = ("linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/amd64")
    found = [image_for(listed, parse_platform(text), file="index").digest[7] for text in wanted]
    assert found == ["1", "2", "3", "5"]
    with pytest.raises(FormatError, match="has no image for linux/s390x"):
        image_for(listed, parse_platform("linux/s390x"), file="index")
