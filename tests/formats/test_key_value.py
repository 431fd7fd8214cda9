from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.key_value import FormatWarning, KeyValueFile

FILE = ".CI/config"
BOM = "\ufeff".encode()
KEYS = ("A", "B", "KEY_1")
VALUES = (
    "",
    "x",
    "a b",
    " x",
    "x ",
    "'x'",
    '"',
    "'\"",
    "a #b",
    "#a",
    "=",
    "a=b",
    "ä",
    "\u2028",
    "\ufeff",
    "\x0b",
    "\t",
)

lines = st.one_of(
    st.builds(
        "".join,
        st.tuples(
            *(st.sampled_from(choices) for choices in (("", " ", "\t"), KEYS, ("", " "), ("=",), ("", " ", "\t"))),
            st.sampled_from((*VALUES, "'a'", '"a b"', '"', "a\rb")),
            st.sampled_from(("", " ", "\t ")),
        ),
    ),
    st.sampled_from(("", "# note", "  ", "export A=1", "A", "=1", "A-B=1", "\ufeff", "\ufeffA=2", "#A=1")),
)
texts = st.lists(st.tuples(lines, st.sampled_from(("\n", "\r\n"))), max_size=6).map(
    lambda parts: "".join(line + end for line, end in parts)
)
contents = st.builds(
    lambda bom, text, last: (bom + text + last).encode(), st.sampled_from(("", "\ufeff")), texts, lines | st.just("")
)
values = st.sampled_from(VALUES) | st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]))


def parse(data: bytes) -> KeyValueFile:
    return KeyValueFile.parse(data, file=FILE)


def everything(file: KeyValueFile) -> dict[str, str | None]:
    return {key: file.get(key) for key in file.keys()}  # noqa: SIM118  # no mapping


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"A=x\n", "x", id="plain"),
        pytest.param(b"A=x", "x", id="no final newline"),
        pytest.param(b" \tA \t= x y \t\n", "x y", id="blanks"),
        pytest.param(b"A=x\r\n", "x", id="CRLF"),
        pytest.param(b"A=\n", "", id="empty"),
        pytest.param(b"A='x y'\n", "x y", id="single quotes"),
        pytest.param(b'A="x "  \r\n', "x ", id="double quotes"),
        pytest.param(b"A=''\n", "", id="empty quotes"),
        pytest.param(b"A='x\"\n", "'x\"", id="two kinds of quote"),
        pytest.param(b"A='\n", "'", id="one quote"),
        pytest.param(b"A=a=b\n", "a=b", id="another ="),
        pytest.param(b"A=$(id) `id` $HOME\\n\n", "$(id) `id` $HOME\\n", id="nothing is expanded"),
        pytest.param(b"A=x #y\n", "x #y", id="comment sign"),
        pytest.param(b"A=1\nA=2\n", "2", id="the last one counts"),
        pytest.param(b"\xef\xbb\xbfA=x\n", "x", id="byte order mark"),
        pytest.param(b"#A=x\n", None, id="comment"),
        pytest.param(b"export A=x\n", None, id="export"),
        pytest.param(b"B=x\n", None, id="not there"),
        pytest.param("A=\xa0x\x0b\n".encode(), "\xa0x\x0b", id="only blank and tab are blanks"),
    ],
)
def test_value(data: bytes, value: str | None) -> None:
    assert parse(data).get("A") == value


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (b"A=1\nexport B=2\n", 2, "export"),
        (b"A=1\n\nwhat is this\n", 3, "'what is this'"),
        (b"A=1 # one\n", 1, "A has a ` #`"),
        (b"A=1\n# no\nA=2\n", 3, "line 1 already"),
        (b"\xef\xbb\xbfA=1\n", 1, "byte order mark"),
        (b'A="1\n', 1, "quote"),
        (b"A=1\rB=2\n", 1, "carriage return"),
    ],
)
def test_warning(data: bytes, line: int, word: str) -> None:
    (warning,) = parse(data).warnings
    assert (warning.file, warning.line) == (FILE, line)
    assert word in warning.text
    assert str(warning).startswith(f"{FILE} line {line}: ")


def test_no_warning_for_what_is_fine() -> None:
    assert parse(b"# A\r\n\r\n \t\nA='x # y'\nB=a#b\n").warnings == ()


def test_warning_is_short_for_a_long_line() -> None:
    assert len(str(parse(b"x" * 100_000).warnings[0])) < 300


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [(b"A=1\nB=\0\n", 2, "has a NUL byte"), (b"A=1\n\nB=\xff\n", 3, "is not UTF-8"), (b"\xff\n", 1, "is not UTF-8")],
)
def test_refused_text(data: bytes, line: int, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(data)
    assert (caught.value.file, caught.value.line, caught.value.problem) == (FILE, line, problem)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        pytest.param(b" A = 'x' \r\nB=1", "y", b" A = 'y' \r\nB=1", id="style stays"),
        pytest.param(b"A=x\n", "y z", b"A=y z\n", id="no needless quotes"),
        pytest.param(b"A=x\n", " y", b'A=" y"\n', id="leading blank"),
        pytest.param(b"A=x\n", '"y"', b"A='\"y\"'\n", id="quotes of its own"),
        pytest.param(b"A=x\n", "y #z", b'A="y #z"\n', id="comment sign"),
        pytest.param(b"A=1\n#\nA=2\n", "y", b"A=1\n#\nA=y\n", id="only the line that counts"),
        pytest.param(b"B=1", "y", b"B=1\nA=y\n", id="newline is completed"),
        pytest.param(b"B=1\r\nC=2", "y", b"B=1\r\nC=2\r\nA=y\r\n", id="appended with CRLF"),
        pytest.param(b"", "", b"A=\n", id="into an empty file"),
        pytest.param(b"\xef\xbb\xbfA=x", "y", b"\xef\xbb\xbfA=y", id="byte order mark stays"),
        pytest.param(b"\xef\xbb\xbf", "y", b"\xef\xbb\xbfA=y\n", id="byte order mark alone"),
    ],
)
def test_with_value(before: bytes, value: str, after: bytes) -> None:
    changed = parse(before).with_value("A", value)
    assert changed.to_bytes() == after
    assert changed.get("A") == value


@pytest.mark.parametrize(
    ("key", "value", "blamed"),
    [("A-B", "x", "'A-B'"), ("", "x", "''"), ("A\n", "x", "'A\\n'"), ("Ä", "x", "'Ä'")]
    + [("A", value, "A") for value in ("x\ny", "x\r", "\0", "\ud800")],
)
def test_unwritable(key: str, value: str, blamed: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(b"A=1\n").with_value(key, value)
    assert (caught.value.file, caught.value.key) == (FILE, blamed)


def test_same_value_is_the_same_object() -> None:
    file = parse(b"A = 'x' \nB=a\rb")
    assert file.with_value("A", "x") is file
    assert file.with_value("B", "a\rb") is file
    assert file.without("C") is file


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"# a\nA=1\nB=2\n A = 3\r\n", b"# a\nB=2\n"),
        (b"B=1\nA=2", b"B=1\n"),
        (b"\xef\xbb\xbfA=1\nB=2", b"\xef\xbb\xbfB=2"),
        (b"A=1", b""),
    ],
)
def test_without(before: bytes, after: bytes) -> None:
    shorter = parse(before).without("A")
    assert shorter.to_bytes() == after
    assert (shorter.get("A"), shorter.line_of("A")) == (None, None)


def test_keys_and_lines() -> None:
    file = parse(b"B=1\n\nA=2\nB=3\n")
    assert file.keys() == ("B", "A")
    assert (file.line_of("B"), file.line_of("A")) == (4, 3)


def test_equality_is_that_of_name_and_bytes() -> None:
    assert parse(b"A=1\n") == KeyValueFile.empty(file=FILE).with_value("A", "1")
    assert parse(b"A=1\n") != parse(b"A= 1\n")
    assert KeyValueFile.empty(file="a") != KeyValueFile.empty(file="b")
    assert FormatWarning(file="f", line=1, text="t") == FormatWarning(file="f", line=1, text="t")


@given(contents | st.binary())
def test_reading_and_writing_gives_the_same_bytes(data: bytes) -> None:
    try:
        file = parse(data)
    except FormatError as error:
        assert error.line  # noqa: PT017  # bytes that are no text may be refused, but never without a line
        return
    assert file.to_bytes() == data


@given(contents, st.sampled_from((*KEYS, "NEW")), values)
@example(b"B=1\n\xef\xbb\xbf", "NEW", "x")
@example(b"B=1\r", "NEW", "x")
def test_setting_changes_one_line_and_reads_back(data: bytes, key: str, value: str) -> None:
    file = parse(data)
    changed = file.with_value(key, value)
    assert changed.get(key) == value
    assert everything(changed) == everything(file) | {key: value}
    assert parse(changed.to_bytes()) == changed
    line = file.line_of(key)
    if line is None:
        assert changed.to_bytes().startswith(data)
        assert changed.to_bytes()[len(data) :].lstrip(b"\r\n").startswith(key.encode() + b"=")
    else:
        before, after = data.split(b"\n"), changed.to_bytes().split(b"\n")
        assert before[: line - 1] + before[line:] == after[: line - 1] + after[line:]


@given(contents)
def test_setting_what_is_set_changes_nothing(data: bytes) -> None:
    file = parse(data)
    for key in file.keys():  # noqa: SIM118  # no mapping
        assert file.with_value(key, file.get(key) or "").to_bytes() == data


@example(b"B=\n\xef\xbb\xbfA=2\nB=\n", "B")
@given(contents, st.sampled_from(KEYS))
def test_removing_leaves_all_other_lines(data: bytes, key: str) -> None:
    file = parse(data)
    assume(key in file.keys())  # noqa: SIM118  # no mapping
    shorter = file.without(key)
    assert {**everything(shorter), key: None} == {**everything(file), key: None}
    lines_of_key = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*" + key.encode() + rb"[ \t]*=.*(\n|\Z)", re.MULTILINE)
    bom = BOM if data.startswith(BOM) else b""
    assert shorter.to_bytes() == bom + lines_of_key.sub(b"", data.removeprefix(BOM))
