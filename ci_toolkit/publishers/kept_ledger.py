"""What a place other than pacman's has been given, as JSON: what is published now, and what was and is still kept.

Recipes and owners choose the names and versions in it, so everything that becomes part of a path or an address is
judged where it is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_FORM = 1
_NAME = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9@._+:~^=,-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPackage:
    """A file that is published, by its own name, and what its build said of it.

    `published_at` is in seconds since 1970; `facts` are what the publisher has to know of it besides.
    """

    name: str
    base: str
    version: str
    arch: str
    file: str
    sha256: str
    size_bytes: int
    published_at: float
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredPackage:
    """What is published no longer, since `retired_at` in seconds since 1970; it is kept for a time."""

    package: KeptPackage
    retired_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLedger:
    """All of it; `number` is one more with every change."""

    number: int = 0
    packages: Mapping[str, KeptPackage] = field(default_factory=dict)
    retired: tuple[RetiredPackage, ...] = ()

    @property
    def checksums(self) -> frozenset[str]:
        """The SHA-256 of every file that it speaks of."""
        return frozenset(package.sha256 for package in self.everything)

    @property
    def everything(self) -> tuple[KeptPackage, ...]:
        """What is published, and then what was, the newest first."""
        return (*self.packages.values(), *(old.package for old in reversed(self.retired)))


def with_delivered(ledger: KeptLedger, pkgbase: str, packages: Iterable[KeptPackage], *, now: float) -> KeptLedger:
    """The ledger with these in place of all that the package base had; the same one where they are what it has.

    RefusedError for a name that another package base has, for one that is there twice, and for nothing at all.
    """
    fresh: dict[str, KeptPackage] = {}
    for package in packages:
        owner = ledger.packages.get(package.name)
        if owner is not None and owner.base != pkgbase:
            raise RefusedError(f"is published by {owner.base}, and only one folder can", key=package.name)
        if package.name in fresh:
            raise RefusedError("is made twice by one build", key=package.name)
        fresh[package.name] = owner if owner is not None and _identity(owner) == _identity(package) else package
    if not fresh:
        raise RefusedError("has nothing that could be published", key=pkgbase)
    others = {name: package for name, package in ledger.packages.items() if package.base != pkgbase}
    return _following(ledger, {**others, **fresh}, now)


def without_bases(ledger: KeptLedger, gone: Collection[str], *, now: float) -> KeptLedger:
    """The ledger without what these package bases have published; the same one where that is nothing."""
    left = {name: package for name, package in ledger.packages.items() if package.base not in gone}
    return _following(ledger, left, now)


def without_expired(ledger: KeptLedger, *, before_s: float, postponed: Collection[RetiredPackage] = ()) -> KeptLedger:
    """The ledger without what was retired before, but for what is `postponed`; the same one where that is nothing."""
    kept = tuple(old for old in ledger.retired if old.retired_at >= before_s or old in postponed)
    return ledger if len(kept) == len(ledger.retired) else replace(ledger, number=ledger.number + 1, retired=kept)


def _following(ledger: KeptLedger, packages: Mapping[str, KeptPackage], now: float) -> KeptLedger:
    if packages == ledger.packages:
        return ledger
    gone = [package for name, package in ledger.packages.items() if packages.get(name) != package]
    back = [_identity(package) for package in packages.values()]
    kept = [old for old in ledger.retired if _identity(old.package) not in back]
    fresh = [RetiredPackage(package=package, retired_at=now) for package in gone if _identity(package) not in back]
    return KeptLedger(number=ledger.number + 1, packages=dict(sorted(packages.items())), retired=(*kept, *fresh))


def _identity(package: KeptPackage) -> tuple[object, ...]:
    """What makes two the same for people who look for one, whenever it was published."""
    facts = tuple(sorted(package.facts.items()))
    return (package.base, package.name, package.version, package.file, package.sha256, facts)


def format_kept_ledger(ledger: KeptLedger) -> bytes:
    """One line a package, so that people can compare two."""
    packages = ",\n".join(json.dumps(asdict(package)) for package in ledger.packages.values())
    retired = ",\n".join(json.dumps(asdict(old.package) | {"retired_at": old.retired_at}) for old in ledger.retired)
    head = f'"form": {_FORM},\n"number": {ledger.number}'
    return f'{{\n{head},\n"packages": [\n{packages}\n],\n"retired": [\n{retired}\n]\n}}\n'.encode()


def parse_kept_ledger(content: bytes, *, file: str) -> KeptLedger:
    """What `format_kept_ledger` wrote; FormatError for anything else."""
    try:
        value = json.loads(content)
        if value["form"] != _FORM:
            raise FormatError("was written by a newer ci-toolkit", file=file, hint="use that one here, too")
        packages = [_package(row) for row in value["packages"]]
        return KeptLedger(
            number=int(value["number"]),
            packages={package.name: package for package in packages},
            retired=tuple(
                RetiredPackage(package=_package(row), retired_at=float(row["retired_at"])) for row in value["retired"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "put it back from a copy, or move it away: everything is published anew then"
        raise FormatError("is damaged: it is not what a publisher writes", file=file, hint=hint) from error


def checked_name(text: str, *, what: str) -> str:
    """A name or version that can be part of a path; FormatError, saying `what` it is of, for any other."""
    if _NAME.fullmatch(text) is None:
        raise FormatError("can be no part of a path that is published", key=what, got=text)
    return text


def _package(row: Mapping[str, Any]) -> KeptPackage:
    if _SHA256.fullmatch(row["sha256"]) is None:
        raise ValueError("sha256")
    return KeptPackage(
        name=_text(row, "name"),
        base=_text(row, "base"),
        version=_text(row, "version"),
        arch=_text(row, "arch"),
        file=_text(row, "file"),
        sha256=row["sha256"],
        size_bytes=int(row["size_bytes"]),
        published_at=float(row["published_at"]),
        provides=tuple(map(str, row["provides"])),
        depends=tuple(map(str, row["depends"])),
        facts={str(name): str(value) for name, value in row["facts"].items()},
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    text = row[key]
    if not isinstance(text, str) or _NAME.fullmatch(text) is None:
        raise ValueError(key)
    return text
