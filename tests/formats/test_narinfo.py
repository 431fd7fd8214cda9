"""What a binary cache says of a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.narinfo import NarInfo, format_narinfo, parse_narinfo
from ci_toolkit.formats.nix_signatures import generate_secret_key, parse_secret_key, signing_key
from ci_toolkit.formats.store_path import parse_base_name
from tests.support.nix_store import NixStore, needs_nix

A, B, C = (parse_base_name(f"{letter * 32}-{letter}-1.0") for letter in "abc")
INFO = NarInfo(
    path=A,
    url="nar/1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0.nar.xz",
    compression="xz",
    file_sha256="0" * 64,
    file_size_bytes=12,
    nar_sha256="f" * 64,
    nar_size_bytes=345,
    references=(A, B),
    deriver=C,
    signatures=(generate_secret_key("k-1").sign("x"), generate_secret_key("k-2").sign("x")),
    ca="fixed:r:sha256:x",
)
TEXT = format_narinfo(INFO)


@pytest.mark.parametrize(
    "info",
    [
        INFO,
        replace(INFO, references=(), deriver=None, signatures=(), ca=None),
        replace(INFO, file_sha256=None, file_size_bytes=None, compression="none"),
    ],
    ids=["all", "few", "not packed"],
)
def test_it_reads_back(info: NarInfo) -> None:
    assert parse_narinfo(format_narinfo(info)) == info


@given(st.text(max_size=60), st.integers(0, len(TEXT)))
def test_garbage_is_refused_or_read_and_never_crashes(noise: str, where: int) -> None:
    try:
        info = parse_narinfo(TEXT[:where] + noise + TEXT[where:])
    except FormatError:
        return
    assert parse_narinfo(format_narinfo(info)) == info


def test_what_is_cut_off_is_refused() -> None:
    for end in range(TEXT.index("References")):
        with pytest.raises(FormatError):
            parse_narinfo(TEXT[:end])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("StorePath", "/nix/store/x"),
        ("StorePath", f"/tmp/{A.base_name}"),
        ("URL", ""),
        ("URL", "/etc/passwd"),
        ("URL", "nar/../../x"),
        ("URL", "https://other.example/x.nar"),
        ("URL", "nar\\x"),
        ("Compression", "../x"),
        ("NarHash", "sha256:x"),
        ("NarSize", "-1"),
        ("NarSize", "1e3"),
        ("NarSize", "9" * 30),
        ("FileHash", "md5:x"),
        ("FileSize", "x"),
        ("References", f"{A.base_name} ../x"),
        ("References", f"{A.base_name} {A.base_name}"),
        ("Deriver", "x"),
        ("Sig", "x"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(key: str, value: str) -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith(f"{key}:")]
    with pytest.raises(FormatError) as caught:
        parse_narinfo("\n".join([*lines, f"{key}: {value}", ""]), directory="/nix/store")
    assert caught.value.key == key


@pytest.mark.parametrize("key", ["StorePath", "URL", "NarHash", "NarSize"])
def test_what_is_missing_or_stands_there_twice_is_named(key: str) -> None:
    [line] = [line for line in TEXT.splitlines() if line.startswith(f"{key}:")]
    with pytest.raises(FormatError, match="is missing"):
        parse_narinfo(TEXT.replace(f"{line}\n", ""))
    with pytest.raises(FormatError, match="stands there twice"):
        parse_narinfo(f"{TEXT}{line}\n")


def test_keys_that_nobody_knows_are_passed_over_and_old_words_understood() -> None:
    assert parse_narinfo(TEXT + "System: x86_64-linux\nSomething: new\n") == INFO
    text = TEXT.replace(f"Deriver: {C.base_name}", "Deriver: unknown-deriver")
    assert parse_narinfo(text) == replace(INFO, deriver=None)


@needs_nix
def test_a_cache_of_nix_is_read_and_written_alike(tmp_path: Path) -> None:
    nix = NixStore(tmp_path / "nix")
    nix.run("nix-store", "--generate-binary-cache-key", "test-1", str(tmp_path / "secret"), str(tmp_path / "public"))
    (tmp_path / "lib").write_text("a library")
    lib = nix.add(tmp_path / "lib")
    text = f'derivation {{ name = "user"; system = builtins.currentSystem; builder = "/bin/sh"; args = ["-c" "echo ${{{lib}}} > $out"]; }}'
    user = nix.build(text.replace(f"${{{lib}}}", f"${{builtins.storePath {lib}}}"))
    cache = f"file://{tmp_path}/cache?secret-key={tmp_path}/secret&compression=xz"
    nix.run("nix", "--extra-experimental-features", "nix-command", "copy", "--to", cache, user)
    key = parse_secret_key((tmp_path / "secret").read_text()).public
    found = {}
    for path in (tmp_path / "cache").glob("*.narinfo"):
        text = path.read_text()
        info = parse_narinfo(text, directory=str(nix.directory))
        assert info.file_name == path.name
        assert sorted(format_narinfo(info).splitlines()) == sorted(text.splitlines())
        assert (tmp_path / "cache" / info.url).stat().st_size == info.file_size_bytes
        # The fingerprint that Nix signed, and nothing else.
        assert signing_key(info.fingerprint, info.signatures, [key]) == key
        assert signing_key(replace(info, nar_size_bytes=1).fingerprint, info.signatures, [key]) is None
        found[str(info.path)] = info
    assert {Path(path).name[33:] for path in found} == {"lib", "user"}
    assert [str(one) for one in found[user].references] == [lib]
    assert found[user].deriver is not None
