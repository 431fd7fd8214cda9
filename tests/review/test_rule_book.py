"""Rules with the owner's severities, and rules of plugins."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ci_toolkit import plugins
from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.formats.review_toml import parse_review_settings
from ci_toolkit.model.finding import Assessment, Finding, Rule, Severity
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.review_settings import ReviewSettings
from ci_toolkit.review.plugin_rules import MOST_FINDINGS, all_rules, check_plugins
from ci_toolkit.review.rule_book import RuleBook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.world import World

DEPENDS = Rule(id="depends-changed", severity=Severity.MEDIUM, meaning="it depends on something else")
SOURCE = Rule(id="source-added", severity=Severity.HIGH, meaning="it downloads something new")
LINK = Rule(id="link-leaves", severity=Severity.REFUSE, meaning="a link leaves the folder", fixed=True)
RULES = (DEPENDS, SOURCE, LINK)


def finding(rule: Rule, file: str = "PKGBUILD", line: int | None = None) -> Finding:
    return Finding(rule=rule.id, severity=rule.severity, file=file, text=rule.meaning, line=line)


def book(text: str = "") -> RuleBook:
    return RuleBook.of(RULES, parse_review_settings(text.encode()))


def test_findings_come_worst_first_then_by_file_and_line() -> None:
    given = [
        finding(DEPENDS, line=9),
        finding(SOURCE, "b", 2),
        finding(DEPENDS, line=3),
        finding(SOURCE, "a"),
        finding(DEPENDS),
    ]
    found = book().rated(given).findings
    assert [(one.rule, one.file, one.line) for one in found] == [
        ("source-added", "a", None),
        ("source-added", "b", 2),
        ("depends-changed", "PKGBUILD", None),
        ("depends-changed", "PKGBUILD", 3),
        ("depends-changed", "PKGBUILD", 9),
    ]
    assert book().rated(reversed(given)).findings == found
    assert book().rated([]) == Assessment()


def test_the_owner_switches_a_rule_off_or_makes_it_worse() -> None:
    change = [finding(DEPENDS)]
    assert book().rated(change).verdict == "review"
    assert book('[severity]\ndepends-changed = "minor"\n').rated(change).verdict == "minor"
    assert book('[severity]\ndepends-changed = "refuse"\n').rated(change).verdict == "refuse"
    assert book('[severity]\nsource-added = "minor"\n').rated([*change, finding(SOURCE)]).severity is Severity.MEDIUM


def test_a_finding_that_is_worse_than_its_rule_says_stays_so_until_the_owner_speaks() -> None:
    worse = replace(finding(DEPENDS), severity=Severity.CRITICAL)
    assert book().rated([worse]).severity is Severity.CRITICAL
    assert book('[severity]\ndepends-changed = "low"\n').rated([worse]).severity is Severity.LOW


def test_what_keeps_a_folder_safe_cannot_be_switched_off() -> None:
    with pytest.raises(ConfigError) as caught:
        book('[severity]\n# links are fine\nlink-leaves = "critical"\n')
    assert str(caught.value).startswith(".ci/review.toml line 3: link-leaves cannot be less than refuse")
    assert book('[severity]\nlink-leaves = "refuse"\n').rated([finding(LINK)]).verdict == "refuse"


def test_a_misspelt_rule_is_answered_with_the_nearest_and_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        book('[severity]\nsource-added = "low"\ndepend-changed = "low"\n')
    assert str(caught.value) == ".ci/review.toml line 3: depend-changed is no rule (did you mean depends-changed?)"


def test_a_finding_of_no_rule_and_two_rules_of_one_name_are_mistakes_of_the_program() -> None:
    with pytest.raises(KeyError):
        book().rated([replace(finding(DEPENDS), rule="nobodys")])
    with pytest.raises(ValueError, match="two rules are called depends-changed"):
        RuleBook.of((DEPENDS, replace(DEPENDS, severity=Severity.LOW)), ReviewSettings())


# Plugins

OLD = {"PKGBUILD": UpstreamFile(mode="100644", content=b"old")}
NEW = {"PKGBUILD": UpstreamFile(mode="100644", content=b"new")}
SEVEN: Any = 7
TIMER = Rule(id="timer-added", severity=Severity.LOW, meaning="it installs a timer")


class Timers:
    """A plugin that says whatever the test wants."""

    name: ClassVar[str] = "timers"
    rules: tuple[Rule, ...] = (TIMER,)
    answers: Iterable[Any] = ()

    def check(self, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterable[Finding]:
        yield from self.answers


class Raising(Timers):
    def check(self, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterable[Finding]:
        yield finding(TIMER)
        if old != new:
            raise SystemExit("no")


class Changing(Timers):
    def check(self, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterable[Finding]:
        new["PKGBUILD"] = old["PKGBUILD"]  # type: ignore[index]  # what a plugin must not do
        return ()


class Silent(Timers):
    def check(self, old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile]) -> Iterable[Finding]:
        return None  # type: ignore[return-value]  # what a plugin must not do


def saying(*answers: Any) -> Timers:
    plugin = Timers()
    plugin.answers = answers
    return plugin


def test_findings_of_plugins_are_taken_as_they_are() -> None:
    assert check_plugins([saying(finding(TIMER)), saying()], OLD, NEW) == (finding(TIMER),)


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (Raising(), "fails with SystemExit: no"),
        (Changing(), "fails with TypeError"),
        (Silent(), "fails with TypeError"),
        (saying(finding(TIMER), "bad"), "answers something that is no finding: 'bad'"),
        (saying(None), "answers something that is no finding: None"),
        (saying(finding(SOURCE)), "answers a finding of 'source-added', which is no rule of its own"),
        (saying(replace(finding(TIMER), severity=SEVEN)), "answers a finding with a field of another type"),
        (saying(replace(finding(TIMER), file=SEVEN)), "answers a finding with a field of another type"),
        (saying(replace(finding(TIMER), line=0)), "answers a finding with line 0"),
        (saying(*[finding(TIMER)] * (MOST_FINDINGS + 1)), "answers more than 1,000 findings"),
    ],
)
def test_a_plugin_that_fails_is_a_review_that_names_it(plugin: Timers, why: str) -> None:
    found = check_plugins([plugin, saying(finding(TIMER))], OLD, NEW)
    failed = [one for one in found if one.rule == "plugin-failed"]
    assert len(failed) == 1
    assert failed[0].severity.verdict == "review"
    assert failed[0].text.startswith(f"the rules of plugin timers could not be asked: it {why}")
    assert found[-1] == finding(TIMER)
    assert OLD["PKGBUILD"].content == b"old"


def test_rules_of_plugins_must_be_rules_of_their_own() -> None:
    assert all_rules(RULES, [Timers()]) == (*RULES, TIMER)
    other = Timers()
    other.rules = (replace(DEPENDS, severity=Severity.MINOR),)
    with pytest.raises(PluginError, match="rule depends-changed comes from both ci-toolkit itself and timers"):
        all_rules(RULES, [other])
    for nonsense in ([TIMER], ("timer-added",), (replace(TIMER, id="Timer added"),)):
        other.rules = nonsense  # type: ignore[assignment]
        with pytest.raises(PluginError, match="the rules of timers are no tuple of Rule"):
            all_rules(RULES, [other])


def installed(monkeypatch: pytest.MonkeyPatch, **kinds: str) -> None:
    """As if packages were installed that register these."""
    group = "ci_toolkit.review_rules"
    made = (EntryPoint(name=name, value=f"{__name__}:{kind}", group=group) for name, kind in kinds.items())
    others = (entry for entry in plugins._installed() if entry.group != group)
    found = (*others, *made)
    monkeypatch.setattr(plugins, "_installed", lambda: found)


def test_installed_rules_are_listed_and_what_breaks_the_contract_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.work.mkdir()
    installed(monkeypatch, timers="Timers")
    result = world.run("plugins")
    assert result.status == 0
    assert any(row.split()[:2] == ["review_rules", "timers"] for row in result.stdout.split("\n"))
    assert [plugin.name for plugin in plugins.load_review_rules()] == ["timers"]
    installed(monkeypatch, timers="Rule")
    result = world.run("plugins")
    assert result.status == PluginError.exit_status
    assert "review_rules: timers" in result.stderr
