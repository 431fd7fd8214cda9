"""A plugin's fragment in values of exactly the types that the specification has: a copy of what the plugin gave.

What a plugin gives is an object of its own making: a text may be a class of its own that is one thing when it is
checked and another when it is written, and a table may be None. Each value is read once, here, and from then on
nothing of the plugin runs any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from itertools import islice
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ci_toolkit.errors import shortened
from ci_toolkit.model.metric import Metric
from ci_toolkit.stack_fragments.spec import Fragment

# Far more than anybody has, and little enough to be dealt with at once.
_MOST, _MOST_ROWS = 1_000, 100_000
_LONGEST = 1 << 20  # characters of a text
_LARGEST = 1 << 63
# What the specification imports for readers alone.
_NAMES: dict[str, Any] = {"Mapping": Mapping, "Metric": Metric}


class WrongTypeError(ValueError):
    """A value is not what the specification says; the message begins with where it is, such as `services[0].port`."""


def plain_fragment(given: object) -> Fragment:
    """The copy; WrongTypeError for the first value that is of another type, and whatever the plugin's objects raise."""
    copied: Fragment = _plain(given, Fragment, "")
    return copied


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, localns=_NAMES)


def _plain(value: Any, kind: Any, place: str) -> Any:  # noqa: ANN401 - a value of any type, and what it should be
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _one_of(value, parts, place)
    if origin is tuple:
        return _entries(value, parts[0], place)
    if origin is Mapping:
        return _table(value, parts, place)
    if origin is Literal:
        return _chosen(value, parts, place)
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(value, kind, place)
    return _single(value, kind, place)


def _record(value: Any, kind: type, place: str) -> Any:  # noqa: ANN401 - likewise
    if not isinstance(value, kind):
        raise _wrong(place, value, kind.__name__)
    fields = _fields(kind).items()
    return kind(**{name: _plain(getattr(value, name), hint, f"{place}.{name}".lstrip(".")) for name, hint in fields})


def _entries(value: object, kind: object, place: str) -> tuple[Any, ...]:
    if type(value) is not tuple:
        raise _wrong(place, value, "tuple")
    most = _MOST_ROWS if place.endswith(".rows") else _MOST
    if len(value) > most:
        raise WrongTypeError(f"{place} has {len(value)} entries, and may have {most}")
    return tuple(_plain(one, kind, f"{place}[{at}]") for at, one in enumerate(value))


def _table(value: object, kinds: tuple[Any, ...], place: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(place, value, "Mapping")
    entries = list(islice(value.items(), _MOST + 1))
    if len(entries) > _MOST:
        raise WrongTypeError(f"{place} has more than {_MOST} entries")
    return MappingProxyType(
        {
            _plain(key, kinds[0], f"a key of {place}"): _plain(one, kinds[1], f"{place}[{shortened(repr(key))}]")
            for key, one in entries
        }
    )


def _one_of(value: object, kinds: tuple[Any, ...], place: str) -> Any:  # noqa: ANN401 - likewise
    for kind in kinds:
        if type(value) is kind or (isinstance(kind, type) and is_dataclass(kind) and isinstance(value, kind)):
            return _plain(value, kind, place)
    if type(value) is int and float in kinds:
        return _plain(value, float, place)
    raise _wrong(place, value, " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds))


def _chosen(value: object, words: tuple[str, ...], place: str) -> str:
    if type(value) is not str:
        raise _wrong(place, value, "str")
    if value not in words:
        raise WrongTypeError(f"{place} cannot be {shortened(value)!r} ({', '.join(words)})")
    return value


def _single(value: Any, kind: type, place: str) -> Any:  # noqa: ANN401 - likewise
    # A bool is an int for Python, and an int is as good as a float.
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise _wrong(place, value, kind.__name__)
    if isinstance(value, str):
        return _text(value, place)
    # What is no number at all is not less than anything.
    if isinstance(value, int | float) and not abs(value) < _LARGEST:
        raise WrongTypeError(f"{place} is larger than any number may be")
    return value


def _text(value: str, place: str) -> str:
    if len(value) > _LONGEST:
        raise WrongTypeError(f"{place} has {len(value)} characters, and may have {_LONGEST}")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise WrongTypeError(f"{place} has a NUL in it, or half of a character")
    return value


def _wrong(place: str, value: object, expected: str) -> WrongTypeError:
    return WrongTypeError(f"{place or 'what it gives'} is of type {type(value).__name__}, and has to be {expected}")
