"""`.SRCINFO` is never believed: what it says must be what the PKGBUILD says.

What the PKGBUILD says is told from its text where that is certain; where it is not, by what makepkg printed in the
sandbox (`evaluated`), if it was asked. What nobody can tell may stay as it was or follow the version, no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkgbuild_schema import SUMS, base_name
from ci_toolkit.formats.pkgbuild_values import StaticValues, Unknown, Value, static_values
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.finding import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = ".SRCINFO"
_VERSION_KEYS = ("pkgver", "pkgrel", "epoch")
_DANGEROUS = frozenset({
    *("source", "noextract", "install", "validpgpkeys", *SUMS),
    *("depends", "makedepends", "checkdepends", "optdepends"),
})  # fmt: skip

UNREADABLE = Rule(id="srcinfo-unreadable", severity=Severity.HIGH, meaning=".SRCINFO is missing or cannot be read.")
NAMES = Rule(id="srcinfo-names", severity=Severity.HIGH, meaning=".SRCINFO names other packages than PKGBUILD.")
DANGEROUS = Rule(
    id="srcinfo-sources-or-depends",
    severity=Severity.HIGH,
    meaning=".SRCINFO has other sources, checksums, dependencies, keys or install scripts than PKGBUILD.",
)
MISMATCH = Rule(
    id="srcinfo-mismatch", severity=Severity.MEDIUM, meaning="A field of .SRCINFO is not what PKGBUILD says."
)
STALE = Rule(
    id="srcinfo-stale",
    severity=Severity.MINOR,
    meaning="A field of .SRCINFO is not what PKGBUILD says, and was not before this change either.",
)
EVALUATES_OTHERWISE = Rule(
    id="srcinfo-evaluates-otherwise",
    severity=Severity.HIGH,
    meaning="PKGBUILD and .SRCINFO agree in a field, but running PKGBUILD gives something else.",
)
UNVERIFIED = Rule(
    id="srcinfo-unverified",
    severity=Severity.LOW,
    meaning="A field of .SRCINFO changes that only running PKGBUILD could confirm, which was not done.",
)

RULES: tuple[Rule, ...] = (UNREADABLE, NAMES, DANGEROUS, MISMATCH, EVALUATES_OTHERWISE, STALE, UNVERIFIED)
"""Everything that is looked for here."""

_VERSION = re.compile(r"[A-Za-z0-9._+~]+")
_Description = dict[str | None, dict[str, tuple[str, ...]]]
_Kind = Literal["version", "missing", "extra", "silent", "other"]
_Values = tuple[str, ...] | None
"""None: the section has no line for it, and the pkgbase section counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A PKGBUILD's static values beside the `.SRCINFO` that came with it (None: it cannot be read)."""

    static: StaticValues
    srcinfo: SrcInfo | None
    evaluated: SrcInfo | None
    written_values: _Description
    evaluated_values: _Description

    @classmethod
    def read(cls, pkgbuild: bytes, srcinfo: bytes, evaluated: bytes | None = None) -> Self:
        """The side that these bytes make."""
        written, ran = _parsed(srcinfo), _parsed(evaluated or b"")
        return cls(
            static=static_values(pkgbuild),
            srcinfo=written,
            evaluated=ran,
            written_values=_described(written),
            evaluated_values=_described(ran),
        )

    def truth(self, package: str | None, key: str) -> Value | None:
        """What the PKGBUILD says in the section of a package, or of pkgbase (None)."""
        section = self.static.base if package is None else self.static.package(package)
        told = section.value(key)
        if not isinstance(told, Unknown) or self.evaluated is None:
            return () if told is None and package is None else told
        return _written(self.evaluated_values, package, key)

    def written(self, package: str | None, key: str) -> _Values:
        """What `.SRCINFO` says there."""
        return None if self.srcinfo is None else _written(self.written_values, package, key)

    def keys(self, package: str | None) -> Iterator[str]:
        """Every key that a section has in any way; some more than once."""
        yield from (self.static.base if package is None else self.static.package(package)).values
        for description in (self.written_values, self.evaluated_values):
            yield from description.get(package, {})


def compare_srcinfo(
    pkgbuild: bytes, srcinfo: bytes, *, evaluated: bytes | None = None, before: tuple[bytes, bytes] | None = None
) -> tuple[Finding, ...]:
    """Where `.SRCINFO` does not say what PKGBUILD says; `srcinfo` is empty when there is none.

    `evaluated` is what makepkg printed for this PKGBUILD. `before` is the PKGBUILD and the `.SRCINFO` as they were:
    what was wrong in the same way then is no reason to stop now.
    """
    new = _Side.read(pkgbuild, srcinfo, evaluated)
    if new.srcinfo is None:
        return (_unreadable(srcinfo),)
    old = _old(before)
    findings = [*_name_findings(new, old)]
    lines = _lines(srcinfo)
    for package, key in _places(new, old):
        finding = _field_finding(new, old, package, key)
        if finding is not None:
            rule, text, was, now = finding
            findings.append(
                Finding(
                    rule=rule.id,
                    severity=rule.severity,
                    file=_FILE,
                    text=text,
                    line=lines.get((package, key)) or lines.get((package, "")),
                    old=was,
                    new=now,
                )
            )
    return tuple(findings)


def needs_evaluation(pkgbuild: bytes, srcinfo: bytes, before: tuple[bytes, bytes] | None = None) -> bool:
    """Whether only makepkg can tell if a field that changes in `.SRCINFO` is right."""
    return any(finding.rule == UNVERIFIED.id for finding in compare_srcinfo(pkgbuild, srcinfo, before=before))


def _places(new: _Side, old: _Side | None) -> Iterator[tuple[str | None, str]]:
    """All sections of the new `.SRCINFO`, with the keys that something was or is said about."""
    for package in (None, *(new.srcinfo.names if new.srcinfo else ())):
        for key in dict.fromkeys((*new.keys(package), *(old.keys(package) if old else ()))):
            yield package, key


def _old(before: tuple[bytes, bytes] | None) -> _Side | None:
    return _Side.read(*before) if before else None


def _parsed(data: bytes) -> SrcInfo | None:
    try:
        return SrcInfo.parse(data, file=_FILE) if data else None
    except FormatError:
        return None


def _unreadable(data: bytes) -> Finding:
    text, line = ".SRCINFO is missing", None
    if data:
        try:
            SrcInfo.parse(data, file=_FILE)
        except FormatError as error:
            text, line = f".SRCINFO cannot be read: {error}", error.line
    return Finding(rule=UNREADABLE.id, severity=UNREADABLE.severity, file=_FILE, text=text, line=line)


def _described(info: SrcInfo | None) -> _Description:
    """All values by section, None for pkgbase, and key: looked up often, in files of any size."""
    found: _Description = {}
    for package, section in ((None, info.base), *((it.name, it) for it in info.packages)) if info else ():
        values: dict[str, list[str]] = {}
        for key, value in section.entries:
            values.setdefault(key, []).extend([value] if value else [])
        found[package] = {key: tuple(one) for key, one in values.items()}
    return found


def _written(description: _Description, package: str | None, key: str) -> _Values:
    return description.get(package, {}).get(key, () if package is None else None)


def _name_findings(new: _Side, old: _Side | None) -> Iterator[Finding]:
    for what in ("pkgbase", "pkgname"):
        told, written = _names(new, what)
        rule = None
        if isinstance(told, Unknown):
            rule = None if old and old.srcinfo and _names(old, what)[1] == written else UNVERIFIED
        elif told != written:
            rule = STALE if old and _names(old, what) == (told, written) else NAMES
        if rule is not None:
            said = ", ".join(told) if isinstance(told, tuple) else f"something that is not known: {told.why}"
            text = f".SRCINFO says {what} is {', '.join(written)}, PKGBUILD says {said}"
            yield Finding(rule=rule.id, severity=rule.severity, file=_FILE, text=text, new="\n".join(written))


def _names(side: _Side, what: str) -> tuple[Value, tuple[str, ...]]:
    def of(info: SrcInfo) -> tuple[str, ...]:
        return (info.pkgbase,) if what == "pkgbase" else info.names

    told = side.static.pkgbase if what == "pkgbase" else side.static.names
    if isinstance(told, Unknown) and side.evaluated is not None:
        told = of(side.evaluated)
    return told, of(side.srcinfo) if side.srcinfo else ()


def _field_finding(
    new: _Side, old: _Side | None, package: str | None, key: str
) -> tuple[Rule, str, str | None, str | None] | None:
    truth, written = new.truth(package, key), new.written(package, key)
    where = f"{key} of {package}" if package else key
    was = old.written(package, key) if old else None
    if isinstance(truth, Unknown):
        if not written and not was and not _is_suddenly_unknown(old, package, key):
            return None
        if old and not _is_suddenly_unknown(old, package, key) and _may_stay(new, old, key, was, written):
            return None
        text = f".SRCINFO sets {where}, which is not confirmed: {truth.why}"
        return UNVERIFIED, text, _joined(was), _joined(written)
    if truth == written:
        return _evaluation_finding(new, package, key, truth, where)
    text = f".SRCINFO has another {where} than PKGBUILD, which says {_joined(truth) or 'nothing'}"
    if old and _is_known_fault(new, old, package, key):
        return STALE, f"{text}; it was so before", _joined(truth), _joined(written)
    return DANGEROUS if base_name(key) in _DANGEROUS else MISMATCH, text, _joined(truth), _joined(written)


def _evaluation_finding(
    new: _Side, package: str | None, key: str, truth: _Values, where: str
) -> tuple[Rule, str, str | None, str | None] | None:
    """What a PKGBUILD seems to say must be what comes out when it is run."""
    if new.evaluated is None or _written(new.evaluated_values, package, key) == truth:
        return None
    ran = _joined(_written(new.evaluated_values, package, key))
    return EVALUATES_OTHERWISE, f"PKGBUILD has another {where} when it is run: {ran or 'none'}", _joined(truth), ran


def _is_suddenly_unknown(old: _Side | None, package: str | None, key: str) -> bool:
    """Whether the PKGBUILD said plainly before what it now computes."""
    return bool(old and not isinstance(old.truth(package, key), Unknown))


def _may_stay(new: _Side, old: _Side, key: str, was: _Values, written: _Values) -> bool:
    """Whether what cannot be told is as before, or as before with the new version in place of the old one."""
    if was == written:
        return True
    if was is None or written is None or key in _VERSION_KEYS or base_name(key) in SUMS:
        return False
    if new.srcinfo is None or old.srcinfo is None or len(was) != len(written):
        return False
    return all(_is_step(before, after, old.srcinfo, new.srcinfo) for before, after in zip(was, written, strict=True))


def _is_step(before: str, after: str, old: SrcInfo, new: SrcInfo) -> bool:
    steps = ((old.version, new.version), (old.pkgver, new.pkgver))
    return before == after or any(before.replace(first, then) == after for first, then in steps)


def _is_known_fault(new: _Side, old: _Side, package: str | None, key: str) -> bool:
    """Whether the field was wrong in the same way before; what is dangerous must not say anything else by now."""
    kind, old_kind = _kind(new, package, key), _kind(old, package, key)
    if kind is None or kind != old_kind:
        return False
    if kind == "version" or base_name(key) not in _DANGEROUS:
        return True
    if new.srcinfo is None or old.srcinfo is None:
        return False
    before = _surplus(old, package, key)
    steps = ((old.srcinfo.version, new.srcinfo.version), (old.srcinfo.pkgver, new.srcinfo.pkgver))
    followed = {value.replace(first, then) for value in before for first, then in steps}
    return followed.union(before).issuperset(_surplus(new, package, key))


def _kind(
    side: _Side, package: str | None, key: str
) -> Literal["version", "missing", "extra", "silent", "other"] | None:
    """In what way a field is wrong; None: it is not, or there is no telling."""
    truth, written = side.truth(package, key), side.written(package, key)
    if isinstance(truth, Unknown) or truth == written:
        return None
    if bool(truth) != bool(written):
        return "missing" if truth else "extra"
    if not isinstance(truth, tuple) or written is None:
        return "silent"
    told, pkgver = side.truth(None, "pkgver"), side.srcinfo.pkgver if side.srcinfo else ""
    if not isinstance(told, tuple) or not told or not _VERSION.fullmatch(pkgver):
        return "other"
    return "version" if tuple(text.replace(told[0], pkgver) for text in truth) == written else "other"


def _surplus(side: _Side, package: str | None, key: str) -> list[str]:
    """What `.SRCINFO` says that PKGBUILD does not."""
    truth, written = side.truth(package, key), side.written(package, key)
    told = frozenset(truth) if isinstance(truth, tuple) else frozenset()
    return [value for value in written or () if value not in told]


def _joined(values: _Values) -> str | None:
    return None if not values else "\n".join(values)


def _lines(srcinfo: bytes) -> dict[tuple[str | None, str], int]:
    """The first line of every key of every section; the section itself under the empty key."""
    found: dict[tuple[str | None, str], int] = {}
    package: str | None = None
    for number, line in enumerate(srcinfo.decode(errors="replace").split("\n"), start=1):
        key, _, value = line.partition("=")
        key = key.strip()
        if key == "pkgname":
            package = value.strip()
        found.setdefault((package, "" if key in ("pkgbase", "pkgname") else key), number)
    return found
