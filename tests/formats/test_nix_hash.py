"""Nix's way to write bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_base32 import format_base32, parse_base32
from ci_toolkit.formats.nix_hash import format_nix_sha256, parse_nix_sha256
from tests.support.nix_store import NixStore, needs_nix

if TYPE_CHECKING:
    from pathlib import Path


@given(st.binary(max_size=70))
def test_bytes_are_read_back(data: bytes) -> None:
    assert parse_base32(format_base32(data), size=len(data)) == data


@given(st.text(alphabet="0123456789abcdfghijklmnpqrsvwxyz", min_size=52, max_size=52))
def test_there_is_one_way_to_write_a_digest(text: str) -> None:
    if text[0] in "01":  # 52 digits are 260 bits
        assert format_base32(parse_base32(text, size=32)) == text
    else:
        with pytest.raises(FormatError, match="more than 32 bytes"):
            parse_base32(text, size=32)


@pytest.mark.parametrize(
    "text", ["", "0" * 51, "0" * 53, "e" + "0" * 51, "A" + "0" * 51, "z" + "0" * 51, "é" + "0" * 51]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_base32(text, size=32)


@needs_nix
def test_digests_are_written_as_nix_writes_them(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    digests = [hashlib.sha256(bytes([number])).hexdigest() for number in range(20)] + ["0" * 64, "f" * 64]
    theirs = nix.run("nix-hash", "--type", "sha256", "--to-base32", *digests).decode().split()
    assert [format_nix_sha256(digest) for digest in digests] == [f"sha256:{one}" for one in theirs]
    assert [parse_nix_sha256(f"sha256:{one}") for one in theirs] == digests


EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        f"sha256:{EMPTY}",
        "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ],
    ids=["hexadecimal", "base 32", "base 64"],
)
def test_every_form_of_a_digest_is_read(text: str) -> None:
    assert parse_nix_sha256(text) == EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY,
        f"sha512:{EMPTY}",
        f"sha256:{EMPTY.upper()}",
        "sha256-AAAA",
        f"sha256:{'e' * 52}",
        "sha256-é",
        "sha256:",
    ],
)
def test_what_is_no_digest_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(FormatError, match="is no SHA-256") as caught:
        parse_nix_sha256(text)
    assert caught.value.got == text
