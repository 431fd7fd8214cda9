"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ci_toolkit.errors import ToolkitError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in one file: `file` is relative to the repository's top, `line` counts from 1.

    `replacement` is the whole file as it would be right, where a check can tell; `--fix` writes it.
    """

    check: str
    severity: Severity
    file: str
    text: str
    line: int | None = None
    hint: str | None = None
    replacement: bytes | None = field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """The text with its hint."""
        return f"{self.text} ({self.hint})" if self.hint else self.text

    @property
    def order(self) -> tuple[str, int, str, str]:
        """What problems are sorted by: file, line, check, text."""
        return self.file, self.line or 0, self.check, self.text


def problem_of(error: ToolkitError, check: str, file: str, severity: Severity = "error") -> Problem:
    """An error of a format or a value as the problem of a file; its own idea of the file's name does not count."""
    said = f"{error.key} {error.problem}" if error.key else error.problem
    text = said if error.got is None else f"{said}: {error.got[:120]!r}"
    return Problem(check=check, severity=severity, file=file, line=error.line, text=text, hint=error.hint)
