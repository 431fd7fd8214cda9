"""Names in a Nix store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_hash import parse_nix_sha256
from ci_toolkit.formats.store_path import parse_base_name, parse_store_path, source_path
from tests.support.nix_store import NixStore, needs_nix

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = "7npqailrg3y2cz6bz4s9mq6s0lpz67cm"


@pytest.mark.parametrize(
    "text",
    [
        f"/nix/store/{DIGITS}-hello-2.12",
        f"/nix/store/{DIGITS}-x",
        f"/tmp/a b/{DIGITS}-{'n' * 211}",
        f"/s/{DIGITS}-a?=+_.-",
    ],
)
def test_paths_read_back(text: str) -> None:
    path = parse_store_path(text)
    assert str(path) == text
    assert path.hash_part == DIGITS
    assert parse_base_name(path.base_name, directory=path.directory) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{DIGITS}-x",
        f"nix/store/{DIGITS}-x",
        f"/{DIGITS}-x",
        f"/nix//store/{DIGITS}-x",
        f"/nix/../store/{DIGITS}-x",
        f"/nix/./{DIGITS}-x",
        f"/nix/store/{DIGITS}-",
        f"/nix/store/{DIGITS}",
        f"/nix/store/{DIGITS[1:]}-x",
        f"/nix/store/{DIGITS[:-1]}e-x",
        f"/nix/store/{DIGITS.upper()}-x",
        f"/nix/store/{DIGITS}-.x",
        f"/nix/store/{DIGITS}-..",
        f"/nix/store/{DIGITS}-a b",
        f"/nix/store/{DIGITS}-a/b",
        f"/nix/store/{DIGITS}-x\n",
        f"/nix/store/{DIGITS}-é",
        f"/nix/store/{DIGITS}-{'n' * 212}",
        f"/nix\0/store/{DIGITS}-x",
        f"/{'n' * 5000}/{DIGITS}-x",
    ],
)  # fmt: skip
def test_what_no_store_has_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_store_path(text)
    assert caught.value.hint is not None


def test_a_path_of_another_store_is_refused() -> None:
    with pytest.raises(FormatError, match="is not in the store /nix/store"):
        parse_store_path(f"/tmp/store/{DIGITS}-x", directory="/nix/store")


@pytest.mark.parametrize("name", ["", ".x", "a b", "é", "a/b", "n" * 212])
def test_a_name_that_nothing_can_have_is_refused(name: str) -> None:
    with pytest.raises(FormatError, match="cannot be the name"):
        source_path(name, nar_sha256="0" * 64)


@needs_nix
def test_what_is_added_gets_the_path_that_nix_gives_it(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    (tmp_path / "a+b-1.0").write_text("content")
    theirs = nix.add(tmp_path / "a+b-1.0")
    sha256 = parse_nix_sha256(nix.run("nix-store", "--query", "--hash", theirs).decode().strip())
    assert str(source_path("a+b-1.0", nar_sha256=sha256, directory=str(nix.directory))) == theirs


@needs_nix
def test_what_is_referred_to_is_part_of_a_name(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    (tmp_path / "lib").write_text("content")
    lib = nix.add(tmp_path / "lib")
    user = nix.build(
        'derivation { name = "user"; system = builtins.currentSystem; builder = "/bin/sh"; '
        f'args = ["-c" "echo ${{builtins.storePath {lib}}} > $out"]; }}'
    )
    nix.run("nix", "--extra-experimental-features", "nix-command", "store", "make-content-addressed", user)
    sha256 = parse_nix_sha256(nix.run("nix-store", "--query", "--hash", user).decode().strip())
    [theirs] = [str(path) for path in nix.directory.glob("*-user") if str(path) != user]
    references = [parse_store_path(lib)]
    ours = source_path("user", nar_sha256=sha256, directory=str(nix.directory), references=references)
    assert str(ours) == theirs
