"""`HASH.narinfo` of a Nix binary cache: what a path is, where its archive is, and who signed it; `KEY: VALUE` a line.

Source: a cache written by `nix copy --to file://` 2.8, and the Nix manual.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_hash import format_nix_sha256, parse_nix_sha256
from ci_toolkit.formats.nix_signatures import parse_signature
from ci_toolkit.formats.store_path import fingerprint, parse_base_name, parse_store_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.formats.nix_signatures import NixSignature
    from ci_toolkit.formats.store_path import StorePath

_Value = TypeVar("_Value")

LARGEST_CHARACTERS = 8 << 20
"""A path with 100,000 references stays below."""

_NUMBER = re.compile(r"[0-9]{1,18}")
# Below the cache, and nowhere else: `..` in it, a scheme or a slash at the beginning would lead away.
_URL = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._+?=-]*(/[A-Za-z0-9._+?=-]+)*")
_COMPRESSION = re.compile(r"[a-z0-9]{1,20}")
_LINE = re.compile(r"[\x20-\x7e]*")
_UNKNOWN_DERIVER = "unknown-deriver"
_KNOWN = frozenset(
    ("StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize", "References", "Deriver", "CA")
)
_NEEDED = ("StorePath", "URL", "NarHash", "NarSize")


@dataclass(frozen=True, slots=True, kw_only=True)
class NarInfo:
    """A path in a cache; checksums are 64 hexadecimal digits, and `references` are sorted.

    `url` is relative to the cache, `compression` such as `xz` or `none`; `file_sha256` and `file_size_bytes` are
    of the packed archive, None where the cache does not say. `ca` says that the path is made of its content.
    """

    path: StorePath
    url: str
    compression: str
    nar_sha256: str
    nar_size_bytes: int
    file_sha256: str | None = None
    file_size_bytes: int | None = None
    references: tuple[StorePath, ...] = ()
    deriver: StorePath | None = None
    signatures: tuple[NixSignature, ...] = ()
    ca: str | None = None

    @property
    def file_name(self) -> str:
        """What it is called in a cache."""
        return f"{self.path.hash_part}.narinfo"

    @property
    def fingerprint(self) -> str:
        """What is signed."""
        return fingerprint(
            self.path, nar_sha256=self.nar_sha256, nar_size_bytes=self.nar_size_bytes, references=self.references
        )


def format_narinfo(info: NarInfo) -> str:
    """Its text, as Nix writes it."""
    lines = [
        ("StorePath", str(info.path)),
        ("URL", info.url),
        ("Compression", info.compression),
        *([("FileHash", format_nix_sha256(info.file_sha256))] if info.file_sha256 is not None else []),
        *([("FileSize", str(info.file_size_bytes))] if info.file_size_bytes is not None else []),
        ("NarHash", format_nix_sha256(info.nar_sha256)),
        ("NarSize", str(info.nar_size_bytes)),
        ("References", " ".join(one.base_name for one in sorted(info.references))),
        *([("Deriver", info.deriver.base_name)] if info.deriver is not None else []),
        *(("Sig", str(signature)) for signature in info.signatures),
        *([("CA", info.ca)] if info.ca is not None else []),
    ]
    return "".join(f"{key}: {value}\n" for key, value in lines)


def parse_narinfo(text: str, *, directory: str | None = None) -> NarInfo:
    """What a text says; FormatError, which names the key, for what is damaged, doubled, or leads out of the cache.

    Keys that nobody knows are passed over, as Nix does. `directory` is the store that the path has to be in.
    """
    values, signatures = _values(text)
    for key in _NEEDED:
        if key not in values:
            raise FormatError("is missing", key=key)
    path = _read("StorePath", values["StorePath"], lambda text: parse_store_path(text, directory=directory))

    def named(base_name: str) -> StorePath:
        return parse_base_name(base_name, directory=path.directory)

    references = [_read("References", one, named) for one in values.get("References", "").split(" ") if one]
    if len(set(references)) != len(references):
        raise FormatError("has the same path twice", key="References")
    deriver = values.get("Deriver", _UNKNOWN_DERIVER)
    return NarInfo(
        path=path,
        url=_read("URL", values["URL"], _url),
        compression=_read("Compression", values.get("Compression", "bzip2"), _compression),
        nar_sha256=_read("NarHash", values["NarHash"], parse_nix_sha256),
        nar_size_bytes=_read("NarSize", values["NarSize"], _number),
        file_sha256=_read("FileHash", values["FileHash"], parse_nix_sha256) if "FileHash" in values else None,
        file_size_bytes=_read("FileSize", values["FileSize"], _number) if "FileSize" in values else None,
        references=tuple(sorted(references)),
        deriver=None if deriver in ("", _UNKNOWN_DERIVER) else _read("Deriver", deriver, named),
        signatures=tuple(_read("Sig", one, parse_signature) for one in signatures),
        ca=values.get("CA") or None,
    )


def _values(text: str) -> tuple[dict[str, str], list[str]]:
    """The value of each key, and all signatures, of which there may be any number."""
    if len(text) > LARGEST_CHARACTERS:
        raise FormatError(f"has more than {LARGEST_CHARACTERS:,} characters")
    values: dict[str, str] = {}
    signatures = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        key, colon, value = line.partition(":")
        if not colon or _LINE.fullmatch(line) is None:
            raise FormatError("is not KEY: VALUE", line=number, got=line)
        value = value.removeprefix(" ")
        if key == "Sig":
            signatures.append(value)
        elif key in values and key in _KNOWN:
            raise FormatError("stands there twice", line=number, key=key)
        else:
            values[key] = value
    if not text.endswith("\n"):
        raise FormatError("is cut off: its last line has no end")
    return values, signatures


def _read(key: str, text: str, parse: Callable[[str], _Value]) -> _Value:
    try:
        return parse(text)
    except FormatError as error:
        raise error.located(key=key) from error.__cause__


def _url(text: str) -> str:
    if _URL.fullmatch(text) is None:
        raise FormatError("leads out of the cache", got=text)
    return text


def _compression(text: str) -> str:
    if _COMPRESSION.fullmatch(text) is None:
        raise FormatError("is no kind of compression", got=text)
    return text


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise FormatError("is not a whole number", got=text)
    return int(text)
