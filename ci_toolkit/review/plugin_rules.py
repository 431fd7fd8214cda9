"""Rules that plugins add, asked in such a way that a broken plugin makes a review and never lets something pass."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from ci_toolkit.errors import PluginError, shortened
from ci_toolkit.model.finding import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.review.spec import ReviewRules

PLUGIN_FAILED = Rule(
    id="plugin-failed",
    severity=Severity.HIGH,
    meaning="a plugin's rules could not be asked, so nobody knows what they would say",
    fixed=True,
)
RULES = (PLUGIN_FAILED,)

MOST_FINDINGS = 1_000
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def all_rules(own: Iterable[Rule], plugins: Iterable[ReviewRules]) -> tuple[Rule, ...]:
    """The toolkit's own rules and those of plugins; PluginError where a plugin's are no rules or already there."""
    found = {rule.id: (rule, "ci-toolkit itself") for rule in own}
    for plugin in plugins:
        if not isinstance(plugin.rules, tuple) or not all(_is_rule(rule) for rule in plugin.rules):
            raise PluginError(f"review_rules: the rules of {plugin.name} are no tuple of Rule with an id such as a-b")
        for rule in plugin.rules:
            _, other = found.setdefault(rule.id, (rule, plugin.name))
            if found[rule.id][0] is not rule:
                raise PluginError(f"review_rules: rule {rule.id} comes from both {other} and {plugin.name}")
    return tuple(rule for rule, _ in found.values())


def check_plugins(
    plugins: Iterable[ReviewRules], old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]
) -> tuple[Finding, ...]:
    """What all plugins find. One that raises or answers nonsense is a finding itself, beside what it said before."""
    before, after = MappingProxyType(dict(old)), MappingProxyType(dict(new))
    return tuple(finding for plugin in plugins for finding in _asked(plugin, before, after))


def _asked(plugin: ReviewRules, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterator[Finding]:
    ids = {rule.id for rule in plugin.rules}
    try:
        for count, finding in enumerate(plugin.check(old, new), 1):
            fault = _fault(finding, ids) if count <= MOST_FINDINGS else f"more than {MOST_FINDINGS:,} findings"
            if fault:
                yield _failed(plugin, f"answers {fault}")
                return
            yield finding
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises must not end the run
        yield _failed(plugin, f"fails with {type(error).__name__}: {error}")


def _fault(finding: object, ids: set[str]) -> str:
    if not isinstance(finding, Finding):
        return f"something that is no finding: {finding!r}"
    texts = (finding.file, finding.text, finding.old or "", finding.new or "")
    line = finding.line
    if not isinstance(finding.severity, Severity) or not all(isinstance(text, str) for text in texts):
        return "a finding with a field of another type"
    if line is not None and (not isinstance(line, int) or line < 1):
        return f"a finding with line {line!r}"
    return "" if finding.rule in ids else f"a finding of {finding.rule!r}, which is no rule of its own"


def _failed(plugin: ReviewRules, why: str) -> Finding:
    text = f"the rules of plugin {plugin.name} could not be asked: it {shortened(why, 240)}"
    return Finding(rule=PLUGIN_FAILED.id, severity=PLUGIN_FAILED.severity, file="", text=text)


def _is_rule(rule: object) -> bool:
    return isinstance(rule, Rule) and isinstance(rule.severity, Severity) and _ID.fullmatch(rule.id) is not None
