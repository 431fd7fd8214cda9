"""Containerfiles (Dockerfiles), as far as needed to know their base images before anything runs.

Read are directives, comments, continued lines, heredocs, `ARG`, `FROM`, and what copies or mounts from other images;
all other instructions are left to the program that builds. Nothing depends on reading them as that program does: what
is overlooked here is not there when it builds, without the network.

Source: the Dockerfile reference (syntax 1), and what buildah 1.28 makes of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.image_reference import ImageReference, parse_image_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCRATCH = "scratch"
_LARGEST_BYTES = 1 << 20
_MOST_STAGES = 200
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.+?)\s*")
_WORD = re.compile(r"\S+")
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)(?=\s|$)")
_HEREDOC = re.compile(r"(?<=\s)[0-9]*<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2(?=\s|$)")
_HAVE_HEREDOCS = ("RUN", "COPY", "ADD")
_STAGE = re.compile(r"[a-z][a-z0-9_.-]*")
_ARGUMENT = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)(?:=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*))?(?=\s|$)""")
_NAME = re.compile(r"(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)(?==|\s|$)")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:[-+])([^}$]*))?\})")
_AUTOMATIC = frozenset(
    f"{side}{what}" for side in ("BUILD", "TARGET") for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?")


class Span(NamedTuple):
    """Where a word stands in the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One `FROM` with what follows; texts are as they are written, variables and all.

    `others` are what it copies or mounts from, which may be stages; `arguments` the names of its `ARG`s.
    """

    name: str | None
    base: str
    span: Span
    platform: str | None
    line: int
    others: tuple[tuple[str, Span], ...] = ()
    arguments: tuple[str, ...] = ()
    runs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """An image that has to be there before a build begins; `platform` is one that the text asks for itself.

    `is_copied`: it is only copied from, or mounted.
    """

    reference: ImageReference
    span: Span
    platform: str | None
    is_copied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Containerfile:
    """A Containerfile; `defaults` are the arguments before its first stage, None where they have no value.

    `heredocs` are the lines that begin some.
    """

    text: str
    defaults: Mapping[str, str | None]
    stages: tuple[Stage, ...]
    heredocs: tuple[int, ...]
    file: str

    @property
    def arguments(self) -> frozenset[str]:
        """The names of all arguments that it takes."""
        return frozenset(self.defaults).union(*(stage.arguments for stage in self.stages))

    def needed(self, target: str | None, given: Mapping[str, str]) -> tuple[Stage, ...]:
        """The stages that go into one (the last one where none is named); FormatError when there is none."""
        last = len(self.stages) - 1 if target is None else self._stage(target.lower(), len(self.stages))
        if last is None:
            raise FormatError("has no stage of this name", file=self.file, got=target)
        found, left = set[int](), [last]
        while left:
            number = left.pop()
            if number in found:
                continue
            found.add(number)
            stage = self.stages[number]
            for text in (self._expanded(stage.base, stage, given), *(text for text, _ in stage.others)):
                other = self._stage(text.lower(), number)
                left += [] if other is None else [other]
        return tuple(self.stages[number] for number in sorted(found))

    def base_images(self, target: str | None, given: Mapping[str, str]) -> tuple[BaseImage, ...]:
        """What has to be there, with `given` for arguments; FormatError for what is no name of an image."""
        found = []
        for stage in self.needed(target, given):
            number = self.stages.index(stage)
            texts = [(self._expanded(stage.base, stage, given), stage.span, self._platform(stage, given), False)]
            texts += [(text, span, None, True) for text, span in stage.others]
            for text, span, asked, is_copied in texts:
                if text == SCRATCH or self._stage(text.lower(), number) is not None:
                    continue
                try:
                    reference = parse_image_reference(text)
                except FormatError as error:
                    raise error.located(file=self.file, line=stage.line) from None
                found.append(BaseImage(reference=reference, span=span, platform=asked, is_copied=is_copied))
        return tuple(found)

    def running(self, target: str | None, given: Mapping[str, str]) -> set[str | None]:
        """The platforms that steps of an image run on, as the text asks for them; None is the image's own."""
        return {self._platform(stage, given) for stage in self.needed(target, given) if stage.runs}

    def pinned(self, names: Mapping[Span, str]) -> str:
        """The text with other names at some places."""
        parts, end = [], 0
        for span, name in sorted(names.items()):
            parts += [self.text[end : span.start], name]
            end = span.end
        return "".join([*parts, self.text[end:]])

    def _platform(self, stage: Stage, given: Mapping[str, str]) -> str | None:
        """What a stage asks for, or else the one that it goes on from."""
        if stage.platform:
            return self._expanded(stage.platform, stage, given)
        before = self._stage(self._expanded(stage.base, stage, given).lower(), self.stages.index(stage))
        return None if before is None else self._platform(self.stages[before], given)

    def _stage(self, text: str, before: int) -> int | None:
        """The number of a stage before another, by its name or its number."""
        for number in reversed(range(min(before, len(self.stages)))):
            if self.stages[number].name == text:
                return number
        return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < before else None

    def _expanded(self, text: str, stage: Stage, given: Mapping[str, str]) -> str:
        # The build's own platform and the target's are known without being declared.
        values = {name: given[name] for name in _AUTOMATIC & given.keys()}
        for name, default in self.defaults.items():
            if name in given:
                values[name] = given[name]
            elif default is not None:
                values[name] = _expanded(default, values)
        expanded = _expanded(text, values)
        if not expanded or "$" in expanded:
            raise FormatError("has a name without a value", file=self.file, line=stage.line, got=text)
        return expanded


def parse_containerfile(content: bytes, *, file: str) -> Containerfile:
    """The typed form; FormatError with the line for what cannot be read."""
    if len(content) > _LARGEST_BYTES:
        raise FormatError(f"is larger than {_LARGEST_BYTES} bytes", file=file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", file=file, line=content.count(b"\n", 0, error.start) + 1) from error
    if "\0" in text:
        raise FormatError("has a NUL byte", file=file, line=text.count("\n", 0, text.index("\0")) + 1)
    try:
        return _parsed(text, file)
    except FormatError as error:
        raise error.located(file=file) from None


def _parsed(text: str, file: str) -> Containerfile:
    defaults: dict[str, str | None] = {}
    stages: list[Stage] = []
    heredocs: list[int] = []
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            stages.append(_stage_of(instruction))
            if len(stages) > _MOST_STAGES:
                raise FormatError(f"has more than {_MOST_STAGES} stages", line=instruction.line)
        elif instruction.word == "ARG":
            if stages:
                names = _NAME.findall(instruction.rest)
                stages[-1] = replace(stages[-1], arguments=(*stages[-1].arguments, *names))
            else:
                defaults.update(_declared(instruction))
        elif not stages:
            raise FormatError(f"has {instruction.word} before the first FROM", line=instruction.line)
        elif instruction.word in _HAVE_HEREDOCS:
            heredocs += [instruction.line] * instruction.has_heredoc
            others = (*stages[-1].others, *_others(instruction))
            stages[-1] = replace(stages[-1], others=others, runs=stages[-1].runs or instruction.word == "RUN")
    if not stages:
        raise FormatError("has no FROM")
    return Containerfile(text=text, defaults=defaults, stages=tuple(stages), heredocs=tuple(heredocs), file=file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    """One instruction: its lines joined, and where in the text each character of them stands."""

    word: str
    joined: str
    places: tuple[int, ...]
    line: int

    @property
    def has_heredoc(self) -> bool:
        """Whether further lines belong to it that are no instructions."""
        return self.word in _HAVE_HEREDOCS and _HEREDOC.search(self.joined) is not None

    @property
    def rest(self) -> str:
        """What follows its name."""
        return self.joined[self._behind :]

    @property
    def _behind(self) -> int:
        found = _INSTRUCTION.match(self.joined)
        return found.end() if found else 0

    def words(self) -> Iterator[re.Match[str]]:
        """What follows its name, word by word."""
        return _WORD.finditer(self.joined, self._behind)

    def span(self, start: int, end: int) -> Span:
        """The place in the text of a part of the joined lines."""
        return Span(self.places[start], self.places[end - 1] + 1)


def _instructions(text: str) -> Iterator[_Instruction]:
    escape = _escape(text)
    lines = _lines(text)
    number = 0
    while number < len(lines):
        first = number
        joined, places = "", list[int]()
        continued = True
        while continued and number < len(lines):
            start, line = lines[number]
            number += 1
            if line.lstrip().startswith("#") or (joined and not line.strip()):
                continued = bool(joined)
                continue
            stripped = line.rstrip()
            continued = stripped.endswith(escape)
            kept = stripped[:-1] if continued else line
            joined += kept
            places += range(start, start + len(kept))
        if not joined.strip():
            continue
        word = _INSTRUCTION.match(joined)
        if word is None:
            raise FormatError("is no instruction", line=first + 1, got=joined.strip())
        instruction = _Instruction(word=word[1].upper(), joined=joined, places=tuple(places), line=first + 1)
        number = _behind_heredocs(instruction, lines, number)
        yield instruction


def _lines(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for line in text.split("\n"):
        found.append((start, line.removesuffix("\r")))
        start += len(line) + 1
    return found


def _escape(text: str) -> str:
    """The sign that continues a line, which the directives before everything else may change."""
    for line in text.split("\n"):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            break
        if found[1].lower() == "escape":
            if found[2] not in ("\\", "`"):
                raise FormatError("is no sign that continues a line", key="escape", got=found[2], line=1)
            return found[2]
    return "\\"


def _behind_heredocs(instruction: _Instruction, lines: list[tuple[int, str]], number: int) -> int:
    """The number of the line behind all heredocs that an instruction begins."""
    if instruction.word not in _HAVE_HEREDOCS:
        return number
    for tabs, _, end in _HEREDOC.findall(instruction.joined):
        while True:
            if number >= len(lines):
                raise FormatError(f"has no end {end}", line=instruction.line, got=instruction.joined.strip())
            _, line = lines[number]
            number += 1
            if (line.lstrip("\t") if tabs else line) == end:
                break
    return number


def _stage_of(instruction: _Instruction) -> Stage:
    platform, words = None, list(instruction.words())
    while words and words[0][0].startswith("--"):
        flag = _FLAG.fullmatch(words.pop(0)[0])
        if flag is None or flag[1] != "platform" or not flag[2]:
            raise FormatError("has an option that FROM does not take", line=instruction.line, got=instruction.joined)
        platform = flag[2]
    has_name = len(words) == 3 and words[1][0].upper() == "AS"
    if len(words) != 1 and not has_name:
        raise FormatError("is no FROM IMAGE or FROM IMAGE AS NAME", line=instruction.line, got=instruction.joined)
    name = words[2][0].lower() if has_name else None
    if name is not None and not _STAGE.fullmatch(name):
        raise FormatError("is no name of a stage", line=instruction.line, got=name)
    span = instruction.span(*words[0].span())
    return Stage(name=name, base=words[0][0], span=span, platform=platform, line=instruction.line)


def _declared(instruction: _Instruction) -> dict[str, str | None]:
    rest = instruction.rest.strip()
    found: dict[str, str | None] = {}
    while rest:
        argument = _ARGUMENT.match(rest)
        if argument is None:
            raise FormatError("is no ARG NAME or ARG NAME=VALUE", line=instruction.line, got=instruction.joined)
        found[argument[1]] = None if argument[2] is None else _unquoted(argument[2])
        rest = rest[argument.end() :].lstrip()
    return found


def _others(instruction: _Instruction) -> list[tuple[str, Span]]:
    """What an instruction copies or mounts from, by its options."""
    found = []
    for word in instruction.words():
        flag = _FLAG.fullmatch(word[0])
        if flag is None:
            break
        if flag[1] not in ("from", "mount"):
            continue
        for source in re.finditer(r"(?:^|,)from=([^,]+)" if flag[1] == "mount" else r"^(.+)$", flag[2] or ""):
            if "$" in source[1]:
                raise FormatError("copies from a name with variables", line=instruction.line, got=source[1])
            start = word.start() + flag.start(2)
            found.append((source[1], instruction.span(start + source.start(1), start + source.end(1))))
    return found


def _unquoted(text: str) -> str:
    if text[:1] == "'":
        return text[1:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] == '"' else text


def _expanded(text: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        known = values.get(name, "")
        if found[3] == ":-":
            return known or found[4]
        if found[3] == ":+":
            return found[4] if known else ""
        return known

    return _VARIABLE.sub(value, text)
