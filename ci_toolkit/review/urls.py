"""Sources and URLs: only version text in the path may change, what is fetched stays at the same host and place."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.model.finding import Rule, Severity
from ci_toolkit.review.rules import Place, found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.steps import Steps

ADDED = Rule(id="source-added", severity=Severity.MEDIUM, meaning="Something more is fetched.")
REMOVED = Rule(id="source-removed", severity=Severity.LOW, meaning="A source is no longer fetched.")
CHANGED = Rule(id="source-changed", severity=Severity.MEDIUM, meaning="A source is fetched from another place.")
HOST = Rule(id="source-host", severity=Severity.HIGH, meaning="A source comes from another host.")
SCHEME = Rule(id="source-scheme", severity=Severity.MEDIUM, meaning="A source is fetched in another way.")
PINNED = Rule(id="commit-changed", severity=Severity.MEDIUM, meaning="A source is another commit of its repository.")
STEP = Rule(id="source-version", severity=Severity.MINOR, meaning="A source's address follows the version.")
HASH = Rule(id="commit-step", severity=Severity.MINOR, meaning="The new version is built from another commit.")
RULES = (ADDED, REMOVED, CHANGED, HOST, SCHEME, PINNED, STEP, HASH)

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/{2,}(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)
# Where the first parts of a path say whose repository it is, no version belongs.
_FORGE = re.compile(r"(?:.*[.@])?(?:github|gitlab|codeberg|gitea|bitbucket|sr|gitee|githubusercontent)\..*")
_PIN = re.compile(r"(?<=#commit=)[0-9a-f]{40}(?:[0-9a-f]{24})?(?=['\"]?\Z)")
_OWNER_PARTS = 2
_PLACE = re.compile(r"(?:[^/?#]*:/+)?[^/?#]*")
_SAFE_WORD = re.compile(r"[!-~]+")
_MOST = 400


class Word(NamedTuple):
    """An element of a source array: its bytes with quotes as text, and the same without quotes."""

    raw: str

    @property
    def text(self) -> str:
        """Without quotes; expansions stay as they are written."""
        return self.raw.replace('"', "").replace("'", "")

    @property
    def url(self) -> re.Match[str] | None:
        """Scheme, host and rest, when it is a URL whose scheme is literal."""
        _, colons, behind = self.text.partition("::")
        return _URL.match(behind if colons else self.text)

    @property
    def scheme(self) -> str | None:
        """As it is written, None for a local file or an address made of variables."""
        return self.url["scheme"] if self.url else None

    @property
    def host(self) -> str | None:
        """As it is written, None for a local file or an address made of variables."""
        return self.url["host"] if self.url else None


def judge_sources(old: Sequence[str], new: Sequence[str], steps: Steps, place: Place, name: str) -> list[Finding]:
    """What to say of a source array that changed, element by element; `old` and `new` are as written.

    The same text in other quotes was dealt with before.
    """
    if max(len(old), len(new)) > _MOST:
        return [found(CHANGED, place, f"{name} has too many elements to compare.")]
    hosts = {Word(word).host for word in old} - {None}
    result = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        paired = min(b - a, d - c)
        for before, after in zip(old[a : a + paired], new[c : c + paired], strict=True):
            result += _judge_pair(Word(before), Word(after), steps, place)
        result += [_removed(word, place) for word in old[a + paired : b]]
        result += [_added(Word(word), hosts, place) for word in new[c + paired : d]]
    return result or [found(CHANGED, place, f"{name} is written in another way.")]


def follows(old: str, new: str, steps: Steps) -> bool:
    """Whether a source or URL, both as written, only steps from the old versions to the new ones, in its path."""
    if not (_SAFE_WORD.fullmatch(old) and _SAFE_WORD.fullmatch(new)) or "$(" in new or "`" in new or "\\" in new:
        return False
    fixed_old, rest_old = _fixed(old)
    fixed_new, rest_new = _fixed(new)
    if "?" in rest_new and rest_old.partition("?")[2] != rest_new.partition("?")[2]:
        return False
    return (_stepped(fixed_old[0], rest_old, steps, new=(fixed_new[0], rest_new))) and fixed_old[1] == fixed_new[1]


def _judge_pair(old: Word, new: Word, steps: Steps, place: Place) -> list[Finding]:
    here = Place(file=place.file, line=_line(place, place.new, new.raw), old=old.raw, new=new.raw)
    if follows(old.raw, new.raw, steps):
        return [found(STEP, here, "The address of a source follows the new version.")]
    if old.scheme != new.scheme:
        return [found(SCHEME, here, f"A source is fetched by {new.scheme or 'other means'}, not {old.scheme}.")]
    if old.host != new.host:
        return [found(HOST, here, f"A source comes from {new.host}, not from {old.host}.")]
    if _PIN.search(new.raw) and _PIN.sub("", old.raw) == _PIN.sub("", new.raw):
        rule = HASH if steps.is_new_version else PINNED
        return [found(rule, here, "A source is another commit of its repository.")]
    return [found(CHANGED, here, "A source is fetched from another place.")]


def _added(word: Word, hosts: set[str | None], place: Place) -> Finding:
    here = Place(file=place.file, line=_line(place, place.new, word.raw), new=word.raw)
    if word.host and word.host not in hosts:
        return found(HOST, here, f"A source is new, and so is its host {word.host}.")
    return found(ADDED, here, "A source is new.")


def _line(place: Place, text: str | None, word: str) -> int | None:
    """The line of an element, given the text of its whole array."""
    at = (text or "").find(word)
    return None if place.line is None else place.line + (text or "").count("\n", 0, max(at, 0))


def _removed(word: str, place: Place) -> Finding:
    return found(REMOVED, Place(file=place.file, line=place.line, old=word), "A source is no longer fetched.")


def _fixed(raw: str) -> tuple[tuple[str, str], str]:
    """A word as its name part, what must not change (scheme, host, owner and repository), and the rest."""
    name, colons, behind = raw.partition("::")
    if not colons or "://" in name:
        name, behind = "", raw
    # Up to the first slash behind the scheme, whatever of it is literal: this is what names the host.
    url = _PLACE.match(behind)
    if url is None:
        return (name + colons, behind), ""
    end = url.end()
    if _FORGE.match(url[0].rpartition("/")[2].lower() + "."):
        for _ in range(_OWNER_PARTS):
            slash = behind.find("/", end + 1)
            end = len(behind) if slash < 0 else slash
    return (name + colons, behind[:end]), behind[end:]


def _stepped(name: str, rest: str, steps: Steps, *, new: tuple[str, str]) -> bool:
    """Whether taking one pair after another, longest first, makes the new text of the old one."""
    old_text, new_text = f"{name}\n{rest}", f"{new[0]}\n{new[1]}"
    pairs = sorted(steps.pairs, key=lambda pair: -len(pair[0]))
    if old_text == new_text:
        return True
    if not pairs or len(old_text) > 4_096:
        return False
    # A pair after which everything fits is enough; several are tried together, as a URL may hold both 1.2 and 1.2.3.
    table = dict(reversed(pairs))
    for chosen in ([pair] for pair in pairs):
        if _replaced(old_text, dict(chosen)) == new_text:
            return True
    return _replaced(old_text, table) == new_text


def _replaced(text: str, table: dict[str, str]) -> str:
    """`text` with each key that stands for itself, not within a longer word or number, for its value."""
    keys = sorted((key for key in table if len(key) > 1), key=len, reverse=True)
    if not keys:
        return text
    pattern = rf"(?<![A-Za-z0-9$])(v?)(?<![0-9]\.)({'|'.join(map(re.escape, keys))})(?![A-Za-z0-9])(?!\.[0-9])"
    return re.sub(pattern, lambda match: match[1] + table[match[2]], text)
