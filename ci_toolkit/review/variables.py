"""Assignments that changed: which values are harmless, and what to say of the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.formats.version import compare_versions
from ci_toolkit.formats.version_shape import is_described, is_hash, keeps_shape
from ci_toolkit.model.finding import Rule, Severity
from ci_toolkit.review import sums, urls
from ci_toolkit.review.rules import Place, found
from ci_toolkit.review.steps import is_value, is_version_name
from ci_toolkit.review.uses import is_expanded, may_be_used_indirectly, risky_use

if TYPE_CHECKING:
    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.commands import ReadScript, Statement
    from ci_toolkit.review.steps import Steps

VERSION = Rule(id="version-changed", severity=Severity.MINOR, meaning="The version goes up.")
DOWN = Rule(id="version-down", severity=Severity.MEDIUM, meaning="The version goes down.")
SHAPE = Rule(id="version-shape", severity=Severity.MEDIUM, meaning="The version is no longer written as one.")
QUOTES = Rule(id="quoting-changed", severity=Severity.MINOR, meaning="The same text is quoted in another way.")
USED = Rule(id="version-used", severity=Severity.MEDIUM, meaning="A changed value is used for more than a version.")
TEXT = Rule(id="text-changed", severity=Severity.MINOR, meaning="A description, licence or homepage changed.")
ODD_TEXT = Rule(id="text-odd", severity=Severity.MEDIUM, meaning="A description is more than plain, unused text.")
HOMEPAGE = Rule(id="url-host", severity=Severity.MEDIUM, meaning="The homepage is at another place.")
EXPANSION = Rule(id="expansion-added", severity=Severity.HIGH, meaning="A value is computed by running commands.")
RULE_OF_KIND = {
    rule.id.removesuffix("-changed"): rule
    for rule in (
        Rule(id="depends-changed", severity=Severity.MEDIUM, meaning="What the package needs to run changed."),
        Rule(id="makedepends-changed", severity=Severity.MEDIUM, meaning="What the build needs changed."),
        Rule(id="checkdepends-changed", severity=Severity.MEDIUM, meaning="What the tests need changed."),
        Rule(id="optdepends-changed", severity=Severity.LOW, meaning="What the package recommends changed."),
        Rule(id="provides-changed", severity=Severity.HIGH, meaning="The package takes the place of others."),
        Rule(id="conflicts-changed", severity=Severity.MEDIUM, meaning="Other packages must go for this one."),
        Rule(id="replaces-changed", severity=Severity.HIGH, meaning="The package replaces others by itself."),
        Rule(id="options-changed", severity=Severity.MEDIUM, meaning="How the package is built changed."),
        Rule(id="validpgpkeys-changed", severity=Severity.HIGH, meaning="Other people may sign the sources."),
        Rule(id="pkgname-changed", severity=Severity.HIGH, meaning="The package is called something else."),
        Rule(id="pkgbase-changed", severity=Severity.HIGH, meaning="The package base is called something else."),
        Rule(id="arch-changed", severity=Severity.LOW, meaning="It is built for other architectures."),
        Rule(id="groups-changed", severity=Severity.LOW, meaning="The package's groups changed."),
        Rule(id="backup-changed", severity=Severity.MEDIUM, meaning="Which files pacman keeps changed."),
        Rule(id="noextract-changed", severity=Severity.LOW, meaning="Which sources are unpacked changed."),
        Rule(id="install-changed", severity=Severity.HIGH, meaning="What runs as root on installation changed."),
        Rule(id="variable-changed", severity=Severity.MEDIUM, meaning="A variable of the package changed."),
    )
}
ASSIGNMENT_ADDED = Rule(id="variable-added", severity=Severity.MEDIUM, meaning="A variable is new.")
ASSIGNMENT_REMOVED = Rule(id="variable-removed", severity=Severity.MEDIUM, meaning="A variable is gone.")
SET_TWICE = Rule(id="set-twice", severity=Severity.MEDIUM, meaning="A version is set in more than one place.")
RULES = (
    *(VERSION, DOWN, SHAPE, QUOTES, USED, TEXT, ODD_TEXT, HOMEPAGE, EXPANSION, *RULE_OF_KIND.values()),
    *(ASSIGNMENT_ADDED, ASSIGNMENT_REMOVED, SET_TWICE),
)

_SAME_IN_QUOTES = re.compile(r"[A-Za-z0-9 ._/:+@%=#,>-]*")
_PKGREL = re.compile(r"[1-9][0-9]{0,5}(?:\.[0-9]{1,5}){0,2}|0(?:\.[0-9]{1,5})?")
_EPOCH = re.compile(r"[0-9]{1,3}")
# Nothing that expands, pipes or redirects, should the text ever get where a shell reads it.
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9 ,.:;()/+&@_#!?'*=~\[\]%-]{0,600}")
_QUOTED = re.compile(r"\"([^\"\\$`]*)\"|'([^']*)'|([A-Za-z0-9._:/+@%,-]*)")
_TOOLS = re.compile(
    r"(?<![\w-])(?:npm|nodejs|yarn|pnpm|bun|deno|python-pip|pip|cargo|curl|wget|git|rustup|uv)(?![\w-])"
)
_SOURCES = re.compile(r"source(?:_[A-Za-z0-9_]+)?")
_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+)(/[A-Za-z0-9._~/#?=&%+-]*)?")


class Sides(NamedTuple):
    """Both scripts and the versions they step between."""

    old: ReadScript
    new: ReadScript
    steps: Steps


def judge_assignment(old: Statement, new: Statement, sides: Sides) -> list[Finding]:
    """What to say of a plain assignment that changed; an empty list is never an answer."""
    place = Place(line=new.line, old=old.text, new=new.text)
    name = new.name
    if _is_same_text(old, new):
        return [found(QUOTES, place, f"{name} is quoted in another way.")]
    if adds_expansion(old, new):
        return [found(EXPANSION, place, f"{name} is computed by running commands.")]
    if name in ("pkgver", "pkgrel", "epoch") or (is_version_name(name) and name in sides.steps.changed):
        return [_judge_version(name, sides, place)]
    if sums.is_sums(name):
        if not _is_array(old, new):
            return [found(sums.COMPUTED, place, f"{name} is no plain array.")]
        result = sums.judge_sums(name, _literals(old), _literals(new), sides.steps, place)
        return result or [found(sums.NEW, place, f"{name} is written in another way.")]
    if _SOURCES.fullmatch(name) and _is_array(old, new):
        return urls.judge_sources(_raw(old), _raw(new), sides.steps, place, name)
    if name in ("pkgdesc", "license", "url"):
        return [_judge_text(old, new, sides, place)]
    return [_judge_kind(name, place)]


def judge_added(statement: Statement, sides: Sides) -> list[Finding]:
    """What to say of a plain assignment that only the new script has."""
    place, name = Place(line=statement.line, new=statement.text), statement.name
    if b"$(" in statement.raw or b"`" in statement.raw or b"<(" in statement.raw:
        return [found(EXPANSION, place, f"{name} is computed by running commands.")]
    value = _literal(statement)
    if name == "epoch" and value and _EPOCH.fullmatch(value) and value != "0" and "epoch" in sides.steps.new:
        return [found(VERSION, place, f"The epoch is now {value}.")]
    if _SOURCES.fullmatch(name) and statement.setting and statement.setting.elements is not None:
        return urls.judge_sources([], _raw(statement), sides.steps, place, name)
    if sums.is_sums(name):
        severity = Severity.HIGH if None in _literals(statement) or "SKIP" in _literals(statement) else Severity.LOW
        return [found(sums.MORE, place, f"{name} is new.", severity)]
    if _kind_of(name) in RULE_OF_KIND:
        return [_judge_kind(name, place)]
    return [found(ASSIGNMENT_ADDED, place, f"{name} is new.")]


def judge_removed(statement: Statement, added: list[str]) -> Finding:
    """What to say of a plain assignment that only the old script has; `added` are names that are new."""
    place, name = Place(line=statement.line, old=statement.text), statement.name
    if name == "epoch":
        return found(DOWN, place, "The epoch is gone, so the version goes down.")
    if sums.is_sums(name):
        return sums.judge_removed_sums(name, [it for it in added if sums.is_sums(it)], place)
    if _SOURCES.fullmatch(name):
        return found(urls.REMOVED, place, f"{name} is gone.")
    if _kind_of(name) in RULE_OF_KIND:
        return _judge_kind(name, place)
    return found(ASSIGNMENT_REMOVED, place, f"{name} is gone.")


def adds_expansion(old: Statement, new: Statement) -> bool:
    """Whether the new one runs a command that the old one does not."""
    if not re.search(rb"\$\(|`|[<>]\(", new.raw):
        return False
    pattern = re.compile(rb"\$\([^)]*\)|`[^`]*`|[<>]\([^)]*\)")
    return not set(pattern.findall(new.raw)) <= set(pattern.findall(old.raw)) or not pattern.search(new.raw)


def _judge_version(name: str, sides: Sides, place: Place) -> Finding:
    before, after = sides.steps.old.get(name), sides.steps.new.get(name)
    if before is None or after is None or name not in sides.steps.changed:
        return found(SET_TWICE, place, f"{name} is not one literal, or is set in more than one place.")
    if name == "pkgrel":
        return _judge_release(before, after, sides.steps, place)
    if name == "epoch":
        is_up = _EPOCH.fullmatch(after) and compare_versions(after, before) > 0
        return found(VERSION if is_up else DOWN, place, f"The epoch goes from {before} to {after}.")
    if name == "pkgver" and "-" in after:
        return found(SHAPE, place, "pkgver has a hyphen, which no version has.")
    if is_hash(before) and is_hash(after) and len(before) == len(after) and name != "pkgver":
        return _judge_hash(name, sides, place)
    return _judge_step(name, sides, place, _without_hyphens(before), _without_hyphens(after))


def _judge_step(name: str, sides: Sides, place: Place, before: str, after: str) -> Finding:
    if not (is_value(before) and is_value(after) and keeps_shape(before, after)):
        return found(SHAPE, place, f"{name} is not written as the version before it was.")
    if is_described(after) and _picks_commit(sides.new):
        return found(SHAPE, place, f"A part of {name} says which commit is fetched.")
    if compare_versions(after, before) <= 0:
        return found(DOWN, place, f"{name} goes from {before} to {after}, which is not newer.")
    if name != "pkgver" and (risky := _risk(name, sides)):
        return found(USED, place, risky)
    return found(VERSION, place, f"{name} goes from {before} to {after}.")


def _without_hyphens(tag: str) -> str:
    """A tag such as `v7.2-rc5` as a version that is older than `v7.2`."""
    return re.sub(r"-(?=[A-Za-z])", "", tag).replace("-", ".")


def _picks_commit(script: ReadScript) -> bool:
    """Whether sources are made of parts of pkgver, such as the hash at its end."""
    pattern = re.compile(rb"\$\{pkgver[^}A-Za-z0-9_]")
    return any(it.kind == "assignment" and it.name != "pkgver" and pattern.search(it.raw) for it in script.statements)


def _is_same_text(old: Statement, new: Statement) -> bool:
    """Whether both have the same literal words, whose characters mean the same in any quotes and in none."""
    before, after = _texts(old), _texts(new)
    return before is not None and before == after and all(_SAME_IN_QUOTES.fullmatch(text) for text in before[1:])


def _texts(statement: Statement) -> list[str] | None:
    setting = statement.setting
    if setting is None:
        return None
    words = setting.elements if setting.elements is not None else (setting.value,)
    texts = [None if word is None else word.text for word in words]
    plain = [text for text in texts if text is not None]
    kind = "array" if setting.elements is not None else "scalar"
    return [kind, *plain] if len(plain) == len(texts) else None


def _judge_release(before: str, after: str, steps: Steps, place: Place) -> Finding:
    if not _PKGREL.fullmatch(after):
        return found(SHAPE, place, "pkgrel is no number.")
    epoch_up = compare_versions(steps.new.get("epoch", "0"), steps.old.get("epoch", "0")) > 0
    if steps.is_new_version or epoch_up or compare_versions(after, before) > 0:
        return found(VERSION, place, f"pkgrel goes from {before} to {after}.")
    return found(DOWN, place, f"pkgrel goes from {before} to {after} under the same version.")


def _judge_hash(name: str, sides: Sides, place: Place) -> Finding:
    if not sides.steps.is_new_version:
        return found(urls.PINNED, place, f"{name} is another commit or sum although the version does not go up.")
    if risky := _risk(name, sides):
        return found(USED, place, risky)
    return found(urls.HASH, place, f"{name} is another commit or sum for the new version.")


def _risk(name: str, sides: Sides) -> str | None:
    position = risky_use(sides.new, name)
    if position is None:
        return None
    line = sides.new.data.count(b"\n", 0, position) + 1
    return f"{name} changes, and line {line} uses it for more than a version in a source or path."


def _judge_text(old: Statement, new: Statement, sides: Sides, place: Place) -> Finding:
    name = new.name
    if name != "license" and (_is_array(old, old) or _is_array(new, new)):
        return found(ODD_TEXT, place, f"{name} is no single text.")
    if is_expanded(sides.new, name) or may_be_used_indirectly(sides.new):
        return found(ODD_TEXT, place, f"{name} changes, and the script may use it.")
    raw = _raw(new)
    texts = [_unquoted(word) for word in raw]
    if not texts or not all(text is not None and _PLAIN_TEXT.fullmatch(text) for text in texts):
        return found(ODD_TEXT, place, f"{name} is more than plain text.")
    if name != "url":
        return found(TEXT, place, f"{name} is another text.")
    old_raw = _raw(old)
    before = _URL.fullmatch(_unquoted(old_raw[0]) or "") if len(old_raw) == 1 else None
    after = _URL.fullmatch(texts[0] or "") if len(texts) == 1 else None
    if before is None or after is None or before.group(1, 2) != after.group(1, 2):
        return found(HOMEPAGE, place, "The homepage is at another host, or no plain address.")
    return found(TEXT, place, "The homepage is another page of the same host.")


def _judge_kind(name: str, place: Place) -> Finding:
    rule = RULE_OF_KIND.get(_kind_of(name), RULE_OF_KIND["variable"])
    fresh = set(_TOOLS.findall(place.new or "")) - set(_TOOLS.findall(place.old or ""))
    if fresh and "depends" in rule.id and rule.id != "optdepends-changed":
        return found(rule, place, f"{name} gains {', '.join(sorted(fresh))}, which can fetch code.", Severity.HIGH)
    if place.new is None:
        return found(rule, place, f"{name} is gone.")
    return found(rule, place, f"{name} is new." if place.old is None else f"{name} changed.")


def _kind_of(name: str) -> str:
    return name if name in RULE_OF_KIND else name.partition("_")[0] if not name.startswith("_") else name


def _is_array(old: Statement, new: Statement) -> bool:
    return all(it.setting is not None and it.setting.elements is not None for it in (old, new))


def _literal(statement: Statement) -> str | None:
    value = statement.setting.value if statement.setting else None
    return value.text if value else None


def _literals(statement: Statement) -> list[str | None]:
    elements = (statement.setting.elements if statement.setting else None) or ()
    return [word.text for word in elements]


def _raw(statement: Statement) -> list[str]:
    """The words of a value as they are written; one for a scalar."""
    setting = statement.setting
    if setting is None:
        return []
    words = setting.elements if setting.elements is not None else (setting.value,)
    return [statement.data[word.start : word.end].decode(errors="replace") for word in words if word is not None]


def _unquoted(raw: str) -> str | None:
    match = _QUOTED.fullmatch(raw)
    return None if match is None else next((text for text in match.groups() if text is not None), "")
