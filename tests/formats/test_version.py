from __future__ import annotations

import random
import shutil
import subprocess
from functools import cmp_to_key
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.version import compare_versions, is_version_text, split_version

VERCMP = shutil.which("vercmp")
ASK_VERCMP = 'while IFS= read -r a && IFS= read -r b; do vercmp "$a" "$b" || exit 1; done'

NASTY = (
    *(
        "",
        "0",
        "1",
        "01",
        "1.0",
        "1.00",
        "1.0.0",
        "1.1",
        "1.01",
        "1.",
        "1..",
        ".1",
        "..1",
        "1..1",
        "1._1",
        "1_1",
        "1+1",
    ),
    *("1~1", "1^1", "1.0~rc1", "1.0^rc1", "1.0rc1", "1.0.rc1", "1.0rc", "1.0a", "1.0.a", "1.0-a", "1.0b1", "1.0b10"),
    *(
        "a",
        "A",
        "b",
        "aa",
        "a1",
        "a.1",
        "1a",
        "1a1",
        "1.a1",
        "r1",
        "r10",
        "r9.abc",
        "r9.0abc",
        "r9.ab0",
        "v1",
        "é",
        "1é1",
    ),
    *("0:1", "1:1", "01:1", "00:1", ":1", "a:1", "1:", "1:0", "2:0.1", "1:2:3", "10:1", "9:1", "1:1-1", "0:1-1"),
    *("1-1", "1-2", "1-", "1-0", "1-1.1", "1-1-1", "1-2-1", "1-01", "1.0-1", "1.0-10", "1.0-9", "1.0.-1", "1.0+-1"),
    *(
        "99999999999999999999",
        "100000000000000000000",
        "99999999999999999999:1",
        "0000000000000000000000001",
        "1.0.0.0",
    ),
    *("20260630-60888387", "20260707T123504Z-1", "r169.cc8bfc6-1", "2.3.r12.gabcdef0-1", "2.3.r13.g0bcdef0-1"),
)
REAL_SHAPES = ("{}.{}.{}-{}", "{}:{}.{}-{}", "r{}.{:x}-{}", "{}.{}.r{}.g{:x}-{}", "{}.{}rc{}-{}", "2026{:02}{:02}-{}")
PIECES = ("0", "1", "2", "10", "00", "a", "b", "rc", "Z", ".", "_", "+", "~", "^", "..", "-1", "-", "1:", "x9")

single_separators = st.lists(
    st.from_regex(r"(?:[0-9]{1,3}|[a-z]{1,2}){1,3}", fullmatch=True), min_size=1, max_size=3
).map(".".join)
any_text = st.text(st.sampled_from("019abZ._~+^-:é"), max_size=10)


def real_looking(rng: random.Random) -> str:
    shape = rng.choice(REAL_SHAPES)
    return shape.format(*(rng.choice((0, 1, 2, 9, 10, 11, 255)) for _ in range(5)))


def pieced(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(0, 6)))


def pairs() -> list[tuple[str, str]]:
    rng = random.Random(20260801)
    made = [(pieced(rng), pieced(rng)) for _ in range(700)]
    for _ in range(500):
        stem = pieced(rng)  # a common beginning is where the odd rules show
        made.append((stem + rng.choice(PIECES), stem + pieced(rng)))
    made += [(real_looking(rng), real_looking(rng)) for _ in range(500)]
    nasty = list(permutations(NASTY, 2))
    return made + rng.sample(nasty, 1300)


@pytest.mark.skipif(VERCMP is None, reason="vercmp is not installed (Debian: pacman-package-manager and makepkg)")
def test_order_is_that_of_the_real_vercmp() -> None:
    asked = pairs()
    lines = "".join(f"{a}\n{b}\n" for a, b in asked).encode()
    answer = subprocess.run(["bash", "-c", ASK_VERCMP], input=lines, capture_output=True, check=True)
    expected = [int(line) for line in answer.stdout.split()]
    assert len(expected) == len(asked) >= 2000
    wrong = [(a, b, said) for (a, b), said in zip(asked, expected, strict=True) if compare_versions(a, b) != said]
    assert wrong == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param("1.0rc1", "1.0", id="letters are before the end"),
        pytest.param("1.0", "1.0.a", id="but not behind a separator"),
        pytest.param("1.0", "1.0~rc1", id="tilde is an ordinary separator"),
        pytest.param("1.9", "1.10", id="numbers count as numbers"),
        pytest.param("1.5", "1..1", id="more separators are newer"),
        pytest.param("9-9", "1:0-1", id="epoch first"),
        pytest.param("1-9", "1-10", id="pkgrel"),
        pytest.param("1.a", "1.0", id="letters are before numbers"),
        pytest.param("A", "a", id="case"),
        pytest.param("9" * 19, "1" + "0" * 30, id="beyond 64 bits"),
    ],
)
def test_known_orders(older: str, newer: str) -> None:
    assert (compare_versions(older, newer), compare_versions(newer, older)) == (-1, 1)


@pytest.mark.parametrize(
    ("a", "b"), [("1-1", "1"), ("1", "1-2"), ("1.0", "1_0"), ("01", "1"), ("0:1-1", "1-1"), (":1", "1"), ("1.", "1+")]
)
def test_known_equals(a: str, b: str) -> None:
    assert compare_versions(a, b) == 0


@given(any_text)
def test_every_version_equals_itself(text: str) -> None:
    assert compare_versions(text, text) == 0


@given(any_text, any_text)
def test_order_is_antisymmetric(a: str, b: str) -> None:
    assert compare_versions(a, b) == -compare_versions(b, a)


@given(*[st.tuples(single_separators, st.integers(0, 20)).map(lambda pair: f"{pair[0]}-{pair[1]}")] * 3)
def test_order_is_transitive(a: str, b: str, c: str) -> None:
    # Only so for versions with single separators and a pkgrel: vercmp itself says 1. > 1..a > 1.1 > 1.
    low, middle, high = sorted((a, b, c), key=cmp_to_key(compare_versions))
    assert compare_versions(low, middle) <= 0
    assert compare_versions(middle, high) <= 0
    assert compare_versions(low, high) <= 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_answered(a: str, b: str) -> None:
    assert compare_versions(a, b) in (-1, 0, 1)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.0", ("0", "1.0", None)),
        ("1.0-1", ("0", "1.0", "1")),
        ("2:1.0-1.1", ("2", "1.0", "1.1")),
        (":1.0", ("0", "1.0", None)),
        ("a:1.0", ("0", "a:1.0", None)),
        ("20260630-60888387-1", ("0", "20260630-60888387", "1")),
        ("1-", ("0", "1", "")),
        ("", ("0", "", None)),
    ],
)
def test_split(text: str, parts: tuple[str, str, str | None]) -> None:
    assert split_version(text) == parts


@pytest.mark.parametrize(
    "text", ["1", "1.0", "r169.cc8bfc6", "20260707T123504Z", "1.2+3+gabc", "256~rc1", "1.2^git1", "v1_2", "1" * 128]
)
def test_version_text(text: str) -> None:
    assert is_version_text(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "..",
            "1..2",
            ".1",
            "-1",
            "1-1",
            "1:1",
            "1/1",
            "../1",
            "1 ",
            "1\n",
            "\n1",
            "1\0",
            "ä",
            "\u0661",
            "$(x)",
        ),
        *(
            "`x`",
            "$x",
            "1'",
            '1"',
            "1;x",
            "1&x",
            "1|x",
            "1\\",
            "1*",
            "1?",
            "1#",
            "1%2e",
            "~root",
            "^1",
            "{a,b}",
            "1" * 129,
        ),
    ],
)
def test_no_version_text(text: str) -> None:
    assert not is_version_text(text)
