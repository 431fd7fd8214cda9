"""`.forge` on the state branch: what is remembered of each package's review at the service that shows it.

`pkgbase number status severity content url` a line, sorted by package. It saves questions and is no authority: what is
lost or wrong is found again at the service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import Pkgbase, is_oid, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterable

ShownStatus = Literal["open", "declined"]

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_URL = re.compile(r"https?://[!-~]{1,2000}")
_SEVERITIES = {severity.word: severity for severity in Severity}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeRecord:
    """A package's review: `content` is what it showed last; `declined` means that a person closed it, showing that."""

    pkgbase: Pkgbase
    number: int
    url: str
    content: str
    status: ShownStatus = "open"
    severity: Severity = Severity.HIGH


def parse_forge_memory(content: bytes) -> dict[Pkgbase, ForgeRecord]:
    """The file's records; lines that are not understood are left out."""
    records = (_record(line) for line in content.decode(errors="replace").split("\n"))
    return {record.pkgbase: record for record in records if record is not None}


def format_forge_memory(records: Iterable[ForgeRecord]) -> bytes:
    """The file's bytes. An address that could not be read back is left out, and its record with it."""
    ordered = sorted(records, key=lambda record: record.pkgbase)
    return "".join(
        f"{one.pkgbase} {one.number} {one.status} {one.severity.word} {one.content} {one.url}\n"
        for one in ordered
        if _URL.fullmatch(one.url)
    ).encode()


def _record(line: str) -> ForgeRecord | None:
    match line.split(" "):
        case [pkgbase, number, ("open" | "declined") as status, severity, content, url] if (
            is_pkgbase(pkgbase)
            and _NUMBER.fullmatch(number)
            and severity in _SEVERITIES
            and is_oid(content)
            and _URL.fullmatch(url)
        ):
            return ForgeRecord(
                pkgbase=Pkgbase(pkgbase),
                number=int(number),
                url=url,
                content=content,
                status=status,
                severity=_SEVERITIES[severity],
            )
        case _:
            return None
