r"""PKGBUILD: edited in place by a few fixed kinds of change, byte for byte the same elsewhere, and never run.

>>> pkgbuild = Pkgbuild.parse(b"pkgver='1.0'  # stable\nsource=(\"https://example.org/v1.0/a-$pkgver.tar.gz\")\n")
>>> pkgbuild.with_scalar("pkgver", "2.0").with_literal_in_sources("1.0", "2.0").to_bytes()
b'pkgver=\'2.0\'  # stable\nsource=("https://example.org/v2.0/a-$pkgver.tar.gz")\n'

What is written comes from strangers, so only versions (`[A-Za-z0-9._+:~-]+`), checksums and SKIP ever are. What cannot
be changed for certain is refused with a FormatError that has the line. Every change is read again before it is handed
out. A file with CRLF keeps it; makepkg itself refuses to read such a file.

Sources: PKGBUILD(5), `makepkg --geninteg` for the layout of checksums, and the rules of module bash_settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Never

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.bash_settings import APPENDED, Script, Setting, Word, line_of, read_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_WRITABLE = re.compile(r"[A-Za-z0-9._+:~-]+")
_WRITABLE_HINT = "only letters, digits and . _ + : ~ - are ever written"
_TILDE_EXPANDS = re.compile(r"(?:\A|:)~")
_SOURCE_ARRAY = re.compile(r"source(?:_[A-Za-z0-9_]+)?")
_HEX_DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "b2": 128}
_SUMS = {kind: re.compile(rf"[0-9A-Fa-f]{{{digits}}}|SKIP") for kind, digits in _HEX_DIGITS.items()}
_SUMS["ck"] = re.compile(r"[0-9]{1,10}|SKIP")  # the decimal CRC of cksum: 32 bits
_SUM_ARRAY = re.compile(rf"({'|'.join(_SUMS)})sums(?:_[A-Za-z0-9_]+)?")
_LONE_CR = re.compile(rb"\r(?!\n)")
_NOT_QUOTES = re.compile(rb"[^'\"]")
_BOM = b"\xef\xbb\xbf"
_EXPANSION = b"$"  # stands for any expansion in the literal text of a word


class _Edit(NamedTuple):
    """Bytes `start` to `end` become `new`."""

    start: int
    end: int
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkgbuild:
    """One PKGBUILD's exact bytes and what its top level sets; two are equal when name and bytes are.

    `file` is the name that errors give. Top level means: a direct child of the script, not in a function, an `if`, a
    comment, a heredoc or a string.
    """

    file: str
    _data: bytes = field(repr=False)
    _script: Script = field(repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes, *, file: str = "PKGBUILD") -> Pkgbuild:
        """The PKGBUILD with these bytes.

        FormatError with the line for NUL bytes, text that is not UTF-8, and the two things that bash sees otherwise
        than everyone else: a byte order mark, a carriage return within a line. Syntax that cannot be read is no error
        here: it only makes `with_…` refuse what stands in it or behind it.
        """
        _refuse_undecodable(data, file)
        return cls(file=file, _data=data, _script=read_settings(data))

    def to_bytes(self) -> bytes:
        """The file's bytes: those that were parsed, but for what was changed since."""
        return self._data

    def is_set(self, name: str) -> bool:
        """Whether anything outside of functions sets `name`, were it under a condition; `unset` does not count."""
        return any(setting.doubt != "by `unset`" for setting in self._settings(name))

    def literal(self, name: str) -> str | None:
        """The value of scalar `name` when the last thing that sets it is a plain literal at top level, else None.

        Plain are an unquoted word, '…' and "…", in one piece, without expansion or escape. Where the syntax cannot be
        read, or an `if` or the like sets `name` afterwards, there is no telling, hence None.
        """
        last = self._last_certain(name)
        return last.value.text if last and last.value else None

    def literals(self, name: str) -> tuple[str, ...] | None:
        """The elements of array `name` when `literal` would be certain of it and each is plain, else None."""
        last = self._last_certain(name)
        texts = [word.text for word in last.elements] if last and last.elements is not None else [None]
        return tuple(text for text in texts if text is not None) if None not in texts else None

    def sum_arrays(self) -> tuple[str, ...]:
        """The names of all checksum arrays at top level (`sha256sums`, `b2sums_x86_64`), in order, each once."""
        names = (it.name for it in self._script.settings if it.elements is not None and _SUM_ARRAY.fullmatch(it.name))
        return tuple(dict.fromkeys(names))

    def with_scalar(self, name: str, value: str) -> Pkgbuild:
        """The PKGBUILD with `value` in the one top-level assignment of `name`; quotes and trailing comments stay.

        FormatError when `value` is not `[A-Za-z0-9._+:~-]+`, and when `name` is not set, set more than once in any way,
        an array, computed, or behind syntax that cannot be read.
        """
        self._refuse_unwritable(name, value)
        setting = self._only_setting(name)
        word = setting.value
        if word is None:
            self._refuse("is an array", setting, hint="only single values can be set")
        if word.text is None:
            self._refuse_computed(setting, word)
        if word.text == value:
            return self
        changed = self._edited([_scalar_edit(word, value)])
        if changed.literal(name) != value:
            self._refuse("does not read back as it was written", setting, got=value)
        return changed

    def with_literal_in_sources(self, old: str, new: str, *, kept: Collection[str] = ()) -> Pkgbuild:
        """The PKGBUILD with `new` for the literal text `old` in the top-level `source` and `source_<arch>` arrays.

        Only where `old` stands for itself: not next to a letter or digit (but for one `v` in front), nor in a longer
        version such as `2.1.0` or `1.0.1`. Expansions, comments, sources that are `kept` (local files) and arrays under
        a condition stay. Nothing happens when `old` is not there. FormatError when `new` is not
        `[A-Za-z0-9._+:~-]+`, and when `old` stands behind syntax that cannot be read.
        """
        self._refuse_unwritable("source", new)
        edits: list[_Edit] = []
        texts: list[bytes] = []
        for setting, word in _source_words(self._script):
            found = [] if word.text in kept else list(_occurrences(self._data, word, old))
            if found and self._is_broken_before(setting):
                self._refuse_broken(setting)
            if _TILDE_EXPANDS.search(new) and any(not _is_quoted(word, start) for start, _ in found):
                self._refuse("would be expanded by bash", setting, got=new, hint="put the source into quotes")
            word_edits = [_Edit(start, end, new.encode()) for start, end in found]
            texts.append(_spliced(self._data, word_edits, word.start, word.end))
            edits += word_edits
        if not edits or old == new:
            return self
        changed = self._edited(edits)
        data = changed.to_bytes()
        if [data[word.start : word.end] for _, word in _source_words(read_settings(data))] != texts:
            raise FormatError("does not read back as it was written", file=self.file, key="source", got=new)
        return changed

    def with_sums(self, sums: Mapping[str, Sequence[str]]) -> Pkgbuild:
        """The PKGBUILD with other elements in checksum arrays, given by full name.

        An array of as many plain elements keeps its layout, quotes and comments. Any other is written anew as makepkg
        does, one element a line, and loses its comments. FormatError for a name that is no checksum array, for values
        that are neither SKIP nor checksums of that kind, and when an array is not assigned exactly once, at top level,
        with `=(`, before any syntax that cannot be read.
        """
        edits = [edit for name, values in sums.items() for edit in self._sum_edits(name, values)]
        if not edits:
            return self
        changed = self._edited(edits)
        for name, values in sums.items():
            if changed.literals(name) != tuple(values):
                self._refuse("does not read back as it was written", self._only_setting(name))
        return changed

    def _sum_edits(self, name: str, values: Sequence[str]) -> list[_Edit]:
        self._refuse_no_sums(name, values)
        setting = self._only_setting(name)
        words = setting.elements
        if words is None:
            self._refuse("is not an array", setting, hint=f"write {name}=(…)")
        texts = [word.text for word in words]
        if texts == list(values):
            return []
        if len(texts) == len(values) and None not in texts:
            changes = zip(words, values, strict=True)
            return [_word_edit(word, value) for word, value in changes if word.text != value]
        return [_Edit(setting.value_start, setting.end, self._array(setting, values))]

    def _array(self, setting: Setting, values: Sequence[str]) -> bytes:
        """A whole array as makepkg writes it: elements below one another, in single quotes."""
        line_start = self._data.rfind(b"\n", 0, setting.start) + 1
        head = self._data[line_start : setting.value_start].decode() + "("
        indent = "".join(character if character == "\t" else " " for character in head)
        ending = "\r\n" if b"\r\n" in self._data else "\n"
        elements = (ending + indent).join(f"'{value}'" for value in values)
        return f"({elements})".encode()

    def _settings(self, name: str) -> list[Setting]:
        return [setting for setting in self._script.settings if setting.name == name]

    def _last_certain(self, name: str) -> Setting | None:
        """The last thing that sets `name`, when it is a plain assignment which surely counts."""
        settings = self._settings(name)
        if not settings or settings[-1].doubt or self._is_broken_before(settings[-1]):
            return None
        return None if self._doubt_behind(settings[-1]) else settings[-1]

    def _only_setting(self, name: str) -> Setting:
        """The plain top-level assignment of `name`; FormatError when it is not the only thing that sets it."""
        settings = self._settings(name)
        if not settings:
            hint = f"a plain line {name}=… outside of functions and blocks is needed"
            if self._script.broken_from is not None:
                hint += f"; from line {line_of(self._data, self._script.broken_from)} on the syntax cannot be read"
            raise FormatError("is not set at top level", file=self.file, key=name, hint=hint)
        first = settings[0]
        if self._is_broken_before(first):
            self._refuse_broken(first)
        if len(settings) > 1:
            second = settings[1]
            hint = f"line {self._line(first)} sets it, too; keep one plain {name}=… outside of functions and blocks"
            self._refuse("is set more than once", second, hint=hint)
        if first.doubt:
            self._refuse(f"is set {first.doubt}", first, hint=f"use one plain {name}=… outside of functions and blocks")
        if doubt := self._doubt_behind(first):
            self._refuse(f"may be set again {doubt}", first, hint="whether it is cannot be told without running bash")
        return first

    def _line(self, setting: Setting) -> int:
        return line_of(self._data, setting.start)

    def _is_broken_before(self, setting: Setting) -> bool:
        broken_from = self._script.broken_from
        return broken_from is not None and broken_from < setting.end

    def _doubt_behind(self, setting: Setting) -> str:
        """Why something behind this setting may set the same name again, or nothing."""
        if self._script.sourced_until > setting.end:
            return "by a file that is read with `source`"
        broken_from = self._script.broken_from
        again = re.compile(rb"^[ \t]*" + setting.name.encode() + rb"(?:\[[^]]*\])?\+?=", re.MULTILINE)
        found = None if broken_from is None else again.search(self._data, broken_from)
        return f"in line {line_of(self._data, found.start())}" if found else ""

    def _edited(self, edits: list[_Edit]) -> Pkgbuild:
        """The PKGBUILD with these bytes changed; FormatError when anything else is not as before."""
        edits = sorted(edits)
        data = _spliced(self._data, edits, 0, len(self._data))
        script = read_settings(data)
        old, new = self._script.settings, script.settings
        is_same = [(it.name, it.doubt) for it in old] == [(it.name, it.doubt) for it in new]
        if not is_same or _outside(self._data, edits) != _outside(data, _moved(edits)):
            raise FormatError("would change in more places than it should", file=self.file)
        for before, after in zip(old, new, strict=True):
            is_meant = any(before.start <= edit.start <= edit.end <= before.end for edit in edits)
            if not is_meant and self._data[before.start : before.end] != data[after.start : after.end]:
                self._refuse("would change without being meant", before)
        return Pkgbuild(file=self.file, _data=data, _script=script)

    def _refuse(self, problem: str, setting: Setting, *, got: str | None = None, hint: str | None = None) -> Never:
        line = self._line(setting)
        raise FormatError(problem, file=self.file, line=line, key=setting.name, got=got, hint=hint)

    def _refuse_broken(self, setting: Setting) -> Never:
        line = line_of(self._data, self._script.broken_from or 0)
        hint = f"line {line} is the first that is not understood; it may be valid bash"
        self._refuse("stands in or behind syntax that cannot be read", setting, hint=hint)

    def _refuse_computed(self, setting: Setting, word: Word) -> Never:
        got = self._data[word.start : word.end].decode()
        if word.names:
            others = " or ".join(word.names)
            self._refuse("is computed", setting, got=got, hint=f"it is made from {others}: set {others} instead")
        self._refuse("is not plain text in one piece", setting, got=got, hint="write it as one literal")

    def _refuse_unwritable(self, name: str, value: str) -> None:
        if not _WRITABLE.fullmatch(value):
            raise FormatError("may not be set to this", file=self.file, key=name, got=value, hint=_WRITABLE_HINT)

    def _refuse_no_sums(self, name: str, values: Sequence[str]) -> None:
        array = _SUM_ARRAY.fullmatch(name)
        if array is None:
            hint = f"one of {', '.join(f'{kind}sums' for kind in _SUMS)}, with _<architecture> or without"
            raise FormatError("is no checksum array", file=self.file, key=name, hint=hint)
        for value in values:
            if not _SUMS[array[1]].fullmatch(value):
                kind = "10 decimal" if array[1] == "ck" else f"{_HEX_DIGITS[array[1]]} hexadecimal"
                hint = f"it takes SKIP or {'at most ' if array[1] == 'ck' else ''}{kind} digits"
                raise FormatError("has no place for this", file=self.file, key=name, got=value, hint=hint)


def _refuse_undecodable(data: bytes, file: str) -> None:
    if b"\0" in data:
        line = line_of(data, data.index(b"\0"))
        raise FormatError("has a NUL byte", file=file, line=line, hint="it has to be a text file")
    if data.startswith(_BOM):
        raise FormatError("begins with a byte order mark", file=file, line=1, hint="bash cannot read that; remove it")
    if lone := _LONE_CR.search(data):
        line = line_of(data, lone.start())
        raise FormatError("has a carriage return within a line", file=file, line=line, hint="remove it")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        got = data[error.start : error.end].hex(" ")
        line = line_of(data, error.start)
        raise FormatError("is not UTF-8", file=file, line=line, got=got, hint="save it as UTF-8") from error


def _source_words(script: Script) -> Iterator[tuple[Setting, Word]]:
    for setting in script.settings:
        if setting.elements and setting.doubt in ("", APPENDED) and _SOURCE_ARRAY.fullmatch(setting.name):
            yield from ((setting, word) for word in setting.elements)


def _scalar_edit(word: Word, value: str) -> _Edit:
    """The value for another; quotes come in where bash would take a tilde for a home directory."""
    is_quoted = all(span.is_quoted for span in word.spans) and word.end > word.start
    if not is_quoted and _TILDE_EXPANDS.search(value):
        return _Edit(word.start, word.end, f"'{value}'".encode())
    return _word_edit(word, value)


def _word_edit(word: Word, value: str) -> _Edit:
    """The text of a literal word for another, inside of its quotes."""
    quotes = (word.end - word.start - len((word.text or "").encode())) // 2
    return _Edit(word.start + quotes, word.end - quotes, value.encode())


def _is_quoted(word: Word, position: int) -> bool:
    return any(span.is_quoted for span in word.spans if span.start <= position < span.end)


def _occurrences(data: bytes, word: Word, old: str) -> Iterator[tuple[int, int]]:
    """Start and end of `old` where it is bounded in the literal text of a word, which quotes do not interrupt."""
    if not old:
        return
    text, places = _literal_text(data, word)
    before, after = rb"(?<![A-Za-z0-9\x80-\xff])v?(?<![0-9$]\.)", rb"(?![A-Za-z0-9\x80-\xff])(?!\.[0-9])"
    for found in re.finditer(before + b"(" + re.escape(old.encode()) + b")" + after, text):
        start, end = places[found.start(1)], places[found.end(1) - 1] + 1
        if end - start == len(old.encode()):  # not when quotes stand within
            yield start, end


def _literal_text(data: bytes, word: Word) -> tuple[bytes, list[int]]:
    """A word without its quotes, with $ for every expansion, and where each of these bytes stands in the file."""
    text, places, position = bytearray(), list[int](), word.start
    for span in word.spans:
        if _NOT_QUOTES.search(data, position, span.start):
            text += _EXPANSION
            places.append(position)
        text += data[span.start : span.end]
        places.extend(range(span.start, span.end))
        position = span.end
    return bytes(text), places


def _spliced(data: bytes, edits: list[_Edit], start: int, end: int) -> bytes:
    """Bytes `start` to `end` with the edits, which are in order."""
    pieces, position = [], start
    for edit in edits:
        pieces += [data[position : edit.start], edit.new]
        position = edit.end
    return b"".join([*pieces, data[position:end]])


def _outside(data: bytes, edits: list[_Edit]) -> list[bytes]:
    """What lies before, between and behind the edits, which are in order."""
    starts = [0, *(edit.end for edit in edits)]
    ends = [*(edit.start for edit in edits), len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]


def _moved(edits: list[_Edit]) -> list[_Edit]:
    """The edits, in order, at the places where their new bytes stand afterwards."""
    moved, shift = [], 0
    for edit in edits:
        start = edit.start + shift
        moved.append(_Edit(start, start + len(edit.new), edit.new))
        shift += len(edit.new) - (edit.end - edit.start)
    return moved
