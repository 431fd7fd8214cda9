"""Archives that are no images, or not what they say, are refused before anything of them is sent."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError, FormatError, RefusedError
from ci_toolkit.formats.oci_reference import image_name, image_tag, parse_oci_registry
from ci_toolkit.publishers.oci.archive import read_oci_archive
from tests.support.oci_layouts import INDEX, MANIFEST, oci_archive, write_archive

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path) -> str:
    with pytest.raises(FormatError) as raised:
        read_oci_archive(path, file=path.name)
    assert str(raised.value).startswith("x.oci.tar: ")
    return str(raised.value)


def named(content: bytes, media_type: str = MANIFEST, **more: Any) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.oci.tar"


def test_every_part_is_found_where_it_lies(path: Path) -> None:
    archive = oci_archive(path, platforms=("amd64", "arm64"))
    image = read_oci_archive(path, file=path.name)
    assert image.top.digest == archive.digest
    found = {document.digest: document.content for document in image.documents}
    for blob in image.blobs:
        with blob.opened() as stream:
            found[blob.digest] = stream.read()
    assert found == archive.blobs
    # What an index names comes before it.
    assert [document.media_type for document in image.documents] == [MANIFEST, MANIFEST, INDEX]


def test_an_archive_that_is_cut_off_anywhere_is_refused(path: Path) -> None:
    oci_archive(path)
    whole = path.read_bytes()
    content_ends = len(whole.rstrip(b"\0"))
    for size in range(0, content_ends, 97):
        path.write_bytes(whole[:size])
        refusal(path)


def test_a_change_of_any_part_is_refused(path: Path) -> None:
    archive = oci_archive(path)
    whole = path.read_bytes()
    for content in archive.blobs.values():
        start = whole.index(content)
        for position in (start, start + len(content) // 2, start + len(content) - 1):
            changed = bytearray(whole)
            changed[position] ^= 1
            path.write_bytes(changed)
            assert "is damaged" in refusal(path)


@pytest.mark.parametrize("platforms", [("amd64",), ("amd64", "arm64")])
def test_a_part_that_is_missing_is_refused(path: Path, platforms: tuple[str, ...]) -> None:
    archive = oci_archive(path, platforms=platforms)
    top = {"mediaType": MANIFEST if len(platforms) == 1 else INDEX, "digest": archive.digest}
    top_size = len(archive.blobs[archive.digest])
    for digest in archive.blobs:
        left = {name: content for name, content in archive.blobs.items() if name != digest}
        write_archive(path, left, [{**top, "size": top_size}])
        assert f"lacks a part that it names: '{digest}'" in refusal(path)
    write_archive(path, archive.blobs, [{**top, "size": top_size + 1}])
    assert "that is said to have" in refusal(path)


@pytest.mark.parametrize(
    ("tops", "problem"),
    [
        ([], "has 0 images, and one is pushed (put them into one index)"),
        ([named(b"{}"), named(b"{}")], "has 2 images"),
        ([{"digest": "sha256:x"}], "has a part without a sha256 digest"),
        ([named(b"{}", "text/plain")], "has a manifest of an unknown kind: 'text/plain'"),
        ([named(b"{}")], "has a manifest whose layers are no list"),
        ([named(b"[]")], "has a manifest that is no JSON object"),
        ([named(b"[" * 100_000)], "has a manifest that is no JSON"),
        ([named(b"{}", INDEX)], "has a manifest whose manifests are no list"),
        ([named(b'{"layers": [], "config": 5}')], "has a part without a sha256 digest"),
    ],
)
def test_manifests_that_are_none_are_refused(path: Path, tops: list[dict[str, Any]], problem: str) -> None:
    contents = (b"{}", b"[]", b"[" * 100_000, b'{"layers": [], "config": 5}')
    write_archive(path, {named(content)["digest"]: content for content in contents}, tops)
    assert problem in refusal(path)


def test_indexes_that_are_nested_without_end_are_refused(path: Path) -> None:
    blobs, entry = {}, named(b"{}")
    for _ in range(6):
        content = json.dumps({"manifests": [entry]}).encode()
        entry = named(content, INDEX)
        blobs[entry["digest"]] = content
    write_archive(path, blobs, [entry])
    assert "too many indexes in one another" in refusal(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(path: Path, kind: bytes) -> None:
    oci_archive(path)
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("blobs/sha256/link")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    assert "something else than files and folders" in refusal(path)


def test_extended_headers_are_read_within_limits(path: Path) -> None:
    archive = oci_archive(path)
    with tarfile.open(path) as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        contents = {name: file.read() for name, file in found.items() if file is not None}
    assert len(contents) == len(archive.blobs) + 2
    for comment, is_taken in (("short", True), ("x" * (1 << 17), False)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in contents.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size, member.pax_headers = len(content), {"comment": comment}
                tar.addfile(member, io.BytesIO(content))
        path.write_bytes(buffer.getvalue())
        if is_taken:
            assert read_oci_archive(path, file=path.name).top.digest == archive.digest
        else:
            assert "an extended header that is too long" in refusal(path)


@pytest.mark.parametrize(
    ("text", "place", "url", "namespace"),
    [
        ("registry.example.org", "registry.example.org", "https://registry.example.org", ""),
        ("Registry.Example.org:5000/mine/more/", "Registry.Example.org:5000/mine/more", "https://Registry.Example.org:5000", "mine/more"),
        ("https://ghcr.io/me", "ghcr.io/me", "https://ghcr.io", "me"),
        ("http://registry.lan:5000/x", "registry.lan:5000/x", "http://registry.lan:5000", "x"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x", "http://127.0.0.1:5000", "x"),
        ("localhost", "localhost", "http://localhost", ""),
        ("https://localhost:5000", "localhost:5000", "https://localhost:5000", ""),
        ("[::1]:5000/x", "[::1]:5000/x", "http://[::1]:5000", "x"),
        ("docker.io/me", "docker.io/me", "https://registry-1.docker.io", "me"),
    ],
)  # fmt: skip
def test_registries_are_read(text: str, place: str, url: str, namespace: str) -> None:
    registry = parse_oci_registry(text)
    assert (registry.place, registry.url, registry.namespace) == (place, url, namespace)


@pytest.mark.parametrize("text", ["ftp://x/y", "x/UPPER", "x//y", "x?y", "x/y:tag", "-x", "x y", "me:secret@x/y", "/x"])
def test_what_is_no_registry_is_said_without_passwords(text: str) -> None:
    with pytest.raises(ConfigError, match="is no registry") as raised:
        parse_oci_registry(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "image"),
    [("hello", "hello"), ("gtk+", "gtk-plus"), ("Foo__bar--baz", "foo_bar-baz"), ("@x.", "at-x"), ("a~b", "a-b")],
)
def test_names_become_what_images_are_called(name: str, image: str) -> None:
    assert image_name(name) == image


@pytest.mark.parametrize("name", ["", "..", "x" * 129, "é"])
def test_names_that_no_image_can_have_are_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="is nothing that an image can be called"):
        image_name(name)


@pytest.mark.parametrize("version", ["", "x" * 129, "latest"])
def test_versions_that_can_be_no_tag_are_refused(version: str) -> None:
    with pytest.raises(RefusedError, match="is no version that can be a tag"):
        image_tag(version)
