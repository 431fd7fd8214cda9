"""Everything in a package folder that is not PKGBUILD: kinds, modes and content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, LINK_MODE
from ci_toolkit.model.finding import Rule, Severity
from ci_toolkit.model.names import Oid
from ci_toolkit.review.characters import character_findings
from ci_toolkit.review.commands import ReadScript, read_script
from ci_toolkit.review.dangerous import MOST_LINES, Where, added_dangers, danger_findings
from ci_toolkit.review.folder import FolderEntry, folder_fault, link_fault
from ci_toolkit.review.rules import Place, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.model.observation import UpstreamFile

INSTALL = Rule(id="install-file", severity=Severity.HIGH, meaning="A script changed that runs as root on installation.")
PATCH = Rule(id="patch-changed", severity=Severity.MEDIUM, meaning="A patch of the sources changed.")
SCRIPT = Rule(id="script-changed", severity=Severity.HIGH, meaning="A program or script of the package changed.")
SYSTEM = Rule(id="system-file", severity=Severity.HIGH, meaning="A hook, service or rule changed that runs by itself.")
BINARY = Rule(id="binary-file", severity=Severity.HIGH, meaning="A file changed that people cannot read.")
KEY = Rule(id="key-file", severity=Severity.HIGH, meaning="A key that signs the sources changed.")
FILE = Rule(id="file-changed", severity=Severity.MEDIUM, meaning="A file of the package changed.")
ADDED = Rule(id="file-added", severity=Severity.MEDIUM, meaning="A file is new.")
REMOVED = Rule(id="file-removed", severity=Severity.LOW, meaning="A file is gone.")
MODE = Rule(id="file-mode", severity=Severity.MEDIUM, meaning="A file is of another kind, or may be run.")
REFUSED = Rule(
    id="folder-refused", severity=Severity.REFUSE, meaning="The folder is not one that is ever taken.", fixed=True
)
RULES = (INSTALL, PATCH, SCRIPT, SYSTEM, BINARY, KEY, FILE, ADDED, REMOVED, MODE, REFUSED)

NOT_COMPARED = frozenset({"PKGBUILD", ".SRCINFO"})
LARGEST_TEXT_BYTES = 1 << 20
_SHOWN_BYTES = 64 << 10
_KINDS = (
    (re.compile(r".*\.install"), INSTALL),
    (re.compile(r".*\.(?:patch|diff)"), PATCH),
    (re.compile(r"(?:.*/)?keys/.*|.*\.(?:asc|gpg|sig|pub)"), KEY),
    (re.compile(r".*\.(?:hook|service|timer|socket|path|rules|sudoers|pkla|policy|desktop|cron|tmpfiles)"), SYSTEM),
    (re.compile(r"(?:.*/)?PKGBUILD|.*\.(?:sh|bash|zsh|fish|py|pl|rb|js|mjs|cjs|ts|lua|php|awk|mk|cmake|in)"), SCRIPT),
)  # fmt: skip
_INSTALL_SETTING = re.compile(rb"^[ \t]*install=['\"]?([^'\"\s;#]+)", re.MULTILINE)


class _Change(NamedTuple):
    """One path before and after; a missing side is None."""

    path: str
    old: UpstreamFile | None
    new: UpstreamFile | None


def compare_others(old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> list[Finding]:
    """What a person has to know about all files but PKGBUILD and .SRCINFO, and about modes of all."""
    paths = sorted({*old, *new})
    scriptlets = _scriptlets(new)
    result = []
    for path in paths:
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        if before and after and before.mode != after.mode:
            result.append(_mode(path, before.mode, after.mode))
        if path in NOT_COMPARED or (before and after and before.content == after.content):
            continue
        result += _judge(_Change(path, before, after), scriptlets)
    return result


def refusals(new: Mapping[str, UpstreamFile], *, is_described: bool) -> list[Finding]:
    """Why the folder is never taken, as a finding; none when it may be. `is_described`: it needs no PKGBUILD."""
    # A file is its own object here; whether there is a .SRCINFO is not for this comparison to say.
    entries = [FolderEntry(path=path, mode=file.mode, oid=Oid(path)) for path, file in new.items()]
    sizes = {Oid(path): len(file.content) for path, file in new.items()}
    if ".SRCINFO" not in new and "PKGBUILD" in new:
        entries.append(FolderEntry(path=".SRCINFO", mode=new["PKGBUILD"].mode, oid=Oid(".SRCINFO")))
        sizes[Oid(".SRCINFO")] = 0
    links = {path: file.content for path, file in new.items() if file.mode == LINK_MODE}
    fault = folder_fault(entries, sizes, is_described=is_described) or link_fault(links)
    if fault is None:
        return []
    path = next((path for path in new if fault.startswith(repr(path))), "PKGBUILD")
    return [found(REFUSED, Place(file=path), f"The folder is not taken: {fault}.")]


def _scriptlets(files: Mapping[str, UpstreamFile]) -> frozenset[str]:
    """The files that PKGBUILD calls its install scripts, whatever their name ends with."""
    pkgbuild = files.get("PKGBUILD")
    names = _INSTALL_SETTING.findall(pkgbuild.content) if pkgbuild else []
    return frozenset(name.decode(errors="replace") for name in names)


def _judge(change: _Change, scriptlets: Iterable[str]) -> list[Finding]:
    path, old, new = change
    rule = _rule(change, scriptlets)
    old_content, new_content = (side.content if side else b"" for side in (old, new))
    place = Place(file=path, line=None, old=_shown(old), new=_shown(new))
    if new is None:
        severity = Severity.MEDIUM if rule in (INSTALL, SYSTEM, KEY, PATCH) else None
        return [found(REMOVED, place, f"{path} is gone.", severity)]
    if old is None:
        result = [found(ADDED, place, f"{path} is new.", max(ADDED.severity, rule.severity))]
        result += [found(rule, place, rule.meaning)] if rule is INSTALL else []
    else:
        result = [found(rule, place, f"{path} changed.")]
    if new.mode == LINK_MODE or rule is BINARY or rule is KEY:
        return result
    if len(new_content) > LARGEST_TEXT_BYTES or new_content.count(b"\n") > MOST_LINES:
        return [*result, found(BINARY, Place(file=path), f"{path} is too large to be searched for dangerous commands.")]
    old_text = old_content[:LARGEST_TEXT_BYTES]
    if rule is PATCH:
        old_text, new_content = _added_lines(old_text), _added_lines(new_content)
    scripts = (_as_script(old_text), _as_script(new_content)) if rule in (INSTALL, SCRIPT) else (None, None)
    added = added_dangers(old_text, new_content, *scripts)
    return [*danger_findings(added, path, _where(rule)), *_odd(old_content, new_content, path), *result]


def _where(rule: Rule) -> Where:
    if rule is INSTALL:
        return "scriptlet"
    if rule is SYSTEM:
        return "function"
    return "script" if rule is SCRIPT else "text"


def _added_lines(patch: bytes) -> bytes:
    """What a patch puts in, in the lines where it does: what it shows besides is there already."""
    lines = (line[1:] if line.startswith(b"+") else b"" for line in patch.split(b"\n"))
    return b"\n".join(lines)


def _as_script(content: bytes) -> ReadScript | None:
    try:
        return read_script(content)
    except FormatError:
        return None


def _rule(change: _Change, scriptlets: Iterable[str]) -> Rule:
    path, old, new = change
    if path in scriptlets:
        return INSTALL
    for pattern, rule in _KINDS:
        if pattern.fullmatch(path):
            return rule
    content = new.content if new else old.content if old else b""
    if content.startswith((b"#!", b"#%")) or (new and new.mode == EXECUTABLE_MODE):
        return BINARY if _is_binary(content) else SCRIPT
    return BINARY if _is_binary(content) else FILE


def _odd(old: bytes, new: bytes, path: str) -> list[Finding]:
    """Characters that hide something; files with CR or without a last newline are common and not odd here."""
    return [finding for finding in character_findings(old, new, path) if finding.rule == "hidden-characters"]


def _mode(path: str, old: str, new: str) -> Finding:
    severity = Severity.HIGH if LINK_MODE in (old, new) else None
    return found(MODE, Place(file=path, old=old, new=new), f"{path} has mode {new}, not {old}.", severity)


def _is_binary(content: bytes) -> bool:
    if b"\0" in content:
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


def _shown(file: UpstreamFile | None) -> str | None:
    """A file's text, as far as a person would read it; None for what is no text."""
    if file is None or _is_binary(file.content) or len(file.content) > _SHOWN_BYTES:
        return None
    return file.content.decode()
