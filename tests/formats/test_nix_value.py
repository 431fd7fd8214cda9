"""Values as text of the Nix language: what Nix reads is what was meant, and never code."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.nix_value import NixCode, format_nix_value
from tests.support.nix_store import needs_nix

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
_VALUES = st.recursive(
    _TEXTS | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)
_HOSTILE = [
    "${builtins.abort ''x''}",
    '"',
    "\\",
    '\\"',
    "''",
    "$${",
    "$",
    "\n\r\t",
    "\\${",
    '" + abort "x" + "',
    "a.b",
    "",
    "# x",
]


def evaluated(text: str) -> Any:
    """What Nix says of an expression."""
    words = ["nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-"]
    env = {"PATH": "/usr/bin:/bin", "NIX_REMOTE": "dummy://", "HOME": "/nonexistent", "NIX_CONF_DIR": "/nonexistent"}
    done = subprocess.run(words, input=text.encode(), capture_output=True, env=env, check=False)
    assert done.returncode == 0, (text, done.stderr.decode())
    return json.loads(done.stdout)


@needs_nix
def test_nix_reads_hostile_texts_as_texts() -> None:
    value = {text: [text, {"in": text}] for text in _HOSTILE}
    assert evaluated(format_nix_value(value)) == value


@needs_nix
@settings(max_examples=25, deadline=None)
@given(st.lists(_VALUES, max_size=8))
def test_nix_reads_what_was_meant(value: list[Any]) -> None:
    assert evaluated(format_nix_value(value)) == value


@pytest.mark.parametrize(
    ("value", "key", "said"),
    [
        ({"a": [1.5]}, "p.a[0]", "neither text"),
        ({"a": {"b": "\0"}}, "p.a.b", "NUL"),
        ({"a": 2**63}, "p.a", "larger number"),
        ({"a": None}, "p.a", "neither text"),
    ],
)
def test_what_has_no_text_is_named(value: object, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        format_nix_value(value, key="p")
    assert caught.value.key == key


def test_what_is_nested_without_end_is_refused() -> None:
    value: object = "x"
    for _ in range(100):
        value = [value]
    with pytest.raises(ConfigError, match="deeply"):
        format_nix_value(value, key="p")


def test_code_of_our_own_stands_as_it_is() -> None:
    assert format_nix_value([NixCode(text="/build")]) == "[ /build ]"
