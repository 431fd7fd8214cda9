"""What one generation of a repository publishes, as JSON beside its database.

The database says the same of today's packages; the ledger knows besides what was there before, and since when not.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPackage:
    """A package and its file in the repository's folder; its signature lies beside it, with `.sig` behind the name."""

    name: str
    base: str
    version: str
    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredPackage:
    """A package that is published no longer, since `retired_at` in seconds since 1970; its file is kept for a time."""

    package: PublishedPackage
    retired_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One generation: `parent` is the one that a rollback from here goes back to, 0 if there is none."""

    number: int
    parent: int
    published_at: float
    reason: str
    packages: Mapping[str, PublishedPackage]
    retired: tuple[RetiredPackage, ...]

    @property
    def files(self) -> set[str]:
        """Every package file that this generation speaks of."""
        return {package.file for package in self.packages.values()} | {old.package.file for old in self.retired}


EMPTY = Ledger(number=0, parent=0, published_at=0.0, reason="", packages={}, retired=())


def successor(
    ledger: Ledger, packages: Mapping[str, PublishedPackage], *, number: int, now: float, reason: str, keep_s: float
) -> Ledger:
    """The generation after `ledger`: what it no longer publishes is retired, what is retired too long is forgotten."""
    files = {package.file for package in packages.values()}
    kept = [old for old in ledger.retired if old.package.file not in files and now - old.retired_at < keep_s]
    gone = [package for package in ledger.packages.values() if package.file not in files]
    fresh = [RetiredPackage(package=package, retired_at=now) for package in gone]
    return replace(
        ledger,
        number=number,
        parent=ledger.number,
        published_at=now,
        reason=reason,
        packages=dict(sorted(packages.items())),
        retired=(*kept, *fresh),
    )


def format_ledger(ledger: Ledger) -> bytes:
    """One line a package, so that people can compare two."""
    value = {
        "form": _FORM,
        "number": ledger.number,
        "parent": ledger.parent,
        "published_at": ledger.published_at,
        "reason": ledger.reason,
    }
    head = ",\n".join(f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items())
    packages = ",\n".join(json.dumps(asdict(package)) for package in ledger.packages.values())
    retired = ",\n".join(json.dumps(asdict(old.package) | {"retired_at": old.retired_at}) for old in ledger.retired)
    return f'{{\n{head},\n"packages": [\n{packages}\n],\n"retired": [\n{retired}\n]\n}}\n'.encode()


def parse_ledger(content: bytes, *, file: str) -> Ledger:
    """What `format_ledger` wrote; FormatError for anything else."""
    try:
        value = json.loads(content)
        if value["form"] != _FORM:
            raise FormatError("was written by a newer ci-toolkit", file=file)
        packages = [_package(row) for row in value["packages"]]
        return Ledger(
            number=int(value["number"]),
            parent=int(value["parent"]),
            published_at=float(value["published_at"]),
            reason=str(value["reason"]),
            packages={package.name: package for package in packages},
            retired=tuple(
                RetiredPackage(package=_package(row), retired_at=float(row["retired_at"])) for row in value["retired"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("is damaged: it is not what a publisher writes", file=file) from error


def _package(row: Mapping[str, Any]) -> PublishedPackage:
    return PublishedPackage(
        name=_text(row, "name"),
        base=_text(row, "base"),
        version=_text(row, "version"),
        file=_text(row, "file"),
        sha256=_text(row, "sha256"),
        size_bytes=int(row["size_bytes"]),
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    text = row[key]
    if not isinstance(text, str) or "/" in text or not text or text.startswith((".", "-")):
        raise ValueError(key)
    return text
