"""Images of closures, made from exports without Nix: layers, names, modes, and what a container begins with."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.image_platform import platform_of
from ci_toolkit.formats.nix_closure import read_closure
from ci_toolkit.recipes.image_archive import check_archive
from ci_toolkit.recipes.nix.image import write_image
from ci_toolkit.recipes.nix.keys import ImageWish
from tests.support.nix_exports import export, store_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "demo:1.0-1"


def image(folder: Path, stream: bytes, wish: ImageWish | None = None) -> Path:
    path, target = folder / "x.nix-export", folder / "x.oci.tar"
    path.write_bytes(stream)
    write_image(path, tuple(read_closure([stream])), wish or ImageWish(), target, name=NAME, created_s=1_790_000_000)
    return target


def documents(path: Path) -> tuple[dict[str, Any], list[tarfile.TarFile]]:
    """The configuration, and the layers, each held against its digests."""
    with tarfile.open(path) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}  # type: ignore[union-attr]

    def blob(descriptor: Mapping[str, Any]) -> bytes:
        content = files[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
        return content

    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    plain = [gzip.decompress(blob(layer)) for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in plain]
    return config, [tarfile.open(fileobj=io.BytesIO(one)) for one in plain]


def test_each_path_is_a_layer_with_what_nix_says_of_its_files(tmp_path: Path) -> None:
    lib, tool = store_path("lib"), store_path("tool")
    long = "a" * 200
    tree = {"run": b"#!/bin/sh\n", "link": b"-> run", long: b"text"}
    stream = export([(lib, b"of lib", ()), (tool, tree, (lib,))])
    wish = ImageWish(entrypoint=("run", "a"), command=("b",))
    config, layers = documents(image(tmp_path, stream, wish))
    assert config["config"] == {"Entrypoint": [f"{tool}/run", "a"], "Cmd": ["b"], "Env": [f"PATH={tool}/bin"]}
    assert config["created"] == "2026-09-21T14:13:20Z"
    found = [{one.name: (one.mode, one.mtime, one.uid, one.linkname) for one in layer} for layer in layers]
    top = str(tool)[1:]
    assert found == [
        {"nix": (0o755, 1, 0, ""), "nix/store": (0o755, 1, 0, ""), str(lib)[1:]: (0o444, 1, 0, "")},
        {
            "nix": (0o755, 1, 0, ""),
            "nix/store": (0o755, 1, 0, ""),
            top: (0o555, 1, 0, ""),
            f"{top}/{long}": (0o444, 1, 0, ""),
            f"{top}/link": (0o777, 1, 0, "run"),
            f"{top}/run": (0o555, 1, 0, ""),
        },
    ]
    # What another machine sends is read in the same way.
    check_archive(tmp_path / "x.oci.tar", [platform_of(platform.machine())], name=NAME)


def test_very_many_paths_share_the_last_layer(tmp_path: Path) -> None:
    paths = [store_path(f"p{number}") for number in range(130)]
    stream = export([(path, path.name.encode(), ()) for path in paths])
    _, layers = documents(image(tmp_path, stream))
    assert len(layers) == 100
    names = [one.name for layer in layers for one in layer if one.isreg()]
    assert names == [str(path)[1:] for path in paths]


def test_the_same_closure_makes_the_same_bytes(tmp_path: Path) -> None:
    stream = export([(store_path("x"), {"a": b"b" * 100_000}, ())])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert image(tmp_path / "one", stream).read_bytes() == image(tmp_path / "two", stream).read_bytes()
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"x.nix-export", "x.oci.tar"}


def test_an_entrypoint_needs_one_output_to_be_in(tmp_path: Path) -> None:
    stream = export([(store_path("x"), b"", ()), (store_path("y"), b"", ())])
    with pytest.raises(ConfigError, match="there are 2 outputs") as caught:
        image(tmp_path, stream, ImageWish(entrypoint=("bin/x",)))
    assert caught.value.key == "entrypoint"
    config, _ = documents(image(tmp_path, stream, ImageWish(entrypoint=("/bin/x",))))
    assert config["config"]["Entrypoint"] == ["/bin/x"]
