"""Signatures of store paths, and the keys for them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_signatures import (
    generate_secret_key,
    parse_public_key,
    parse_secret_key,
    parse_signature,
    signing_key,
)
from tests.support.nix_store import NixStore, needs_nix

if TYPE_CHECKING:
    from pathlib import Path

KEY = generate_secret_key("cache.example.org-1")


def test_what_a_key_signed_is_verified_by_it_alone() -> None:
    other, stranger = generate_secret_key("other-1"), generate_secret_key(KEY.name)
    signature = KEY.sign("text")
    assert signing_key("text", [signature], [other.public, KEY.public]) == KEY.public
    assert signing_key("text", [other.sign("text"), signature], [KEY.public]) == KEY.public
    assert signing_key("text ", [signature], [KEY.public]) is None
    assert signing_key("text", [signature], [other.public, stranger.public]) is None
    assert signing_key("text", [stranger.sign("text")], [KEY.public]) is None
    assert signing_key("text", [], [KEY.public]) is None
    assert signing_key("text", [signature], []) is None


def test_texts_read_back() -> None:
    assert parse_secret_key(KEY.text + "\n") == KEY
    assert parse_public_key(str(KEY.public)) == KEY.public
    assert parse_signature(str(KEY.sign("x"))) == KEY.sign("x")


def test_a_secret_key_is_shown_nowhere() -> None:
    halves = [KEY.text, base64.b64encode(KEY.seed).decode(), repr(KEY.seed)]
    assert not any(half in f"{KEY!r} {KEY}" for half in halves)
    for text in (
        KEY.text[:-4],
        KEY.text.replace("cache", "ca che"),
        f"{KEY.name}:{base64.b64encode(KEY.seed * 2).decode()}",
    ):
        with pytest.raises(FormatError, match="is no secret key") as caught:
            parse_secret_key(text)
        assert text not in str(caught.value)
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text", ["", ":", "a:", "a", "a:AAAA", ":" + "A" * 88, f"a b:{'A' * 86}==", f"a:{'A' * 86}==\n", f"a:{'A' * 86} =="]
)
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="is no signature"):
        parse_signature(text)
    with pytest.raises(FormatError, match="is no public key"):
        parse_public_key(text)


def test_a_name_that_no_key_has_is_refused() -> None:
    with pytest.raises(FormatError, match="cannot be the name of a key"):
        generate_secret_key("a:b")


@needs_nix
def test_keys_of_nix_are_read(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    nix.run("nix-store", "--generate-binary-cache-key", "test-1", str(tmp_path / "secret"), str(tmp_path / "public"))
    secret = parse_secret_key((tmp_path / "secret").read_text())
    assert parse_public_key((tmp_path / "public").read_text()) == secret.public
    assert secret.text == (tmp_path / "secret").read_text().strip()
