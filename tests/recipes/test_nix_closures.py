"""What may come out of a store that builders had in their hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.nix_closure import read_closure
from ci_toolkit.recipes.nix.closures import check_closure, closure_of, closure_text
from tests.support.nix_exports import export, store_path

if TYPE_CHECKING:
    from pathlib import Path

LIB, TOOL, OTHER = store_path("lib"), store_path("tool"), store_path("other")
CLOSURE = tuple(read_closure([export([(LIB, b"lib", ()), (TOOL, b"tool", (LIB,))])]))
KNOWN: dict[str, str | None] = {str(LIB): CLOSURE[0].nar_sha256, str(TOOL): None}


def test_outputs_and_what_is_unchanged_may() -> None:
    check_closure(CLOSURE, [str(TOOL)], KNOWN)


@pytest.mark.parametrize(
    ("asked", "allowed", "said"),
    [
        ([TOOL], {str(TOOL): None}, "no output of what was evaluated"),
        ([TOOL], {**KNOWN, str(LIB): "0" * 64}, "was changed"),
        ([OTHER], KNOWN, "nobody asked for it"),
        ([TOOL, OTHER], KNOWN, "is not in what came out"),
    ],
    ids=["another", "changed", "unasked", "missing"],
)
def test_nothing_else_may(asked: list[object], allowed: dict[str, str | None], said: str) -> None:
    with pytest.raises(UpstreamError, match=said):
        check_closure(CLOSURE, [str(path) for path in asked], allowed)


def test_a_closure_larger_than_is_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nix-export"
    path.write_bytes(export([(LIB, b"x" * 1000, ())]))
    with pytest.raises(UpstreamError, match="larger than"):
        closure_of(path, limit_bytes=500)


def test_the_closure_is_told_with_what_was_asked_for_first() -> None:
    lines = closure_text(CLOSURE).splitlines()
    assert lines[0] == f"the closure has 2 paths with {sum(one.nar_size_bytes for one in CLOSURE)} bytes:"
    assert lines[1].strip().startswith(str(TOOL))
    assert lines[1].endswith(f" -> {LIB.base_name}")
    assert lines[2].strip().startswith(str(LIB))
