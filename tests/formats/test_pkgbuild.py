from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkgbuild import Pkgbuild

SAMPLES = Path(__file__).resolve().parents[2] / "sample-pkgbuilds"
A, B, C = "a" * 64, "b" * 64, "c" * 64
HASH = "0123456789abcdef0123456789abcdef01234567"


def parse(text: str | bytes) -> Pkgbuild:
    return Pkgbuild.parse(text if isinstance(text, bytes) else text.encode())


def refusal(error: pytest.ExceptionInfo[FormatError]) -> tuple[str | None, int | None, str | None]:
    assert error.value.file == "PKGBUILD"
    return error.value.key, error.value.line, error.value.problem


# Reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("pkgver=1.0\n", "1.0", id="unquoted"),
        pytest.param("pkgver=5", "5", id="number without newline"),
        pytest.param("pkgver='1.0'\n", "1.0", id="single quotes"),
        pytest.param('pkgver="1.0" # c\n', "1.0", id="double quotes"),
        pytest.param("pkgver=\n", "", id="empty"),
        pytest.param("pkgver=1.0~rc1\n", "1.0~rc1", id="tilde within"),
        pytest.param("pkgver=1; pkgrel=2\n", "1", id="semicolon"),
        pytest.param("pkgver=1 pkgrel=2\n", "1", id="two in a line"),
        pytest.param("  pkgver=1\n", "1", id="indented"),
        pytest.param("pkgver=1\npkgver=2\n", "2", id="the last one counts"),
        pytest.param("if x; then pkgver=1; fi\npkgver=2\n", "2", id="set for good after a condition"),
        pytest.param("pkgver=1\r\npkgrel=1\r\n", "1", id="CRLF"),
        pytest.param("pkgver=é\n", "é", id="not ASCII"),
        pytest.param("pkgver=~\n", None, id="tilde expansion"),
        pytest.param("pkgver=$x\n", None, id="variable"),
        pytest.param('pkgver="1.$x"\n', None, id="variable in quotes"),
        pytest.param("pkgver=1.0.$x\n", None, id="literal and variable"),
        pytest.param("pkgver=$x.$y\n", None, id="what tree-sitter takes for a command"),
        pytest.param("pkgver=$(x)\n", None, id="command"),
        pytest.param("pkgver=`x`\n", None, id="backticks"),
        pytest.param("pkgver=1\\.0\n", None, id="escape"),
        pytest.param('pkgver="1\\"0"\n', None, id="escape in quotes"),
        pytest.param("pkgver=$'1.0'\n", None, id="ANSI-C quotes"),
        pytest.param("pkgver=1'.0'\n", None, id="pieces"),
        pytest.param("pkgver=1.0\\\n.1\n", None, id="line continuation"),
        pytest.param("pkgver=1.0\fpkgrel=1\n", None, id="form feed is no blank"),
        pytest.param("pkgver=(1)\n", None, id="array"),
        pytest.param("pkgver=1\npkgver+=2\n", None, id="appended"),
        pytest.param("pkgver=1\nif x; then pkgver=2; fi\n", None, id="condition behind"),
        pytest.param("pkgver=1\nsource x\n", None, id="another file behind"),
        pytest.param("pkgver=1 &\n", None, id="in the background"),
        pytest.param("x=(a;b)\npkgver=1\n", None, id="broken before"),
        pytest.param("f() { pkgver=1; }\n", None, id="function"),
        pytest.param("_pkgver=1\n", None, id="another name"),
        pytest.param("# pkgver=1\n", None, id="comment"),
        pytest.param("x='\npkgver=1\n'\n", None, id="in a string"),
        pytest.param("cat <<E\npkgver=1\nE\n", None, id="in a heredoc"),
    ],
)
def test_literal(text: str, value: str | None) -> None:
    assert parse(text).literal("pkgver") == value


def test_literals() -> None:
    text = "a=(1 'b' # c\n \"d\")\nb=()\nc=1\nd=(1 $x)\ne=(1)\ne+=(2)\n"
    assert [parse(text).literals(name) for name in "abcdef"] == [("1", "b", "d"), (), None, None, None, None]


@pytest.mark.parametrize(
    ("text", "is_set"),
    [
        ("a=1\n", True),
        ("a=()\n", True),
        ("if x; then a=1; fi\n", True),
        ("export a=1\n", True),
        (": ${a:=1}\n", True),
        ("f() { a=1; }\nf\n", True),
        ("f() { a=1; }\n", False),
        ("x=$(a=1)\n", False),
        ("(a=1)\n", False),
        ("unset a\n", False),
        ("# a=1\n", False),
        ("ba=1\n", False),
    ],
)
def test_is_set(text: str, is_set: bool) -> None:
    assert parse(text).is_set("a") is is_set


def test_sum_arrays() -> None:
    text = (
        "b2sums_x86_64=(a)\nsha256sums=()\nsha256sums+=(b)\ncksums=(1)\nmysums=(a)\nmd5sums=x\nf() { sha1sums=(a); }\n"
    )
    assert parse(text).sum_arrays() == ("b2sums_x86_64", "sha256sums", "cksums")


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"a=1\nb=\0\n", 2, "has a NUL byte"),
        (b"a=1\n\nb=\xff\n", 3, "is not UTF-8"),
        (b"\xef\xbb\xbfa=1\n", 1, "begins with a byte order mark"),
        (b"a=1\nb=1\rc=2\n", 2, "has a carriage return within a line"),
    ],
)
def test_refused_text(data: bytes, line: int, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(data)
    assert refusal(caught) == (None, line, problem)


@given(st.text(st.sampled_from("a=1()[]{}$'\"`\\#<>;&| \n\t~éf+")).map(str.encode) | st.binary())
def test_reading_and_writing_gives_the_same_bytes(data: bytes) -> None:
    try:
        pkgbuild = parse(data)
    except FormatError as error:
        assert error.line  # noqa: PT017  # bytes that are no text may be refused, but never without a line
        return
    assert pkgbuild.to_bytes() == data


def test_hostile_depth_is_read() -> None:
    assert parse("x=" + "$(" * 20_000).literal("x") is None


def test_equality_is_that_of_name_and_bytes() -> None:
    assert parse("a=1\n").with_scalar("a", "2") == parse("a=2\n")
    assert parse("a=1\n") != parse("a='1'\n")
    assert Pkgbuild.parse(b"", file="a") != Pkgbuild.parse(b"", file="b")


# Scalars


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("pkgver=1.0\n", "pkgver=2.1\n", id="unquoted"),
        pytest.param("pkgver='1.0'\n", "pkgver='2.1'\n", id="single quotes"),
        pytest.param('pkgver="1.0"', 'pkgver="2.1"', id="double quotes, no newline"),
        pytest.param("pkgver=\npkgrel=1\n", "pkgver=2.1\npkgrel=1\n", id="empty"),
        pytest.param("pkgver=''\n", "pkgver='2.1'\n", id="empty quotes"),
        pytest.param("pkgver= # c\n", "pkgver=2.1 # c\n", id="empty with comment"),
        pytest.param("pkgver=1.0 # pkgver=1.0\n", "pkgver=2.1 # pkgver=1.0\n", id="trailing comment"),
        pytest.param("pkgver=1.0;\tpkgrel=1\n", "pkgver=2.1;\tpkgrel=1\n", id="semicolon"),
        pytest.param("pkgver=1.0 pkgrel=1\n", "pkgver=2.1 pkgrel=1\n", id="two in a line"),
        pytest.param("pkgver='1.0'\r\npkgrel=1\r\n", "pkgver='2.1'\r\npkgrel=1\r\n", id="CRLF"),
        pytest.param(
            "# pkgver=1.0\n_pkgver=1.0\npkgver=1.0\npkgver() {\n  pkgver=1.0\n}\n",
            "# pkgver=1.0\n_pkgver=1.0\npkgver=2.1\npkgver() {\n  pkgver=1.0\n}\n",
            id="not in comment, other name, function",
        ),
        pytest.param(
            "cat <<E\npkgver=1.0\nE\npkgver=1.0\nx='\npkgver=1.0\n'\n",
            "cat <<E\npkgver=1.0\nE\npkgver=2.1\nx='\npkgver=1.0\n'\n",
            id="not in heredoc, string",
        ),
        pytest.param("x=$(pkgver=3)\npkgver=1\n", "x=$(pkgver=3)\npkgver=2.1\n", id="subshells keep theirs"),
        pytest.param(
            "pkgname=(a b)\npkgver=1\npackage_a() { pkgver=1; }\npackage_b() { :; }\n",
            "pkgname=(a b)\npkgver=2.1\npackage_a() { pkgver=1; }\npackage_b() { :; }\n",
            id="split package",
        ),
        pytest.param(
            "pkgver=1\nf() { local pkgver=3; }\nf\n", "pkgver=2.1\nf() { local pkgver=3; }\nf\n", id="local in a call"
        ),
        pytest.param("source x\npkgver=1\n", "source x\npkgver=2.1\n", id="another file before"),
        pytest.param("pkgver=1\nx=(a;b)\n", "pkgver=2.1\nx=(a;b)\n", id="broken behind"),
        pytest.param(
            "pkgver=1\nf() {\n x=${y//]/z}\n}\n", "pkgver=2.1\nf() {\n x=${y//]/z}\n}\n", id="broken function behind"
        ),
        pytest.param("pkgver=1\nf() {\nif x; then\n}\n", "pkgver=2.1\nf() {\nif x; then\n}\n", id="no root behind"),
        pytest.param("pkgver=1\neval 'x=$pkgver'\n", "pkgver=2.1\neval 'x=$pkgver'\n", id="eval only reads it"),
        pytest.param("pkgdesc='é'\npkgver=1 # é\n", "pkgdesc='é'\npkgver=2.1 # é\n", id="bytes, not characters"),
    ],
)
def test_with_scalar(before: str, after: str) -> None:
    changed = parse(before).with_scalar("pkgver", "2.1")
    assert changed.to_bytes() == after.encode()
    assert changed.literal("pkgver") == "2.1"


@pytest.mark.parametrize(
    ("text", "line", "problem", "hint"),
    [
        pytest.param("pkgrel=1\n", None, "is not set at top level", "pkgver=…", id="missing"),
        pytest.param("f() { pkgver=1; }\n", None, "is not set at top level", "outside of functions", id="in a function"),
        pytest.param("pkgver=1\n\npkgver=2\n", 3, "is set more than once", "line 1", id="twice"),
        pytest.param("pkgver=1\npkgver+=2\n", 2, "is set more than once", "line 1", id="appended"),
        pytest.param("pkgver=1\nexport pkgver=2\n", 2, "is set more than once", "", id="export"),
        pytest.param("pkgver=1\n[ x ] && pkgver=2\n", 2, "is set more than once", "", id="list"),
        pytest.param("pkgver=1\nif x; then\npkgver=2\nfi\n", 3, "is set more than once", "", id="if"),
        pytest.param("pkgver=1\ncase x in x) pkgver=2;; esac\n", 2, "is set more than once", "", id="case"),
        pytest.param("pkgver=1\nfor pkgver in 1; do :; done\n", 2, "is set more than once", "", id="loop variable"),
        pytest.param("pkgver=1\nfor x in 1; do pkgver=2; done\n", 2, "is set more than once", "", id="for"),
        pytest.param("pkgver=1\nwhile x; do pkgver=2; done\n", 2, "is set more than once", "", id="while"),
        pytest.param("pkgver=1\n{ pkgver=2; }\n", 2, "is set more than once", "", id="block"),
        pytest.param("pkgver=1\npkgver=2 x\n", 2, "is set more than once", "", id="before a command"),
        pytest.param("pkgver=1\npkgver=$x.$y\n", 2, "is set more than once", "", id="misread as a command"),
        pytest.param("pkgver=1\npkgver[0]=2\n", 2, "is set more than once", "", id="subscript"),
        pytest.param("pkgver=1\n: ${pkgver:=2}\n", 2, "is set more than once", "", id="default"),
        pytest.param("pkgver=1\n((pkgver=2))\n", 2, "is set more than once", "", id="arithmetic"),
        pytest.param("pkgver=1\nread pkgver <<<2\n", 2, "is set more than once", "", id="read"),
        pytest.param("pkgver=1\nprintf -v pkgver 2\n", 2, "is set more than once", "", id="printf"),
        pytest.param("pkgver=1\neval 'pkgver=2'\n", 2, "is set more than once", "", id="eval"),
        pytest.param("pkgver=1\nunset pkgver\n", 2, "is set more than once", "", id="unset"),
        pytest.param("f() { pkgver=2; }\npkgver=1\nf\n", 1, "is set more than once", "", id="called function"),
        pytest.param(
            "g() { pkgver=2; }\nf() { g; }\npkgver=1\nif x; then f; fi\n", 1, "is set more than once", "", id="called twice removed"
        ),
        pytest.param("export pkgver=1\n", 1, "is set by `export`", "one plain", id="only export"),
        pytest.param("declare pkgver=1\n", 1, "is set by `declare`", "one plain", id="only declare"),
        pytest.param("x && pkgver=1\n", 1, "is set in a list of commands", "one plain", id="only list"),
        pytest.param("pkgver+=1\n", 1, "is set with `+=`", "one plain", id="only appended"),
        pytest.param("if x; then pkgver=1; else pkgver=2; fi\n", 1, "is set more than once", "", id="if and else"),
        pytest.param("if x; then pkgver=1; fi\n", 1, "is set in an `if`", "one plain", id="only if"),
        pytest.param("pkgver=1\n. ./x\n", 1, "may be set again by a file that is read with `source`", "", id="source"),
        pytest.param("f() { source x; }\npkgver=1\nf\n", 2, "may be set again by a file that is read with `source`", "", id="source in a call"),
        pytest.param("pkgver=(1)\n", 1, "is an array", "single", id="array"),
        pytest.param("_ver=1-2\npkgver=${_ver//-/_}\n", 2, "is computed", "_ver", id="expansion"),
        pytest.param("_pkgver=1.2\npkgver=$_pkgver\n", 2, "is computed", "set _pkgver instead", id="variable"),
        pytest.param("pkgver=1.$x\n", 1, "is computed", "x", id="partly"),
        pytest.param("pkgver=$(x)\n", 1, "is not plain text in one piece", "literal", id="command"),
        pytest.param("pkgver=1'.0'\n", 1, "is not plain text in one piece", "literal", id="pieces"),
        pytest.param("pkgver=1\\\n.0\n", 1, "is set in a command", "one plain", id="continuation"),
        pytest.param("pkgver=1.0\fx=2\n", 1, "is set in an unusual way", "one plain", id="form feed"),
        pytest.param("x=(a;b)\npkgver=1\n", 2, "stands in or behind syntax that cannot be read", "line 1", id="broken before"),
        pytest.param(": ${x=a;b}\npkgver=1\n", 2, "stands in or behind syntax that cannot be read", "line 1", id="valid but not understood"),
        pytest.param("f() {\npkgver=1\nx=${y//]/z}\n}\n", None, "is not set at top level", "from line 1 on", id="in a broken function"),
        pytest.param("f() {\npkgver=1\nx='\n", 2, "stands in or behind syntax that cannot be read", "line 1", id="no end"),
        pytest.param("f() {\npkgver=1\nif x; then\n}\n", 2, "stands in or behind syntax that cannot be read", "line 1", id="no root"),
        pytest.param("pkgver=1\nx=(a;b)\npkgver=2\n", 3, "is set more than once", "line 1", id="again behind broken"),
        pytest.param("pkgver=1\nf() { (a;;b\n  pkgver=2\n}\n", 1, "may be set again in line 3", "running bash", id="perhaps again behind broken"),
    ],
)  # fmt: skip
def test_scalar_refused(text: str, line: int | None, problem: str, hint: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text).with_scalar("pkgver", "2.1")
    assert refusal(caught) == ("pkgver", line, problem)
    assert caught.value.hint
    assert hint in caught.value.hint


HOSTILE = ("1.0$(touch x)", "1'; rm", '1"', "1\n", "\n", "", "1 2", "1`x`", "1\\", "1/2", "é", "1\0", "{1,2}", "*", "#")  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_are_never_written(value: str) -> None:
    pkgbuild = parse("pkgver=1\nsource=(a-1)\n")
    with pytest.raises(FormatError) as caught:
        pkgbuild.with_scalar("pkgver", value)
    assert (caught.value.key, caught.value.got) == ("pkgver", value)
    with pytest.raises(FormatError) as caught:
        pkgbuild.with_literal_in_sources("1", value)
    assert (caught.value.key, caught.value.got) == ("source", value)
    with pytest.raises(FormatError) as caught:
        parse("cksums=(1)\n").with_sums({"cksums": (value,)})
    assert (caught.value.key, caught.value.got) == ("cksums", value)


@pytest.mark.parametrize(
    ("value", "after"),
    [("~root", "pkgver='~root'\n"), ("1:~root", "pkgver='1:~root'\n"), ("1~rc:-+_", "pkgver=1~rc:-+_\n")],
)
def test_tilde_is_kept_from_expansion(value: str, after: str) -> None:
    assert parse("pkgver=1\n").with_scalar("pkgver", value).to_bytes() == after.encode()


def test_same_values_are_the_same_object() -> None:
    pkgbuild = parse(f"pkgver=1\nsource=(a-1)\nsha256sums=('{A}')\n")
    assert pkgbuild.with_scalar("pkgver", "1") is pkgbuild
    assert pkgbuild.with_literal_in_sources("1", "1") is pkgbuild
    assert pkgbuild.with_literal_in_sources("2", "3") is pkgbuild
    assert pkgbuild.with_literal_in_sources("", "3") is pkgbuild
    assert pkgbuild.with_sums({"sha256sums": (A,)}) is pkgbuild
    assert pkgbuild.with_sums({}) is pkgbuild


# Sources


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("source=(a-1.0.tar.gz)\n", "source=(a-2.1.tar.gz)\n", id="unquoted"),
        pytest.param("source=('a-1.0' \"b_1.0\")\n", "source=('a-2.1' \"b_2.1\")\n", id="quoted"),
        pytest.param('source=("$u/v1.0/$n-1.0.tar")\n', 'source=("$u/v2.1/$n-2.1.tar")\n', id="leading v, twice"),
        pytest.param('source=("a::u/1.0"{,.sig})\n', 'source=("a::u/2.1"{,.sig})\n', id="braces"),
        pytest.param("source=($a/1.0/'b')\n", "source=($a/2.1/'b')\n", id="pieces"),
        pytest.param('source=("1.0$ext" "${n}1.0")\n', 'source=("2.1$ext" "${n}2.1")\n', id="next to an expansion"),
        pytest.param(
            "source=(1.0 # 1.0\n  '1.0'\n)\n", "source=(2.1 # 1.0\n  '2.1'\n)\n", id="many lines, comments stay"
        ),
        pytest.param("source=(\r\n 'a-1.0'\r\n)\r\n", "source=(\r\n 'a-2.1'\r\n)\r\n", id="CRLF"),
        pytest.param(
            "source_x86_64=(1.0)\nsource_aarch64=(1.0)\n", "source_x86_64=(2.1)\nsource_aarch64=(2.1)\n", id="per arch"
        ),
        pytest.param("source=(a)\nsource+=(1.0)\n", "source=(a)\nsource+=(2.1)\n", id="appended"),
        pytest.param("source=(é-1.0-é)\n", "source=(é-2.1-é)\n", id="bytes, not characters"),
        pytest.param("source=(1.0-rc 1.0. +1.0)\n", "source=(2.1-rc 2.1. +2.1)\n", id="other neighbours"),
        pytest.param("source=(1.0)\nx=(a;b)\n", "source=(2.1)\nx=(a;b)\n", id="broken behind"),
        pytest.param("x=(a;b)\nsource=(a)\n", "x=(a;b)\nsource=(a)\n", id="nothing to do behind broken"),
    ]
    + [
        pytest.param(f"{text}\n", f"{text}\n", id=f"unchanged {text}")
        for text in (
            "source=(11.0 1.01 1.0a a1.0 2.1.0 1.0.1 rev1.0 2.v1.01 é1.0)",
            "source=(1x0)",
            'source=("$pkgver" ${a/1.0/x} $(b 1.0) `1.0` "${x:-1.0}")',
            'source=("${major}.1.0")',
            "source=(2'1.0' \"1.0\"3 1.'0')",
            "source=$'1.0'",
            "x=(1.0)",
            "mysource=(1.0)",
            "source=1.0",
            "f() { source=(1.0); }",
            "if x; then source=(1.0); fi",
            "# source=(1.0)",
        )
    ],
)
def test_with_literal_in_sources(before: str, after: str) -> None:
    assert parse(before).with_literal_in_sources("1.0", "2.1").to_bytes() == after.encode()


def test_commit_in_sources() -> None:
    other = HASH[::-1]
    pkgbuild = parse(f"_commit={HASH}\nsource=(a#commit={HASH} b-{HASH}0)\n")
    changed = pkgbuild.with_scalar("_commit", other).with_literal_in_sources(HASH, other)
    assert changed.to_bytes() == f"_commit={other}\nsource=(a#commit={other} b-{HASH}0)\n".encode()


@pytest.mark.parametrize(
    ("text", "new", "line", "problem"),
    [
        ("x=(a;b)\nsource=(1.0)\n", "2", 2, "stands in or behind syntax that cannot be read"),
        ("source=(1.0)\n", "~root", 1, "would be expanded by bash"),
        ("source=(a:1.0)\n", "1:~root", 1, "would be expanded by bash"),
    ],
)
def test_sources_refused(text: str, new: str, line: int, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text).with_literal_in_sources("1.0", new)
    assert refusal(caught) == ("source", line, problem)
    assert caught.value.hint


# Checksums


@pytest.mark.parametrize(
    ("before", "sums", "after"),
    [
        pytest.param(f"sha256sums=('{A}')\n", (B,), f"sha256sums=('{B}')\n", id="one"),
        pytest.param(f'sha256sums=({A} "{B}")\n', (C, A), f'sha256sums=({C} "{A}")\n', id="quotes stay"),
        pytest.param(
            f"sha256sums=(\n  # first\n  '{A}' # a\n\n\t'SKIP'\n) # end\n",
            (B, C),
            f"sha256sums=(\n  # first\n  '{B}' # a\n\n\t'{C}'\n) # end\n",
            id="layout and comments stay",
        ),
        pytest.param(f"sha256sums=('{A}'\\\n '{B}')\n", (C, C), f"sha256sums=('{C}'\\\n '{C}')\n", id="continuation"),
        pytest.param(
            f"sha256sums=(\r\n'{A}'\r\n'{B}')\r\n", (A, "SKIP"), f"sha256sums=(\r\n'{A}'\r\n'SKIP')\r\n", id="CRLF"
        ),
        pytest.param(
            f"sha256sums=('{A}') # c\nx=1\n",
            (B, "SKIP", C),
            f"sha256sums=('{B}'\n            'SKIP'\n            '{C}') # c\nx=1\n",
            id="more",
        ),
        pytest.param(f"sha256sums=('{A}' {B})\n", (C,), f"sha256sums=('{C}')\n", id="fewer"),
        pytest.param(f"sha256sums=('{A}')\n", (), "sha256sums=()\n", id="none"),
        pytest.param("sha256sums=()\n", (A,), f"sha256sums=('{A}')\n", id="from none"),
        pytest.param("sha256sums=(SKIP{,})\n", (A, "SKIP"), f"sha256sums=('{A}'\n            'SKIP')\n", id="braces"),
        pytest.param(f"sha256sums=($x '{A}')\n", (A, B), f"sha256sums=('{A}'\n            '{B}')\n", id="computed"),
        pytest.param("sha256sums=('a''b')\n", (A,), f"sha256sums=('{A}')\n", id="pieces"),
        pytest.param(
            "sha256sums=('a'\\\n'b')\n", (A, B), f"sha256sums=('{A}'\n            '{B}')\n", id="joined lines"
        ),
        pytest.param(
            f"\tsha256sums=(\r\n'{A}')\r\n",
            (A, B),
            f"\tsha256sums=('{A}'\r\n\t            '{B}')\r\n",
            id="indent, CRLF",
        ),
        pytest.param(
            f"f() {{ sha256sums=(1); }}\n# sha256sums=(1)\nsha256sums=({A})\nsha256sums_x86_64=({A})\n",
            (B,),
            f"f() {{ sha256sums=(1); }}\n# sha256sums=(1)\nsha256sums=({B})\nsha256sums_x86_64=({A})\n",
            id="only at top level",
        ),
    ],
)
def test_with_sums(before: str, sums: tuple[str, ...], after: str) -> None:
    changed = parse(before).with_sums({"sha256sums": sums})
    assert changed.to_bytes() == after.encode()
    assert changed.literals("sha256sums") == sums


def test_sums_of_all_kinds_at_once() -> None:
    digits = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "b2": 128}
    sums: dict[str, tuple[str, ...]] = {f"{kind}sums": ("d" * number, "SKIP") for kind, number in digits.items()}
    sums |= {"cksums": ("4294967295", "SKIP"), "b2sums_x86_64": ("E" * 128,)}
    text = "".join(f"{name}=({' '.join('x' * len(values))})\n" for name, values in sums.items())
    changed = parse(text).with_sums(dict(reversed(sums.items())))
    expected = "".join(f"{name}=({' '.join(values)})\n" for name, values in sums.items())
    assert changed.to_bytes() == expected.encode()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        pytest.param("x=1\n", None, "is not set at top level", id="missing"),
        pytest.param("sha256sums=(a)\n\nsha256sums+=(b)\n", 3, "is set more than once", id="appended"),
        pytest.param("sha256sums+=(b)\n", 1, "is set with `+=`", id="only appended"),
        pytest.param("sha256sums=(a)\nsha256sums[0]=b\n", 2, "is set more than once", id="subscript"),
        pytest.param("sha256sums=(a)\nif x; then sha256sums=(b); fi\n", 2, "is set more than once", id="if"),
        pytest.param("f() { sha256sums+=(b); }\nf\n", 1, "is set in function f, which is called", id="called"),
        pytest.param("declare -a sha256sums=(a)\n", 1, "is set by `declare`", id="declare"),
        pytest.param("sha256sums=a\n", 1, "is not an array", id="scalar"),
        pytest.param("sha256sums=(a;b)\n", 1, "stands in or behind syntax that cannot be read", id="broken"),
    ],
)
def test_sums_refused(text: str, line: int | None, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text).with_sums({"sha256sums": (A,)})
    assert refusal(caught) == ("sha256sums", line, problem)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sha256sums", value) for value in (A[1:], A + "a", "g" * 64, "skip", A + "\n", "$(x)")),
        *(("md5sums", A), ("cksums", "1" * 11), ("cksums", "abc")),
    ],
)
def test_no_checksum_of_its_kind(name: str, value: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(f"{name}=(x)\n").with_sums({name: (value,)})
    assert refusal(caught) == (name, None, "has no place for this")
    assert caught.value.got == value


@pytest.mark.parametrize("name", ["source", "sha256sum", "sums", "sha3sums", "sha256sums_", "x_sha256sums"])
def test_no_checksum_array(name: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(f"{name}=(x)\n").with_sums({name: ("SKIP",)})
    assert refusal(caught) == (name, None, "is no checksum array")


# What bash makes of it

_SHOW_ALL = """
before=" $(compgen -v | tr '\\n' ' ')"
source ./PKGBUILD || exit
for name in $(compgen -v); do [[ $before == *" $name "* ]] || declare -p "$name"; done
declare -f
"""


def seen_by_bash(data: bytes, folder: Path) -> str:
    """All variables and functions that the PKGBUILD leaves behind; only for the samples, which are our own."""
    (folder / "PKGBUILD").write_bytes(data)
    command = ("bash", "--norc", "--noprofile", "-c", _SHOW_ALL)
    done = subprocess.run(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(path.parent.name for path in SAMPLES.glob("*/PKGBUILD")))
@pytest.mark.parametrize("extra", [0, 1], ids=["as many", "one more"])
def test_bash_sees_what_was_meant_and_nothing_else(name: str, extra: int, tmp_path: Path) -> None:
    pkgbuild = parse((SAMPLES / name / "PKGBUILD").read_bytes())
    (array,) = pkgbuild.sum_arrays()
    old_version, old_sums = pkgbuild.literal("pkgver"), pkgbuild.literals(array)
    assert old_version
    assert old_sums
    digits = 128 if array == "b2sums" else 64
    sums = [f"{number:0{digits}x}" for number in range(len(old_sums) + extra)]
    changed = pkgbuild.with_scalar("pkgver", "9.9+r1~a").with_scalar("pkgrel", "77").with_sums({array: sums})

    before, after = (seen_by_bash(it.to_bytes(), tmp_path) for it in (pkgbuild, changed))

    elements = " ".join(f'[{number}]="{value}"' for number, value in enumerate(sums))
    wanted = before.replace(f'declare -- pkgver="{old_version}"', 'declare -- pkgver="9.9+r1~a"')
    wanted = re.sub(r'^declare -- pkgrel=".*"$', 'declare -- pkgrel="77"', wanted, flags=re.MULTILINE)
    wanted = re.sub(rf"^declare -a {array}=\(.*\)$", f"declare -a {array}=({elements})", wanted, flags=re.MULTILINE)
    made_from_version = re.findall(r"^(?:provides|source)=.*\$\{?pkgver", pkgbuild.to_bytes().decode(), re.MULTILINE)
    if made_from_version:  # these follow the version, as they are meant to
        follow = re.compile(r"^declare -a (?:provides|source)=.*\n", re.MULTILINE)
        assert "9.9+r1~a" in "".join(follow.findall(after))
        wanted, after = follow.sub("", wanted), follow.sub("", after)
    assert after == wanted


def test_bash_agrees_on_a_source_that_is_written_out(tmp_path: Path) -> None:
    text = (SAMPLES / "lsdup" / "PKGBUILD").read_text().replace('lsdup-$pkgver.sh")', 'v1.4.0/lsdup-1.4.0.sh")')
    changed = parse(text).with_literal_in_sources("1.4.0", "2.0~x")
    source = 'source=([0]="http://127.0.0.1:8765/files/lsdup/v{0}/lsdup-{0}.sh")'
    before, after = (seen_by_bash(data, tmp_path) for data in (text.encode(), changed.to_bytes()))
    assert source.format("1.4.0") in before
    assert after == before.replace(source.format("1.4.0"), source.format("2.0~x"))
