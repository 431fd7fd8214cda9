"""What a change of a package folder amounts to: every comparison there is, rated by the owner's rule book."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.finding import Assessment, Finding, Rule, Severity
from ci_toolkit.review import comparing, pins, plugin_rules, srcinfo, trust
from ci_toolkit.review.official import official_dependency
from ci_toolkit.review.plugin_rules import all_rules, check_plugins
from ci_toolkit.review.rule_book import RuleBook, assessed

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence

    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.review_settings import ReviewSettings
    from ci_toolkit.review.spec import ReviewRules

SOURCE_ASKS = Rule(
    id="source-asks",
    severity=Severity.MEDIUM,
    meaning="Where the update comes from, something about it is unusual, or all updates from there are reviewed.",
)
OWN_RULES = (*comparing.RULES, *srcinfo.RULES, *trust.RULES, *pins.RULES, *plugin_rules.RULES, SOURCE_ASKS)
"""All rules but those of plugins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Rules with the owner's severities; `official` and `own` are names to depend on: see module official."""

    book: RuleBook
    plugins: tuple[ReviewRules, ...] = ()
    official: frozenset[str] = field(default=frozenset(), repr=False)
    own: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(
        cls,
        settings: ReviewSettings,
        plugins: Sequence[ReviewRules] = (),
        *,
        official: frozenset[str] = frozenset(),
        own: frozenset[str] = frozenset(),
    ) -> Self:
        """ConfigError for an impossible rule in the settings, PluginError for one of a plugin."""
        book = RuleBook.of(all_rules(OWN_RULES, plugins), settings)
        return cls(book=book, plugins=tuple(plugins), official=official, own=own)

    def assess(
        self,
        old: Mapping[str, UpstreamFile],
        new: Mapping[str, UpstreamFile],
        *,
        allowed: Sequence[re.Pattern[str]] = (),
        evaluated: bytes | None = None,
        also: Iterable[Finding] = (),
    ) -> Assessment:
        """All findings of the change from `old` to `new` (relative paths), the worst first; `old` empty: a new package.

        `allowed` are the owner's own patterns of harmless lines, `evaluated` is what makepkg printed of the new
        PKGBUILD, `also` what is known besides the files.
        """
        found = [*also]
        if dict(old) != dict(new):
            found += comparing.compare_folders(old, new, allowed)
            found += _srcinfo_findings(old, new, evaluated)
            found += check_plugins(self.plugins, old, new)
        rated = self.book.rated(found)
        excused = official_dependency(
            rated.findings,
            old_srcinfo=_srcinfo(old),
            new_srcinfo=_srcinfo(new),
            official=self.official,
            own=self.own,
        )
        return rated if excused == rated.findings else assessed(excused)


def asked_by_source(reason: str) -> Finding:
    """The finding that a kind of source wants a person to look, and why."""
    return Finding(rule=SOURCE_ASKS.id, severity=SOURCE_ASKS.severity, file="", text=reason)


def _srcinfo_findings(
    old: Mapping[str, UpstreamFile], new: Mapping[str, UpstreamFile], evaluated: bytes | None
) -> tuple[Finding, ...]:
    if "PKGBUILD" not in new:
        return ()
    both = "PKGBUILD" in old and ".SRCINFO" in old
    return srcinfo.compare_srcinfo(
        new["PKGBUILD"].content,
        new[".SRCINFO"].content if ".SRCINFO" in new else b"",
        evaluated=evaluated,
        before=(old["PKGBUILD"].content, old[".SRCINFO"].content) if both else None,
    )


def _srcinfo(files: Mapping[str, UpstreamFile]) -> SrcInfo | None:
    try:
        return SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO") if ".SRCINFO" in files else None
    except FormatError:
        return None
