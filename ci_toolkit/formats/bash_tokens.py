r"""A bash script as a flat list of words and operators, read as bash reads it; what is rare or tricky is refused.

    cd "$dir" && make   # build        cd  "$dir"  &&  make  SEP
    a=(1 '2'  # two                    a=  (  1  '2'  )  SEP
       )

This is the second reader next to tree-sitter, which sometimes sees something else than bash does. A word is its exact
bytes, quotes and expansions included, without line continuations. Comments and blanks are dropped, line ends and `;`
become one separator. Whoever wants to know whether two scripts run the same compares both readers' answers.

Source: bash(1) and observed on bash 5.2. Refused on purpose: control characters, `$[`, extended globs outside of
patterns, comments, `case` and heredocs inside of `$(…)`, `#` words inside of `[[`, quotes inside of a quoted `${…}`.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Never

from ci_toolkit.errors import FormatError

SEPARATOR = b";"
DEEPEST = 30
MOST_WORDS = 60_000

_BLANKS = re.compile(rb"(?:[ \t]|\\\n)+")
_PLAIN = re.compile(rb"[^\s\\'\"$`()<>;&|@!*+?{}\x00-\x1f\x7f]+")
_SINGLE = re.compile(rb"'[^']*'")
_ANSI = re.compile(rb"\$'(?:[^'\\]|\\.)*'", re.DOTALL)
_BACKTICKS = re.compile(rb"`(?:[^`\\]|\\.)*`", re.DOTALL)
_OPERATOR = re.compile(rb"&>>|<<<|<<-|;;&|&&|\|\||;;|;&|\|&|&>|>>|<<|<&|>&|<>|>\||[&|<>();]")
_ARRAY_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\+?=")
_DESCRIPTOR = re.compile(rb"[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\}")
_DELIMITER = re.compile(rb"(?:\\?([A-Za-z0-9_.!-]+)|'([A-Za-z0-9_.! -]+)'|\"([A-Za-z0-9_.! -]+)\")")
_IN_QUOTES = re.compile(rb"[^\\\"$`]+")
_IN_PARENTHESES = re.compile(rb"[A-Za-z0-9_.,/=:%^~-]+")
_IN_BRACES = re.compile(rb"[^\\'\"$`{}]+")
_ODD_BYTE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_TRICKY_INSIDE = re.compile(rb"(?<![A-Za-z0-9_])case(?![A-Za-z0-9_])")
_OPENING = frozenset({b"{", b"then", b"do", b"else", b"elif", b"if", b"while", b"until", b"!"})
_NO_SEPARATOR_AFTER = frozenset({b"&&", b"||", b"|", b"|&", b"&", b";;", b";&", b";;&", b"("})
_LEFT_OPEN = _OPENING | _NO_SEPARATOR_AFTER


class Token(NamedTuple):
    """A word, operator, separator or heredoc body; `text` is what counts of bytes `start` to `end`."""

    text: bytes
    start: int
    end: int


def read_words(data: bytes) -> tuple[Token, ...]:
    """All tokens of a script; FormatError with the line where this reader is not sure."""
    if odd := _ODD_BYTE.search(data):
        _refuse("has a control character", data, odd.start())
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tokens: list[Token] = []
        self.heredocs: list[tuple[bytes, bool, bool]] = []
        self.at_command = True
        self.is_testing = False
        self.is_array = False
        self.expects_delimiter = b""

    def read(self) -> tuple[Token, ...]:
        position = 0
        while position < len(self.data):
            position = self._step(position)
            if len(self.tokens) > MOST_WORDS:
                _refuse(f"has more than {MOST_WORDS:,} words", self.data, position)
        if self.heredocs or self.is_array or self.is_testing:
            _refuse("ends in the middle of something", self.data, len(self.data))
        self._separate(len(self.data))
        return tuple(self.tokens)

    def _step(self, at: int) -> int:
        if blanks := _BLANKS.match(self.data, at):
            return blanks.end()
        byte = self.data[at : at + 1]
        if byte == b"\n":
            return self._end_line(at)
        if byte == b"#":
            return self._skip_comment(at)
        if byte in b"<>" and self.data[at + 1 : at + 2] == b"(":
            return self._word(at)
        if operator := _OPERATOR.match(self.data, at):
            return self._operator(operator[0], at, operator.end())
        return self._word(at)

    def _end_line(self, at: int) -> int:
        if self.expects_delimiter:
            _refuse("has a heredoc without a delimiter", self.data, at)
        end = at + 1
        if not self.is_array:
            self._separate(at)
        while self.heredocs:
            end = self._heredoc(end)
        return end

    def _skip_comment(self, at: int) -> int:
        if self.is_testing or self.expects_delimiter:
            _refuse("has a `#` that may be no comment", self.data, at)
        end = self.data.find(b"\n", at)
        return len(self.data) if end < 0 else end

    def _separate(self, at: int) -> None:
        if not self.tokens or self.tokens[-1].text in (SEPARATOR, b""):
            return
        is_open = self.at_command and self.tokens[-1].text in _LEFT_OPEN
        if not is_open and not self._expects_body():
            self.tokens.append(Token(SEPARATOR, at, at))
        self.at_command = True

    def _expects_body(self) -> bool:
        """Whether `name ()` is all there is of a function so far; an empty array `name=()` is no function."""
        texts = [token.text for token in self.tokens[-3:]]
        return len(texts) == 3 and texts[1:] == [b"(", b")"] and not texts[0].endswith(b"=")

    def _operator(self, text: bytes, at: int, end: int) -> int:
        if self.expects_delimiter:
            _refuse("has a heredoc without a delimiter", self.data, at)
        if self.is_array and text != b")":
            _refuse("has an operator in an array", self.data, at)
        if text == SEPARATOR:
            self._separate(at)
            return end
        if text == b"(" and self.data[end : end + 1] == b"(":
            return self._arithmetic(at)
        if text in (b"<<", b"<<-"):
            self.expects_delimiter = text
        self.tokens.append(self._with_descriptor(text, at, end))
        if self.is_array:
            self.is_array = self.at_command = False
        elif text not in (b"<", b">", b">>", b"<<", b"<<-", b"<<<", b"<&", b">&", b"<>", b">|", b"&>", b"&>>"):
            self.at_command = True
        return end

    def _with_descriptor(self, operator: bytes, at: int, end: int) -> Token:
        """The operator with the number that touches it: `echo 2>x` is not `echo 2 >x`."""
        last = self.tokens[-1] if self.tokens else None
        if last and operator[:1] in b"<>" and last.end == at and _DESCRIPTOR.fullmatch(last.text):
            self.tokens.pop()
            return Token(last.text + operator, last.start, end)
        return Token(operator, at, end)

    def _arithmetic(self, at: int) -> int:
        end = self.data.find(b"))", at)
        inside = self.data[at + 2 : end]
        if end < 0 or re.search(rb"['\"`#\\()\n]|<<", inside):
            _refuse("has arithmetic that is not simple", self.data, at)
        self.tokens.append(Token(self.data[at : end + 2], at, end + 2))
        self.at_command = False
        return end + 2

    def _word(self, at: int) -> int:
        end = self._word_end(at)
        text = self.data[at:end]
        if self.expects_delimiter:
            self._note_heredoc(text, at)
            self.tokens.append(Token(text, at, end))
            return end
        is_command = self.at_command
        self._note_test(text, is_command=is_command)
        self.tokens.append(Token(_joined(text), at, end))
        if not self.is_array:
            self.at_command = is_command and text in _OPENING
        if self.data[end : end + 1] == b"(" and _ARRAY_NAME.fullmatch(text) and not self.is_array:
            self.tokens.append(Token(b"(", end, end + 1))
            self.is_array = True
            return end + 1
        return end

    def _note_test(self, text: bytes, *, is_command: bool) -> None:
        if text == b"[[" and is_command:
            self.is_testing = True
        elif text == b"]]" and self.is_testing:
            self.is_testing = False

    def _word_end(self, at: int) -> int:
        start, data = at, self.data
        while at < len(data):
            if plain := _PLAIN.match(data, at):
                at = plain.end()
                continue
            byte = data[at : at + 1]
            if byte in b"@!*+?" and data[at + 1 : at + 2] == b"(":
                _refuse("has an extended glob", data, at)
            if byte in b"<>" and data[at + 1 : at + 2] == b"(":
                at = self._parentheses(at + 2, 1)
            elif byte in b" \t\n;&|<>()":
                break
            else:
                at = self._piece(at, 0)
        if at == start:
            _refuse("has something that is no word", data, at)
        return at

    def _piece(self, at: int, depth: int) -> int:
        """The end of one quoted, escaped or expanded piece, or of one plain byte."""
        data, byte = self.data, self.data[at : at + 1]
        if byte == b"\\":
            return min(at + 2, len(data))
        if byte == b"'":
            return self._matched(_SINGLE, at)
        if byte == b'"':
            return self._double(at + 1, depth)
        if byte == b"`":
            return self._matched(_BACKTICKS, at)
        return self._dollar(at, depth, quoted=False) if byte == b"$" else at + 1

    def _dollar(self, at: int, depth: int, *, quoted: bool) -> int:
        data, follower = self.data, self.data[at + 1 : at + 2]
        if depth > DEEPEST:
            _refuse("is nested too deeply", data, at)
        if follower == b"(":
            return self._parentheses(at + 2, depth + 1)
        if follower == b"{":
            return self._braces(at + 2, depth + 1, quoted=quoted)
        if follower == b"[" or (follower == b'"' and not quoted):
            _refuse("has an old kind of expansion or a translated string", data, at)
        if follower == b"'" and not quoted:
            return self._matched(_ANSI, at)
        return at + 1 if follower in (b"", b"\\", b'"', b"`") else at + 2 if follower not in b" \t\n;&|<>)'" else at + 1

    def _matched(self, pattern: re.Pattern[bytes], at: int) -> int:
        found = pattern.match(self.data, at)
        if found is None:
            _refuse("has a quote without an end", self.data, at)
        return found.end()

    def _double(self, at: int, depth: int) -> int:
        data = self.data
        while at < len(data):
            if plain := _IN_QUOTES.match(data, at):
                at = plain.end()
                continue
            byte = data[at : at + 1]
            if byte == b'"':
                return at + 1
            at = self._dollar(at, depth, quoted=True) if byte == b"$" else self._piece(at, depth)
        return _refuse("has a quote without an end", data, at)

    def _braces(self, at: int, depth: int, *, quoted: bool) -> int:
        data = self.data
        while at < len(data):
            if plain := _IN_BRACES.match(data, at):
                at = plain.end()
                continue
            byte = data[at : at + 1]
            if byte == b"}":
                return at + 1
            if byte == b"{" or (quoted and byte == b"'"):
                _refuse("has an expansion that is not simple", data, at)
            at = self._dollar(at, depth, quoted=quoted) if byte == b"$" else self._piece(at, depth)
        return _refuse("has an expansion without an end", data, at)

    def _parentheses(self, at: int, depth: int) -> int:
        """The end of `$(…)`, `<(…)`, `$((…))`, given the place behind its first parenthesis."""
        data, start, level = self.data, at, 1
        while at < len(data):
            if plain := _IN_PARENTHESES.match(data, at):
                at = plain.end()
                continue
            byte = data[at : at + 1]
            if byte == b"#" and data[at - 1 : at] in b" \t\n;&|()<>":
                _refuse("has a comment inside of an expansion", data, at)
            if data[at : at + 2] == b"<<" and data[at : at + 3] != b"<<<":
                _refuse("has a heredoc inside of an expansion", data, at)
            if data[at : at + 3] == b"<<<":
                at += 3
                continue
            level += (byte == b"(") - (byte == b")")
            at = at + 1 if byte in b"()" else self._piece(at, depth)
            if level == 0:
                if _TRICKY_INSIDE.search(data, start, at):
                    _refuse("has a `case` inside of an expansion", data, start)
                return at
        return _refuse("has an expansion without an end", data, at)

    def _note_heredoc(self, word: bytes, at: int) -> None:
        delimiter = _DELIMITER.fullmatch(word)
        if delimiter is None:
            _refuse("has a heredoc with an odd delimiter", self.data, at)
        name = delimiter[1] or delimiter[2] or delimiter[3]
        self.heredocs.append((name, self.expects_delimiter == b"<<-", word == name))
        self.expects_delimiter = b""

    def _heredoc(self, at: int) -> int:
        """Take the body that begins here, delimiter included, and hand back the place behind it."""
        delimiter, strips_tabs, expands = self.heredocs.pop(0)
        start, is_continued = at, False
        while at < len(self.data):
            end = self.data.find(b"\n", at)
            end = len(self.data) if end < 0 else end
            line = self.data[at:end].lstrip(b"\t") if strips_tabs else self.data[at:end]
            if line == delimiter:
                if is_continued:
                    _refuse("has a heredoc that may not end where it seems to", self.data, at)
                self.tokens.append(Token(self.data[start:end], start, end))
                self.tokens.append(Token(SEPARATOR, end, end))
                return min(end + 1, len(self.data))
            is_continued = expands and line.endswith(b"\\")
            at = end + 1
        return _refuse("has a heredoc without an end", self.data, start)


def _joined(word: bytes) -> bytes:
    """A word with the line continuations in it gone; one in single quotes is none, and there it stays."""
    return word.replace(b"\\\n", b"") if b"\\\n" in word and b"'" not in word and b"\\\\" not in word else word


def _refuse(problem: str, data: bytes, at: int) -> Never:
    raise FormatError(problem, line=data.count(b"\n", 0, at) + 1)
