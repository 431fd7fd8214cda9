"""What other programs say of a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One line's fault; `code` is the program's own name for this kind, empty where it has none."""

    line: int
    text: str
    code: str = ""
