"""Who stands behind a package: whose updates need no review, and when a change of people makes one of any update.

Names are an upstream's text. They are compared whole and in ASCII lower case, and what no account can be called is a
finding itself. The maintainers told are those at the time of asking: the AUR does not tell who pushed a revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import shortened
from ci_toolkit.formats.state import ORPHANED
from ci_toolkit.model.finding import Finding, Rule, Severity
from ci_toolkit.model.names import is_maintainer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PACKAGE_ADOPTED = Rule(
    id="package-adopted",
    severity=Severity.CRITICAL,
    meaning="nobody maintained the package, and somebody has taken it over",
)
MAINTAINER_CHANGED = Rule(
    id="maintainer-changed",
    severity=Severity.HIGH,
    meaning="the maintainers are not those at the last update that was accepted",
)
MAINTAINER_UNREADABLE = Rule(
    id="maintainer-unreadable",
    severity=Severity.HIGH,
    meaning="the upstream tells of a maintainer with a name that no account can have",
)
MAINTAINER_UNSEEN = Rule(
    id="maintainer-unseen",
    severity=Severity.MEDIUM,
    meaning="nothing was known of the maintainers before, and no package here has accepted an update of theirs",
)
PACKAGE_ORPHANED = Rule(
    id="package-orphaned",
    severity=Severity.MEDIUM,
    meaning="the package has a new revision and nobody maintains it",
)
RULES = (PACKAGE_ADOPTED, MAINTAINER_CHANGED, MAINTAINER_UNREADABLE, MAINTAINER_UNSEEN, PACKAGE_ORPHANED)

_MOST_NAMED = 5


def is_trusted(maintainers: tuple[str, ...] | None, trusted: frozenset[str]) -> bool:
    """Whether there are maintainers and every one is on the list; whole names, compared in ASCII lower case."""
    return bool(maintainers) and all(folded(name) in trusted for name in maintainers or ())


def trust_findings(
    seen: frozenset[str] | None,
    now: tuple[str, ...] | None,
    trusted: frozenset[str],
    *,
    known: Collection[str] = frozenset(),
    had_record: bool = False,
) -> tuple[Finding, ...]:
    """What the maintainers of a new revision mean, at most one finding; none if all of them are trusted.

    `seen` are the maintainers at the last accepted revision, as `remembered_maintainers` gives them, None: not known,
    though something else of the package may be (`had_record`). `now` None: the upstream tells of none. `known` are all
    maintainers that are remembered of any package, folded as `trusted` is.
    """
    if now is None or is_trusted(now, trusted):
        return ()
    impossible = [name for name in now if not is_maintainer(name)]
    if impossible:
        return (_finding(MAINTAINER_UNREADABLE, f"a maintainer is called {shortened(impossible[0], 60)!r}"),)
    if seen is None:
        return _first_sight(now, known) if had_record else ()
    people = seen - {ORPHANED}
    was_orphaned = people != seen or not people
    if not now:
        return (_orphaned(people, was_orphaned=was_orphaned),)
    before, after = _folded(people), _folded(now)
    if before == after:
        return ()
    newcomers = [name for name in now if folded(name) not in before]
    if not newcomers:
        gone = _named(name for name in people if folded(name) not in after)
        return (_finding(MAINTAINER_CHANGED, f"{gone} no longer maintains it; {_named(now)} does", Severity.LOW),)
    if was_orphaned:
        text = f"nobody maintained it{_formerly(people)}, and {_named(newcomers)} has adopted it"
        strange = any(folded(name) not in known for name in newcomers)
        return (_finding(PACKAGE_ADOPTED, text, Severity.CRITICAL if strange else Severity.HIGH),)
    return (_finding(MAINTAINER_CHANGED, f"its maintainers were {_named(people)} and are now {_named(now)}"),)


def remembered_maintainers(
    seen: frozenset[str] | None, now: tuple[str, ...] | None, *, accepted: bool
) -> frozenset[str] | None:
    """The maintainers to remember: those at the last revision that was accepted, which a newcomer does not change.

    `accepted`: the revision was applied or merged, or it is the first that is seen. Otherwise the maintainers stay, and
    only that there is none any more is added: whoever comes next adopts the package.
    """
    if now is None or not all(is_maintainer(name) for name in now):
        return seen
    if accepted:
        return frozenset(now) or frozenset({ORPHANED})
    return seen if now or seen is None else seen | {ORPHANED}


def folded(name: str) -> str:
    """A name in the form in which names are compared."""
    # `bytes.lower` knows ASCII only, so that no look-alike folds onto a trusted name. JSON can hold half a character.
    return name.encode(errors="surrogatepass").lower().decode(errors="surrogatepass")


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(folded, names))


def _first_sight(now: tuple[str, ...], known: Collection[str]) -> tuple[Finding, ...]:
    if not now:
        return (_finding(PACKAGE_ORPHANED, "nobody maintains it, and it has a new revision"),)
    strangers = [name for name in now if folded(name) not in known]
    text = f"{_named(strangers)} maintains it, who was not known here before"
    return (_finding(MAINTAINER_UNSEEN, text),) if strangers else ()


def _orphaned(people: frozenset[str], *, was_orphaned: bool) -> Finding:
    if was_orphaned:
        text = f"nobody maintained it{_formerly(people)} and nobody does, and yet somebody has changed it in between"
        return _finding(PACKAGE_ORPHANED, text, Severity.HIGH)
    return _finding(PACKAGE_ORPHANED, f"{_named(people)} no longer maintains it, nor does anybody else")


def _formerly(people: frozenset[str]) -> str:
    return f" after {_named(people)}" if people else ""


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMED
    return ", ".join(ordered[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _finding(rule: Rule, text: str, severity: Severity | None = None) -> Finding:
    """A finding about the package and none of its files."""
    return Finding(rule=rule.id, severity=rule.severity if severity is None else severity, file="", text=text)
