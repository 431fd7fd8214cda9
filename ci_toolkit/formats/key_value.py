r"""Key=value files (`.CI/config`, `.ci/config`, `.CI/info`, the files of branch `state`), kept byte for byte.

One assignment a line: optional blanks, a key `[A-Za-z0-9_]+`, optional blanks, `=`, optional blanks, the value to the
end of the line, trailing blanks dropped. `#` lines are comments. Quotes around the whole value are syntax. Nothing is
ever expanded. A byte-order mark at the start of a line, as joined files have it, means nothing. What is not understood
stays as it is, and is a warning: the bash template passes over such lines.

>>> config = KeyValueFile.parse(b"# mine\nKEY = 'old'\n", file=".CI/config")
>>> config.with_value("KEY", "new").to_bytes()
b"# mine\nKEY = 'new'\n"

Source of the rules: section "Key=value files" of the format description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from ci_toolkit.errors import FormatError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOM = "\ufeff"
_KEY = re.compile(r"[A-Za-z0-9_]+")
_HEAD = re.compile(r"\ufeff?[ \t]*([A-Za-z0-9_]+)[ \t]*=[ \t]*")
_BLANKS = " \t\r"  # \r: half of a CRLF line ending
_UNWRITABLE = re.compile(r"[\0\r\n]")
_QUOTES = "\"'"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatWarning:
    """Something in a file that is passed over but surely not meant; `line` counts from 1."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.text}"


class _Assignment(NamedTuple):
    line: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValueFile:
    """One file's assignments, over its exact text; two are equal when name and bytes are.

    `file` is the name that errors and warnings give.
    """

    file: str
    warnings: tuple[FormatWarning, ...] = field(default=(), repr=False, compare=False)
    _text: str = field(default="", repr=False)
    _assignments: Mapping[str, _Assignment] = field(default_factory=dict, compare=False)

    @classmethod
    def parse(cls, data: bytes, *, file: str) -> Self:
        """The file with these bytes; FormatError names the line of a NUL byte or of text that is not UTF-8."""
        if b"\0" in data:
            line = data.count(b"\n", 0, data.index(b"\0")) + 1
            raise FormatError("has a NUL byte", file=file, line=line, hint="it has to be a text file")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            got = data[error.start : error.end].hex(" ")
            raise FormatError("is not UTF-8", file=file, line=line, got=got, hint="save it as UTF-8") from error
        return cls._of_text(text, file=file)

    @classmethod
    def empty(cls, *, file: str) -> Self:
        """A file without any line."""
        return cls(file=file)

    @classmethod
    def _of_text(cls, text: str, *, file: str) -> Self:
        assignments: dict[str, _Assignment] = {}
        warnings: list[FormatWarning] = []
        if text.startswith(_BOM):
            warnings.append(FormatWarning(file=file, line=1, text="a byte order mark is passed over; better remove it"))
        for number, line in enumerate(text.removeprefix(_BOM).split("\n"), 1):
            head = _HEAD.match(line)
            if head is None:
                stripped = line.strip(_BLANKS)
                if stripped and stripped[0] != "#":
                    warnings.append(FormatWarning(file=file, line=number, text=_misunderstood(stripped)))
                continue
            key, written = head[1], line[head.end() :].rstrip(_BLANKS)
            earlier = assignments.get(key)
            warnings.extend(
                FormatWarning(file=file, line=number, text=f"{key} {doubt}")
                for doubt in _doubts(line, written, earlier)
            )
            assignments[key] = _Assignment(number, _unquoted(written))
        return cls(file=file, warnings=tuple(warnings), _text=text, _assignments=assignments)

    def get(self, key: str) -> str | None:
        """The value of `key` without its quotes, None when no line sets it. The last line that sets it counts."""
        found = self._assignments.get(key)
        return None if found is None else found.value

    def keys(self) -> tuple[str, ...]:
        """Every key, in the order in which they first appear."""
        return tuple(self._assignments)

    def line_of(self, key: str) -> int | None:
        """The line, from 1, of the assignment that counts; None when there is none."""
        found = self._assignments.get(key)
        return None if found is None else found.line

    def to_bytes(self) -> bytes:
        """The file's bytes: those that were parsed, but for the lines that were changed since."""
        return self._text.encode()

    def with_value(self, key: str, value: str) -> Self:
        """The file with `key` set to `value`: in the line that counts, or in a new last line.

        Indentation, blanks, the style of quotes and the line ending stay; quotes are added where the value would not
        read back without them. FormatError for a key that is none, and for a line break, CR or NUL in the value.
        """
        found = self._assignments.get(key)
        if found and found.value == value:
            return self
        self._refuse_unwritable(key, value)
        lines = self._text.split("\n")
        if found:
            lines[found.line - 1] = _with_value(lines[found.line - 1], value)
            return self._of_text("\n".join(lines), file=self.file)
        ending = "\r\n" if any(line.endswith("\r") for line in lines[:-1]) else "\n"
        is_complete = self._text in ("", _BOM) or not lines[-1]
        before = self._text if is_complete else self._text + ending
        return self._of_text(f"{before}{key}={_quoted_if_needed(value)}{ending}", file=self.file)

    def without(self, key: str) -> Self:
        """The file without any line that sets `key`; comments around it stay."""
        if key not in self._assignments:
            return self
        bom = _BOM if self._text.startswith(_BOM) else ""
        kept = "".join(line for line in _lines_with_ends(self._text.removeprefix(_BOM)) if _key_of(line) != key)
        return self._of_text(bom + kept, file=self.file)

    def _refuse_unwritable(self, key: str, value: str) -> None:
        if not _KEY.fullmatch(key):
            raise FormatError(
                "is no key", key=repr(shortened(key)), file=self.file, hint="a key has letters, digits and _ only"
            )
        if _UNWRITABLE.search(value):
            raise FormatError(
                "would not be one line", key=key, file=self.file, got=value, hint="no line break, CR or NUL fits in"
            )
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise FormatError("is not proper Unicode text", key=key, file=self.file, got=value) from error


def _misunderstood(line: str) -> str:
    hint = ": leave out `export`" if line.startswith("export ") else ""
    return f"passed over, as it is neither blank, comment nor key=value{hint}: {shortened(line)!r}"


def _doubts(line: str, written: str, earlier: _Assignment | None) -> Iterator[str]:
    """What is odd about the value `written` in `line`, each continuing the sentence that the key starts."""
    if earlier:
        yield f"is set in line {earlier.line} already; this line counts"
    if not written:
        return
    is_quoted = _is_quoted(written)
    if "#" in written and not is_quoted and _looks_commented(line.partition("=")[2]):
        yield "has a ` #` that belongs to the value; comments need a line of their own"
    if written[0] in _QUOTES and not is_quoted:
        yield "begins with a quote that does not end it, so the quote belongs to the value"
    if "\r" in written:
        yield "has a carriage return inside its value"


def _looks_commented(text: str) -> bool:
    return " #" in text or "\t#" in text


def _is_quoted(written: str) -> bool:
    return len(written) > 1 and written[0] in _QUOTES and written[0] == written[-1]


def _unquoted(written: str) -> str:
    return written[1:-1] if _is_quoted(written) else written


def _quoted_if_needed(value: str) -> str:
    reads_differently = value != value.strip(_BLANKS) or _is_quoted(value)
    reads_doubtful = value[:1] in tuple("#" + _QUOTES) or _looks_commented(value)
    if not (reads_differently or reads_doubtful):
        return value
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"


def _with_value(line: str, value: str) -> str:
    """An assignment's line, without its line feed, with another value."""
    bom = _BOM if line.startswith(_BOM) else ""
    head = _HEAD.match(line, len(bom))
    if head is None:  # only lines that were read as assignments come here
        raise AssertionError(line)
    start = head.end()
    written = line[start:].rstrip(_BLANKS)
    quote = written[0] if _is_quoted(written) else ""
    new = f"{quote}{value}{quote}" if quote else _quoted_if_needed(value)
    return line[:start] + new + line[start + len(written) :]


def _lines_with_ends(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def _key_of(line: str) -> str | None:
    head = _HEAD.match(line)
    return head[1] if head else None
