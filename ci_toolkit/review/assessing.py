"""What a change of a package folder amounts to: every comparison there is, joined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.git_objects import object_name
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.finding import Assessment, Finding, Severity
from ci_toolkit.review.lines import PackageSide, findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.model.observation import UpstreamFile

_LINE = re.compile(r"PKGBUILD line ([0-9]+): .*", re.DOTALL)
_BOTH = ("PKGBUILD", ".SRCINFO")


def assess(
    old: Mapping[str, UpstreamFile],
    new: Mapping[str, UpstreamFile],
    *,
    allowed: Sequence[re.Pattern[str]] = (),
    evaluated: SrcInfo | None = None,
) -> Assessment:
    """All findings of the change from `old` to `new` (relative paths), the worst first; `old` empty: a new package.

    `allowed` are the owner's own patterns of harmless lines, `evaluated` is what makepkg says of the new PKGBUILD.
    """
    del evaluated
    if not old:
        found = [_finding(f"{path} is new", new) for path in new if path not in _BOTH]
        found.append(Finding(rule="new-package", severity=Severity.LOW, file="PKGBUILD", text="the package is new"))
    else:
        found = [_finding(text, new) for text in findings(_side(old), _side(new), allowed)]
    return Assessment(findings=tuple(sorted(found, key=lambda finding: -finding.severity)))


def _side(files: Mapping[str, UpstreamFile]) -> PackageSide:
    srcinfo = None
    if ".SRCINFO" in files:
        try:
            srcinfo = SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO")
        except FormatError:
            srcinfo = None
    others = {path: (file.mode, object_name("blob", file.content)) for path, file in files.items() if path not in _BOTH}
    return PackageSide(pkgbuild=files["PKGBUILD"].content, srcinfo=srcinfo, others=others)


def _finding(text: str, new: Mapping[str, UpstreamFile]) -> Finding:
    line = _LINE.fullmatch(text)
    number = int(line[1]) if line else None
    lines = new["PKGBUILD"].content.decode(errors="surrogateescape").split("\n")
    shown = lines[number - 1] if number and number <= len(lines) else None
    return Finding(
        rule="changed", severity=Severity.MEDIUM, file="PKGBUILD", text=text, line=number, new=shown, old=None
    )
