"""Commands that fetch or run code, or hide what they do: what malware in a package is made of.

This ranks changes that a person sees anyway; nothing becomes harmless because it is not in this list.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.model.finding import Finding, Rule, Severity
from ci_toolkit.review.commands import pieces_of
from ci_toolkit.review.rules import Place, found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.review.commands import ReadScript

Where = Literal["scriptlet", "function", "script", "text"]

_CRITICAL, _HIGH, _MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
_EDGE = r"(?:^|[\x01\s;&|(`{/=\"'])"
_SHELL = r"(?:ba|z|da|k|fi)?sh"
_INTERPRETER = rf"(?:{_SHELL}|python[0-9.]*|perl|ruby|node|bun|deno|php|lua)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sign:
    """A text that gives a rule away; `pattern` is searched in one line or one command without its quotes."""

    rule: Rule
    pattern: re.Pattern[str]


def _sign(rule_id: str, severity: Severity, meaning: str, pattern: str) -> _Sign:
    return _Sign(rule=Rule(id=rule_id, severity=severity, meaning=meaning), pattern=re.compile(pattern))


_SIGNS = (
    _sign(
        "runs-fetched-code",
        _CRITICAL,
        "Text from the network or from another program is run as a program.",
        rf"\|\s*(?:sudo\s+|env\s+|/\S{{0,40}}/)?{_INTERPRETER}\b"
        rf"|{_EDGE}(?:eval|source|\.|{_SHELL}\s+-c)\s[^$`<]{{0,80}}(?:\$\(|`|<\().{{0,80}}\b(?:curl|wget|base64|xxd|openssl)\b"
        rf"|{_EDGE}(?:source|\.|{_INTERPRETER})\s+<\(",
    ),
    _sign(
        "runs-decoded-code",
        _CRITICAL,
        "Text that was encoded to be unreadable is decoded, as hidden programs are.",
        r"\b(?:base64|base32|openssl\s+base64)\s.{0,40}-(?:d\b|-decode|D\b)|\bxxd\s.{0,20}-r|\buudecode\b"
        r"|\\x[0-9a-fA-F]{2}\\x[0-9a-fA-F]{2}|\bb64decode|\bfromhex|\bfromCharCode|\batob\(|\brev\s*\|",
    ),
    _sign(
        "downloads-code",
        _CRITICAL,
        "A program is called that downloads something outside of the checked sources.",
        rf"{_EDGE}(?:curl|wget|aria2c|axel|lwp-request|lynx|fetch|rsync|scp|sftp|ftp|tftp|nc|ncat|socat|telnet)(?:\s|$)"
        r"|\bgit\s+(?:-\S+\s+(?:\S+\s+)?)?(?:clone|fetch|pull|submodule\s+update|remote\s+add|ls-remote)\b"
        r"|\burllib\b|\burlopen\b|\brequests\.get\b|\bhttp\.client\b|\bInvoke-WebRequest\b",
    ),
    _sign(
        "foreign-packages",
        _CRITICAL,
        "Another ecosystem's package manager is called; what it installs is not checked by this package.",
        rf"{_EDGE}(?:npm|npx|pnpm|pnpx|yarn|bun|bunx|corepack)(?:\s|$)"
        rf"|{_EDGE}(?:pip[0-9.]*|pipx|uv|uvx|poetry|easy_install|conda|gem|luarocks|cpan|cpanm|composer|opam)\s"
        r"|\bpython[0-9.]*\s+-m\s+(?:pip|ensurepip)\b|\bcargo\s+(?:\S+\s+)?(?:install|add|fetch|update|binstall)\b"
        r"|\bgo\s+(?:install|get|run|mod\s+(?:download|tidy))\b|\bstack\s+install\b|\bcabal\s+(?:install|update)\b"
        r"|\bdotnet\s+(?:tool|restore|add)\b|\bflatpak\s+install\b|\bsnap\s+install\b|\bnix(?:-env|-shell)\b"
        rf"|{_EDGE}(?:pacman|yay|paru|makepkg|apt|apt-get|dnf|docker|podman)\s",
    ),
    _sign("opens-socket", _CRITICAL, "A shell connection to another machine is opened.", r"/dev/(?:tcp|udp)/"),
    _sign(
        "evaluates-text",
        _CRITICAL,
        "Text is run as a command, so what runs cannot be read here.",
        rf"{_EDGE}eval(?:\s|$)|{_EDGE}{_SHELL}\s+-\w*c\b|\b{_INTERPRETER}\s+-[ec]\b|\bexec\(|\bos\.system\b|\bsubprocess\b"
        r"|\bsetsid\b|\bnohup\b",
    ),
    _sign(
        "computed-command",
        _HIGH,
        "Which command runs is computed, so it cannot be read here.",
        r"^\x01(?:\$|`|\S*(?:\$\(|`|\\x))",
    ),
    _sign(
        "touches-secrets",
        _CRITICAL,
        "Keys, passwords, browsers' profiles or the user's home folder are touched.",
        r"\.ssh\b|authorized_keys|id_(?:rsa|ed25519)|\.gnupg|/etc/(?:shadow|sudoers|passwd)|\.mozilla|\.aws\b|\.netrc"
        r"|\.bash(?:rc|_profile|_history)|\.zshrc|\.profile\b|\bLD_PRELOAD\b|ld\.so\.preload|/root/|/home/",
    ),
    _sign(
        "starts-service",
        _HIGH,
        "A service, timer or scheduled job is switched on or started.",
        r"\bsystemctl\s(?!\s*daemon-reload\b)|\bcrontab\b|/etc/cron|/var/spool/cron|\bat\s+now\b|\.config/autostart"
        r"|\bloginctl\s+enable-linger\b",
    ),
    _sign(
        "raises-privileges",
        _HIGH,
        "A file may be run with other rights than the user's, or an account is changed.",
        r"\bchmod\s.{0,60}(?:[ugo]*\+\w*s|[2-7][0-7]{3}\b)|\binstall\s.{0,80}-\w*m\s?[2-7][0-7]{3}\b|\bsetcap\b"
        rf"|{_EDGE}(?:sudo|su|doas|pkexec|useradd|usermod|visudo|chattr)\s",
    ),
    _sign(
        "reads-other-file",
        _HIGH,
        "Another file is read as part of the script.",
        r"^[\x01\s]*(?:source|\.)\s|[;&|]\s*(?:source|\.)\s",
    ),
    _sign(
        "changes-the-shell",
        _HIGH,
        "Commands get another meaning, or something runs later unseen.",
        rf"{_EDGE}(?:alias|trap|enable|shopt|hash|bind)\s|\b(?:PROMPT_COMMAND|BASH_ENV|BASH_FUNC_|IFS|PATH)=|expand_aliases",
    ),
)  # fmt: skip

RULES = tuple(sign.rule for sign in _SIGNS)
_IN_SCRIPT = {_CRITICAL: _HIGH, _HIGH: _HIGH}
# In patches, notes and data most words that look dangerous are prose; these three hardly ever are.
_HIGH_IN_TEXT = frozenset({"runs-fetched-code", "runs-decoded-code", "opens-socket"})
_LONGEST = 4_096
MOST_LINES = 40_000
"""More lines of one file are not searched: nobody reads them either."""
_COMMAND = "\x01"  # marks the start of a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """A sign at a line; `text` is the line or command that has it."""

    rule: Rule
    line: int
    text: str


def added_dangers(
    old: bytes, new: bytes, old_script: ReadScript | None = None, new_script: ReadScript | None = None
) -> list[Danger]:
    """What `new` has that fetches or runs code and `old` has not, one for each rule and line; comments are passed over.

    With the parsed scripts, commands are looked at without their quotes as well, so that `c""url` is what it is.
    """
    known = Counter(text for _, text in _texts(old, old_script))
    lines = new.decode(errors="replace").split("\n")
    seen: set[tuple[str, int]] = set()
    result = []
    for line, text in _texts(new, new_script):
        if known[text]:
            known[text] -= 1
            continue
        for sign in _SIGNS:
            if (sign.rule.id, line) not in seen and sign.pattern.search(text):
                seen.add((sign.rule.id, line))
                result.append(Danger(rule=sign.rule, line=line, text=lines[line - 1].strip()))
    return result


def danger_findings(added: Iterable[Danger], file: str, where: Where) -> list[Finding]:
    """A finding for each; in scriptlets, which run as root, and in functions they weigh most, in mere text least."""
    groups: dict[str, list[Danger]] = {}
    for danger in added:
        groups.setdefault(danger.rule.id, []).append(danger)
    result = []
    for several in groups.values():
        rule = several[0].rule
        severity = _severity(rule, where)
        text = "\n".join(danger.text for danger in several)
        result.append(found(rule, Place(file=file, line=several[0].line, new=text), rule.meaning, severity))
    return result


def _severity(rule: Rule, where: Where) -> Severity:
    match where:
        case "scriptlet":
            return _CRITICAL if rule.severity is _HIGH else rule.severity
        case "script":
            return _IN_SCRIPT.get(rule.severity, rule.severity)
        case "text":
            return _HIGH if rule.id in _HIGH_IN_TEXT else _MEDIUM
        case "function":
            return rule.severity


def _texts(data: bytes, script: ReadScript | None) -> list[tuple[int, str]]:
    """The lines of a script that are no comments, and its commands, each shortened and with the line."""
    lines = (line.strip()[:_LONGEST] for line in data.decode(errors="replace").split("\n"))
    texts = [(number, line) for number, line in enumerate(lines, start=1) if line and not line.startswith("#")]
    del texts[MOST_LINES:]
    if script is not None:
        pieces = (piece for piece in pieces_of(script.root, data) if piece.kind == "command")
        texts += [(piece.line, _COMMAND + piece.text[:_LONGEST]) for piece in pieces]
    return texts


def text_dangers(text: str) -> set[str]:
    """The ids of the rules that some text, in any line, gives away."""
    return {sign.rule.id for line in text.split("\n") for sign in _SIGNS if sign.pattern.search(line[:_LONGEST])}


def command_dangers(command: str) -> set[str]:
    """The ids of the rules that one command, without its quotes, gives away."""
    return text_dangers(_COMMAND + command)
