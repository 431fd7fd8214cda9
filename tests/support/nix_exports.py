"""Exports of closures as nix-store writes them, made without it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ci_toolkit.formats.nar import NarFile, NarFolder, NarLink, format_nar, parse_nar
from ci_toolkit.formats.nix_base32 import format_base32
from ci_toolkit.formats.nix_closure import read_closure
from ci_toolkit.formats.nix_export import ExportedPath, format_export
from ci_toolkit.formats.nix_signatures import SecretKey
from ci_toolkit.formats.store_path import StorePath, parse_base_name
from tests.support.deliveries import delivery_of, publisher_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ci_toolkit.publishers.spec import Delivery, PublisherTools

KEY = SecretKey(name="tests-1", seed=bytes(range(32)))


def store_path(name: str, seed: str = "") -> StorePath:
    """A path that is always the same for a name and a seed."""
    return parse_base_name(f"{format_base32(hashlib.sha256(f'{name} {seed}'.encode()).digest()[:20])}-{name}")


def archive(content: bytes | Mapping[str, bytes]) -> bytes:
    """The archive of a file, or of a folder with files: those that begin with `#!` can be run, `-> x` is a link to x."""
    if isinstance(content, bytes):
        return b"".join(
            format_nar([NarFile(path=b"", size_bytes=len(content), is_executable=False, content=[content])])
        )
    entries: list[NarFile | NarFolder | NarLink] = [NarFolder(path=b"")]
    for name, data in sorted(content.items()):
        path = name.encode()
        if data.startswith(b"-> "):
            entries.append(NarLink(path=path, target=data.removeprefix(b"-> ")))
        else:
            entries.append(
                NarFile(path=path, size_bytes=len(data), is_executable=data.startswith(b"#!"), content=[data])
            )
    return b"".join(format_nar(entries))


def export(paths: Iterable[tuple[StorePath, bytes | Mapping[str, bytes], Iterable[StorePath]]]) -> bytes:
    """The stream of paths with their contents and references."""
    rows = [
        (ExportedPath(path=path, references=tuple(sorted(references)), deriver=None), [archive(content)])
        for path, content, references in paths
    ]
    return b"".join(format_export(rows))


def exported(
    folder: Path,
    pkgbase: str,
    version: str = "1.0-1",
    *,
    library: str = "one",
    seed: str = "",
    text: bytes = b"hello",
) -> Path:
    """An export in a file of its usual name: a tool, made by `seed`, that needs a library and refers to itself."""
    lib, tool = store_path("lib", library), store_path(pkgbase, f"{version} {seed}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pkgbase}-{version}-x86_64.nix-export"
    content = {"bin": b"#!" + text, "link": f"-> {lib}".encode()}
    path.write_bytes(export([(lib, library.encode() * 100, ()), (tool, content, (lib, tool))]))
    return path


def nix_delivery(folder: Path, pkgbase: str, version: str = "1.0-1", **what: str) -> Delivery:
    """A delivery of such an export."""
    text = what.pop("text", "hello").encode()
    return delivery_of(pkgbase, [exported(folder, pkgbase, version, text=text, **what)])


def contents(path: Path) -> dict[str, dict[str, bytes]]:
    """What is in an export: for each path, by its name, files by theirs; of links where they lead, behind `-> `."""
    found: dict[str, dict[str, bytes]] = {}
    spool = bytearray()
    for one in read_closure([path.read_bytes()], spool.extend):
        files: dict[str, bytes] = {}
        for entry in parse_nar([bytes(spool)]):
            if isinstance(entry, NarFile):
                files[entry.path.decode()] = b"".join(entry.content)
            elif isinstance(entry, NarLink):
                files[entry.path.decode()] = b"-> " + entry.target
        found[one.path.name] = files
        spool.clear()
    return found


def nix_tools(
    folder: Path, *, config: str = "", environ: Mapping[str, str] | None = None, **what: Any
) -> PublisherTools:
    """The tools of the publisher of Nix caches, with a key that signs."""
    variables = {"CI_NIX_SIGNING_KEY": KEY.text, **(environ or {})}
    return publisher_tools(folder, key=b"", config=config, environ=variables, **what)
