"""Bytes that a reader and a shell see differently: found before anything is parsed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from ci_toolkit.model.finding import Finding, Rule, Severity
from ci_toolkit.review.rules import CANNOT_TELL, Place, found

HIDDEN = Rule(
    id="hidden-characters",
    severity=Severity.HIGH,
    meaning="Characters that cannot be seen, turn text around or look like others are new.",
)
NO_NEWLINE = Rule(id="no-last-newline", severity=Severity.LOW, meaning="The file's last line does not end any more.")
RULES = (HIDDEN, NO_NEWLINE)

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LOOK_ALIKE = ("GREEK", "CYRILLIC", "FULLWIDTH", "ARMENIAN", "CHEROKEE", "MATHEMATICAL", "MODIFIER")


def character_findings(old: bytes, new: bytes, file: str) -> list[Finding]:
    """What is wrong with the bytes of a script, whichever its syntax."""
    result = []
    if fault := _fault(new):
        line = new.count(b"\n", 0, fault[1]) + 1
        result.append(found(CANNOT_TELL, Place(file=file, line=line), f"{file} {fault[0]}, so it cannot be compared."))
    hidden_before, hidden_after = _hidden(old), _hidden(new)
    if more := hidden_after - hidden_before:
        character = next(iter(more))
        position = new.find(character.encode(errors="surrogatepass"))
        line = new.count(b"\n", 0, max(position, 0)) + 1
        text = f"{file} has U+{ord(character):04X}, which cannot be seen or looks like something else."
        result.append(found(HIDDEN, Place(file=file, line=line, new=_line(new, line)), text))
    if old.endswith(b"\n") and not new.endswith(b"\n"):
        result.append(found(NO_NEWLINE, Place(file=file), f"The last line of {file} does not end any more."))
    return result


def _fault(data: bytes) -> tuple[str, int] | None:
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark", 0
    if control := _CONTROL.search(data):
        return f"has the control character 0x{control[0].hex()}", control.start()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return "is no UTF-8 text", error.start
    return None


def _hidden(data: bytes) -> Counter[str]:
    text = data.decode(errors="replace")
    return Counter(character for character in _NOT_ASCII.findall(text) if _is_hidden(character))


def _is_hidden(character: str) -> bool:
    if unicodedata.category(character) in ("Cf", "Cc", "Co", "Cn", "Zs", "Zl", "Zp", "Mn"):
        return True
    return unicodedata.name(character, "").startswith(_LOOK_ALIKE)


def _line(data: bytes, number: int) -> str:
    return data.decode(errors="replace").split("\n")[number - 1]
