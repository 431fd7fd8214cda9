"""`.ci/deptree.txt` for the chaotic-manager: `pkgbase:name,name:dependency,dependency` joined by `;`.

No newline at the end (it would become part of the last name); every record has at least its pkgbase as a name.
Source: observed on a running chaotic-manager, May 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.model.names import Pkgbase, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeptreeRecord:
    """One package: the names it provides and the names it needs, without version constraints, each sorted."""

    pkgbase: Pkgbase
    names: tuple[str, ...]
    dependencies: tuple[str, ...]


def format_deptree(records: Iterable[DeptreeRecord]) -> bytes:
    """The artifact's bytes, sorted by package."""
    ordered = sorted(records, key=lambda record: record.pkgbase)
    return ";".join(f"{one.pkgbase}:{','.join(one.names)}:{','.join(one.dependencies)}" for one in ordered).encode()


def parse_deptree(content: bytes) -> tuple[DeptreeRecord, ...]:
    """The records of an artifact; FormatError names the one that is not `a:b:c`."""
    records = []
    for number, text in enumerate(content.decode(errors="replace").split(";") if content else [], start=1):
        parts = text.split(":")
        if len(parts) != 3 or not is_pkgbase(parts[0]):
            raise FormatError(
                "is not pkgbase:names:dependencies", key=f"record {number}", got=text, hint="make the file anew"
            )
        names, dependencies = (tuple(filter(None, part.split(","))) for part in parts[1:])
        records.append(DeptreeRecord(pkgbase=Pkgbase(parts[0]), names=names, dependencies=dependencies))
    return tuple(records)
