r"""Variables of a script, and what its words come to with them; nothing is run, and what is not certain is refused.

>>> scope = Scope()
>>> scope.assign("_v", "=", read_value("1.0-2", 0))
>>> scope.assign("names", "=", read_value('("a-${_v%-*}"{,.sig})', 0))
>>> scope.variables["names"].elements
('a-1.0', 'a-1.0.sig')
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from ci_toolkit.formats import bash_patterns
from ci_toolkit.formats.bash_words import (
    Atom,
    LostTrackError,
    UnknownValueError,
    expand_braces,
    read_elements,
    read_word,
)
from ci_toolkit.formats.parameter_expansion import (
    Parameter,
    in_case,
    pattern_and_new,
    read_parameter,
    sliced,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_TEXT = 1 << 20
_MOST_STEPS = 5_000_000
_ASSIGNMENT_STEPS = 50
_MOST_ATOMS = 2_000
_MOST_EXPANSIONS = 20_000
_DEEPEST = 8
_LONGEST_PATTERN = 500
_BLANKS = re.compile(r"[ \t\n]+")
_PATTERN_CHARACTERS = frozenset("*?[\\")


class Written(NamedTuple):
    """A value as it is written: the words of an array, or the one word of a scalar; `end` is behind it."""

    words: tuple[str, ...]
    is_array: bool
    end: int


class Variable(NamedTuple):
    """A variable's value; a scalar has one element, `unknown` says why there is no telling."""

    elements: tuple[str, ...] = ()
    is_array: bool = False
    unknown: str = ""


_Field = tuple[str, bool]
"""Text, and whether some of it was in quotes."""


def read_value(text: str, start: int) -> Written:
    """What is written behind `name=`."""
    if text[start : start + 1] == "(":
        words, end = read_elements(text, start)
        return Written(tuple(words), is_array=True, end=end)
    _, end = read_word(text, start)
    return Written((text[start:end],), is_array=False, end=end)


@dataclass(kw_only=True)
class Scope:
    """Variables by name, where one that is missing may be anything; `…_left` bounds the work of all together."""

    variables: dict[str, Variable] = field(default_factory=dict)
    expansions_left: int = _MOST_EXPANSIONS
    steps_left: int = _MOST_STEPS
    text_left: int = _MOST_TEXT

    def assign(self, name: str, operator: Literal["=", "+="], written: Written) -> None:
        """`name=value` or `name+=value`; LostTrackError when that may do more than set it."""
        try:
            self.variables[name] = self.assigned(self.variables.get(name), operator, written)
        except LostTrackError:
            raise
        except UnknownValueError as error:
            self.forget(name, str(error))

    def assigned(self, old: Variable | None, operator: Literal["=", "+="], written: Written) -> Variable:
        """What a variable that was `old` is afterwards; UnknownValueError when that cannot be told."""
        self._step(_ASSIGNMENT_STEPS)
        if written.is_array:
            elements = self.array(written.words)
            if operator == "=":
                return Variable(elements, is_array=True)
            return Variable((*_listed(_certain(old)), *elements), is_array=True)
        text = self.scalar(written.words[0])
        if operator == "+=":
            first, *rest = _certain(old).elements or ("",)
            text = self._spent(first + text)
        else:
            rest = list(_certain(old).elements[1:]) if old and old.is_array else []
        return Variable((text, *rest), is_array=bool(old and old.is_array))

    def forget(self, name: str, why: str) -> None:
        """From now on there is no telling what `name` is."""
        was_array = name in self.variables and self.variables[name].is_array
        self.variables[name] = Variable(is_array=was_array, unknown=why)

    def scalar(self, word: str) -> str:
        """What a word comes to where it is not split: behind `name=`."""
        return self._joined(_read_all(word), depth=0)

    def array(self, words: Iterable[str]) -> tuple[str, ...]:
        """What words come to as elements of an array."""
        found: list[str] = []
        for word in words:
            if word.startswith("["):
                raise LostTrackError("an element has an index")
            for one in expand_braces(word):
                found += self._fields(_read_all(one))
        return tuple(found)

    def _step(self, count: int) -> None:
        self.steps_left -= count
        if self.steps_left < 0:
            raise LostTrackError("it is too much work")

    def _spent(self, text: str) -> str:
        self.text_left -= len(text)
        if self.text_left < 0:
            raise LostTrackError("its values become too long")
        return text

    def _joined(self, atoms: Iterable[Atom], *, depth: int) -> str:
        texts = [
            " ".join(self._expanded(atom, depth=depth)) if atom.kind == "parameter" else atom.text for atom in atoms
        ]
        return self._spent("".join(texts))

    def _fields(self, atoms: list[Atom]) -> list[str]:
        """The words that one word becomes: lists and unquoted blanks split it."""
        if len(atoms) > _MOST_ATOMS:
            raise UnknownValueError("it is too long")
        fields: list[_Field] = []
        current: _Field | None = None
        for atom in atoms:
            if atom.kind == "glob":
                raise UnknownValueError("it may be names of files")
            if atom.kind != "parameter":
                before, quoted = current or ("", False)
                current = (before + atom.text, quoted or atom.kind == "quoted")
                continue
            texts = self._expanded(atom, depth=0)
            if atom.in_quotes:
                if not texts and len(atoms) > 1 and any(other.kind == "quoted" for other in atoms):
                    raise UnknownValueError("nothing stands between quotes")
                for number, text in enumerate(texts):
                    if number and current is not None:
                        fields.append(current)
                        current = None
                    current = ((current or ("", True))[0] + text, True)
            else:
                current = _split(texts, fields, current)
        if current is not None:
            fields.append(current)
        return [self._spent(text) for text, quoted in fields if text or quoted]

    def _expanded(self, atom: Atom, *, depth: int) -> tuple[str, ...]:
        """What a parameter stands for: one text, or any number for a list."""
        self.expansions_left -= 1
        if self.expansions_left < 0:
            raise LostTrackError("it has too many expansions")
        if depth > _DEEPEST:
            raise UnknownValueError("expansions are nested too deeply")
        parameter = read_parameter(atom.text)
        operator = parameter.operator
        variable = _certain(self.variables.get(parameter.name))
        if operator in ("-", ":-", "+", ":+"):
            return self._with_default(variable, parameter, depth=depth)
        if parameter.is_length:
            return (str(_length(variable, parameter.element)),)
        texts = _chosen(variable, parameter.element)
        if not operator:
            return (" ".join(texts),) if parameter.element == "*" and atom.in_quotes else texts
        if operator == ":" and parameter.element in ("@", "*"):
            raise UnknownValueError("a part of a list is taken")
        changed = tuple(self._changed(text, parameter, atom, depth=depth) for text in texts)
        return (" ".join(changed),) if parameter.element == "*" and atom.in_quotes else changed

    def _with_default(self, variable: Variable, parameter: Parameter, *, depth: int) -> tuple[str, ...]:
        if parameter.element in ("@", "*"):
            raise UnknownValueError("another value may stand in for it")
        texts = _chosen(variable, parameter.element) if variable.elements else ()
        is_there = bool(texts and (texts[0] or parameter.operator[0] != ":"))
        if parameter.operator.endswith("-") and is_there:
            return texts
        if parameter.operator.endswith("+") and not is_there:
            return ("",)
        return (self._argument(parameter.argument, depth=depth),)

    def _argument(self, argument: str, *, depth: int) -> str:
        """What stands in for a value, or replaces a part of it; quotes and backslashes in it are left to a shell."""
        if any(character in "'\"\\&~" for character in argument):
            raise UnknownValueError("what stands in for it is quoted")
        atoms, end = read_word(f'"{argument}"', 0)
        if end != len(argument) + 2:
            raise UnknownValueError("what stands in for it cannot be read")
        return self._joined(atoms, depth=depth + 1)

    def _changed(self, text: str, parameter: Parameter, atom: Atom, *, depth: int) -> str:
        operator, argument = parameter.operator, parameter.argument
        if operator == ":":
            return sliced(text, argument)
        if operator[0] in "^,":
            if argument:
                raise UnknownValueError("some letters change their case")
            return in_case(text, operator)
        if operator[0] == "/":
            pattern, new = pattern_and_new(argument)
            if not pattern or (operator == "/" and pattern[0] in "#%"):
                raise UnknownValueError("a pattern is bound to an end")
            new_text = self._argument(new, depth=depth)
            if any(character in new_text for character in "&\\"):
                raise UnknownValueError("what replaces a part refers to it")
            found = self._pattern(pattern, atom, depth=depth)
            self._step(len(text) + bash_patterns.steps(text, found))
            return self._spent(bash_patterns.replaced(text, found, new_text, everywhere=operator == "//"))
        found = self._pattern(argument, atom, depth=depth)
        self._step(len(text) * (len(found) + 1))
        cut = bash_patterns.without_start if operator[0] == "#" else bash_patterns.without_end
        return cut(text, found, longest=len(operator) == 2)

    def _pattern(self, written: str, atom: Atom, *, depth: int) -> tuple[bash_patterns.Token, ...]:
        """A pattern in `${…}`, where blanks and such are nothing special."""
        if len(written) > _LONGEST_PATTERN or any(it in "(|~" or (atom.in_quotes and it == "'") for it in written):
            raise UnknownValueError("a pattern is for a shell to read")
        atoms: list[Atom] = []
        position = 0
        while position < len(written):
            if written[position] in " \t\n;&<>)#{}":
                atoms.append(Atom("quoted", written[position]))
                position += 1
                continue
            more, end = read_word(f"x{written[position:]}", 0)
            if end == 1:
                raise UnknownValueError("a pattern is for a shell to read")
            more[0] = more[0]._replace(text=more[0].text.removeprefix("x"))
            position += end - 1
            atoms += more
        return tokens(written, atoms, lambda inner: " ".join(self._expanded(inner, depth=depth + 1)))


def _read_all(word: str) -> list[Atom]:
    atoms, end = read_word(word, 0)
    if end != len(word):
        raise UnknownValueError("it cannot be read")
    return atoms


def _certain(variable: Variable | None) -> Variable:
    if variable is None:
        raise UnknownValueError("a variable is used that nothing has set")
    if variable.unknown:
        raise UnknownValueError(variable.unknown)
    return variable


def _listed(variable: Variable) -> tuple[str, ...]:
    """All elements; what is seen as a scalar here may have more of them from elsewhere."""
    if not variable.is_array and variable.elements:
        raise UnknownValueError("a single value is used as a list")
    return variable.elements


def _length(variable: Variable, index: str) -> int:
    if index in ("@", "*"):
        return len(_listed(variable))
    text = "".join(_chosen(variable, index))
    if not text.isascii():
        raise UnknownValueError("text that is not ASCII is counted")
    return len(text)


def _chosen(variable: Variable, index: str) -> tuple[str, ...]:
    """The elements that `[index]` takes; one empty text where there is no such element."""
    if index in ("@", "*"):
        return _listed(variable)
    number = int(index or 0)
    return (variable.elements[number] if number < len(variable.elements) else "",)


def _split(texts: Iterable[str], fields: list[_Field], current: _Field | None) -> _Field | None:
    """Split unquoted texts at blanks; finished words go to `fields`, what may go on is handed back."""
    for number, text in enumerate(texts):
        if not _PATTERN_CHARACTERS.isdisjoint(text):
            raise UnknownValueError("it may be names of files")
        for place, part in enumerate(_BLANKS.split(text)):
            if (place or number) and current is not None:
                fields.append(current)
                current = None
            if part:
                current = ((current or ("", False))[0] + part, bool(current and current[1]))
    return current
