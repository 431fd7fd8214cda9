"""Images to build: tiny folders, programs of several machines, and what is in an archive."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ci_toolkit.model.observation import UpstreamFile

Files = dict[str, UpstreamFile]
_BUSYBOX = shutil.which("busybox")
_LACKING = [name for name in ("buildah", "bwrap", "skopeo", "busybox") if shutil.which(name) is None]
needs_buildah = pytest.mark.skipif(
    bool(_LACKING) and not os.environ.get("CI"), reason=f"{', '.join(_LACKING)} not installed"
)


def image_folder(containerfile: str, recipe: str = "", **texts: str) -> Files:
    """A folder that makes an image: a Containerfile, the owner's file (its first lines given), and busybox."""
    told = f'recipe = "container"\nversion = "1.0"\n{recipe}'
    found = {"Containerfile": containerfile, ".CI/recipe.toml": told, **texts}
    return {name: UpstreamFile(mode="100644", content=text.encode()) for name, text in found.items()}


def busybox() -> UpstreamFile:
    """A program that is many, and needs nothing else."""
    return UpstreamFile(mode="100755", content=Path(_BUSYBOX or "/bin/busybox").read_bytes())


def program_for(architecture: str, text: str) -> UpstreamFile:
    """A program for amd64 or arm64 that says something: a few instructions, and nothing else is needed."""
    said = text.encode()
    if architecture == "arm64":
        # x0 = 1; x1 = address of the text; x2 = its length; x8 = write; call; x0 = 0; x8 = exit; call
        words = (0xD2800020, 0x100000E1, 0xD2800002 | len(said) << 5, 0xD2800808, 0xD4000001, 0xD2800000, 0xD2800BA8)
        machine, code = 183, struct.pack("<8I", *words, 0xD4000001)
    else:
        # eax = write; edi = 1; rsi = address of the text; edx = its length; call; eax = exit; edi = 0; call
        start = b"\xb8\x01\0\0\0\xbf\x01\0\0\0\x48\x8d\x35\x10\0\0\0\xba" + struct.pack("<I", len(said))
        machine, code = 62, start + b"\x0f\x05\xb8\x3c\0\0\0\x31\xff\x0f\x05"
    body = code + said
    base, header = 0x400000, 64 + 56
    size = header + len(body)
    head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + header, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return UpstreamFile(mode="100755", content=b"\x7fELF\x02\x01\x01" + bytes(9) + head + segment + body)


def documents(archive: Path) -> dict[str, Any]:
    """What is in an archive by the names of its members: JSON where it is some, else the size."""
    found: dict[str, Any] = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            file = opened.extractfile(member)
            content = file.read() if file else b""
            found[member.name.removeprefix("blobs/sha256/")] = (
                json.loads(content) if content[:1] == b"{" else len(content)
            )
    return found


def config_of(archive: Path, number: int = 0) -> dict[str, Any]:
    """The configuration of one of its images."""
    found = documents(archive)
    top = found["index.json"]["manifests"][0]
    if "index" in top["mediaType"]:
        top = found[top["digest"][7:]]["manifests"][number]
    config = found[found[top["digest"][7:]]["config"]["digest"][7:]]
    assert isinstance(config, dict)
    return config


def files_of(archive: Path, folder: Path) -> dict[str, tarfile.TarInfo]:
    """The files of its image, as skopeo unpacks it."""
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--insecure-policy", f"oci-archive:{archive}", f"dir:{folder}"], check=True
    )
    manifest = json.loads((folder / "manifest.json").read_bytes())
    found = {}
    for layer in manifest["layers"]:
        with tarfile.open(folder / layer["digest"][7:]) as opened:
            found.update({member.name.strip("/"): member for member in opened})
    return found


def push(archive: Path, name: str) -> None:
    """Put an archive's image into a registry on loopback."""
    words = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--all"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    subprocess.run([*words, f"oci-archive:{archive}", f"docker://{name}"], check=True, env=environ)
