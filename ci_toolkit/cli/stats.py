"""`ci-toolkit stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import KnowsStatistics
from ci_toolkit.cli.build_backend import opened_backend
from ci_toolkit.errors import ConfigError, RefusedError
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.model.names import is_pkgbase
from ci_toolkit.model.statistics_window import GroupBy, StatisticsWish
from ci_toolkit.reports.statistics import MOST_ROWS, statistics_json, statistics_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "stats"
HELP = "how builds fared over a time: success, durations, sizes, waiting, cache and use of workers"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    parser.add_argument("packages", metavar="PACKAGE", nargs="*", help="only builds of these")
    parser.add_argument(
        "--since", default="7d", metavar="WHEN", help="builds that ended from then on: 12h, 7d, 4w, DATE (%(default)s)"
    )
    parser.add_argument("--until", metavar="WHEN", help="and before that: likewise (now)")
    groups = tuple(by.value for by in GroupBy)
    parser.add_argument("--by", choices=groups, default=groups[0], help="what a row is about (%(default)s)")
    parser.add_argument("--all", action="store_true", help=f"all rows, and not the first {MOST_ROWS}")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.epilog = (
        "Rows with most failures come first, then what takes longest. Durations are of builds of whatever outcome: half"
        " and 95 % of them took no longer than p50 and p95; `waited` and `size` are medians. Dates and times are UTC."
    )


def run(options: Namespace, terminal: Terminal) -> int:
    """Ask the backend, and show what it says."""
    backend, tools = opened_backend(terminal)
    wish = _wish(options, terminal.clock.now())
    if not isinstance(backend, KnowsStatistics):
        hint = "the backends local, buildbot and build_service do"
        raise RefusedError(f"CI_BACKEND is {tools.settings.backend}, which keeps no statistics", hint=hint)
    found = backend.statistics(wish, tools)
    if options.json:
        terminal.say(statistics_json(found))
    else:
        terminal.say(statistics_text(found, most_rows=None if options.all else MOST_ROWS))
    return 0


def _wish(options: Namespace, now_s: float) -> StatisticsWish:
    for name in options.packages:
        if not is_pkgbase(name):
            raise ConfigError("is no possible name of a package", key="PACKAGE", got=name)
    begin_s = parse_moment(options.since, now_s=now_s, key="--since")
    end_s = None if options.until is None else parse_moment(options.until, now_s=now_s, key="--until")
    if begin_s >= (now_s if end_s is None else end_s):
        raise ConfigError("is not before the end of the time", key="--since", got=options.since)
    return StatisticsWish(begin_s=begin_s, end_s=end_s, by=GroupBy(options.by), packages=frozenset(options.packages))
