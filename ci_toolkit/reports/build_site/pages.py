"""The pages of the site as text: templates filled with values, everything escaped by default."""

from __future__ import annotations

import hashlib
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ci_toolkit.model.build_statistics import sample_of, summarise
from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import DAY_S, GroupBy, Window
from ci_toolkit.reports.build_site.ansi_html import ansi_html
from ci_toolkit.reports.build_site.graph import dependency_graph
from ci_toolkit.reports.build_site.templating import (
    OWN_PACKAGE,
    page_frame,
    page_templates,
    size_text,
    template_part,
)
from ci_toolkit.reports.statistics import column_texts, column_titles, group_name, summary_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ci_toolkit.building.build_history import BuildHistory, BuildRecord
    from ci_toolkit.model.build_statistics import BuildStatistics, JobSample
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.names import Pkgbase

LONGEST_LOG = 200_000
"""Characters of a log that a page shows; all of it is in a file beside."""
MOST_CARDS = 100
"""Packages that the overview puts first, for each of two reasons; all are in its table."""

STATISTICS_DAYS = (7, 30)
"""How far statistics go back, as long as jobs are kept."""
MOST_GROUPS = 100
"""Rows of a table of statistics."""


class Pages:
    """Fills the templates for one repository."""

    def __init__(self, history: BuildHistory, clean: Callable[[str], str]) -> None:
        """`clean` takes secrets out of what strangers wrote."""
        self._history = history
        self._newest = history.newest
        self._templates = page_templates(clean)
        self._site = {"repository": history.repository, **page_frame(template_part("filter.js"))}
        self.version = _version()

    def index(self) -> str:
        """The overview."""
        newest = list(self._newest.values())
        counts = Counter(record.job.state for record in newest)
        waiting: dict[str, list[str]] = {}
        for record in newest:
            if record.job.waits_for:
                waiting.setdefault(record.job.waits_for, []).append(record.job.pkgbase)
        failed = [record for record in newest if record.job.state.is_failure]
        under_way = sorted((record for record in newest if not record.job.state.is_over), key=_urgency)
        return self._page(
            "index.html",
            "",
            as_of_s=self._history.as_of_s,
            counts=[(state, counts[state]) for state in JobState if counts[state]],
            failed=[_Failed(record, waiting.get(record.job.pkgbase, [])) for record in failed[:MOST_CARDS]],
            failed_left_out=len(failed[MOST_CARDS:]),
            under_way=under_way[:MOST_CARDS],
            under_way_left_out=len(under_way[MOST_CARDS:]),
            newest=newest,
        )

    def statistics(self) -> str:
        """How builds fared over the last days."""
        samples = [sample_of(record.job) for record in self._history.records]
        days = sorted({min(days, self._history.kept_days) for days in STATISTICS_DAYS} - {0})
        return self._page(
            "statistics.html",
            "",
            as_of_s=self._history.as_of_s,
            kept_days=self._history.kept_days,
            spans=[_Span(span, samples, self._history) for span in days],
        )

    def graph(self) -> str:
        """The dependency graph."""
        return self._page("graph.html", "", graph=dependency_graph(self._newest, self._history.needs))

    def package(self, name: Pkgbase, records: Sequence[BuildRecord]) -> str:
        """One package with all its builds."""
        known = self._newest.keys()
        needs = self._history.needs
        needed_by = sorted(other for other, needed in needs.items() if name in needed and other in known)
        return self._page(
            "package.html",
            "../",
            name=name,
            records=records,
            needs=sorted(needs.get(name, frozenset()) & known),
            needed_by=needed_by,
        )

    def build(self, record: BuildRecord, log: str | None) -> str:
        """One build with its log, without secrets, if it has one of its own."""
        job = record.job
        other = job.log_of if job.log_of not in (None, job.number) else None
        cut = log is not None and len(log) > LONGEST_LOG
        tail = "" if log is None else log[-LONGEST_LOG:].partition("\n")[2] if cut else log
        return self._page(
            "build.html",
            "../",
            job=job,
            record=record,
            phases=phase_shares(job),
            log_of_other=other if record.has_log else None,
            log=None if log is None else Markup(ansi_html(tail)),  # noqa: S704 - which escapes
            cut=size_text(len(log)) if log is not None and cut else "",
        )

    def _page(self, template: str, root: str, **values: Any) -> str:  # noqa: ANN401 - whatever a template shows
        return self._templates.get_template(template).render(site=self._site, root=root, **values)


class _Span:
    """The last so many days: what is said of all of them, and a table a way of grouping builds."""

    def __init__(self, days: int, samples: Sequence[JobSample], history: BuildHistory) -> None:
        self.days = days
        window = Window(begin_s=history.as_of_s - days * DAY_S, end_s=history.as_of_s)
        told = {by: summarise(samples, window, by=by, slots={None: history.slots}) for by in GroupBy}
        self.summary = summary_rows(told[GroupBy.PACKAGE])
        self.tables = [_Table(statistics) for statistics in told.values() if statistics.groups]


class _Table:
    """A row a group: its package if it is one, what it is called, and what its columns say."""

    def __init__(self, statistics: BuildStatistics) -> None:
        by = statistics.by
        self.by, self.titles = by.value, column_titles(by)
        self.rows = [
            (name if by is GroupBy.PACKAGE else None, group_name(by, name, figures), column_texts(figures, by))
            for name, figures in statistics.groups[:MOST_GROUPS]
        ]
        self.left_out = len(statistics.groups[MOST_GROUPS:])


class _Failed:
    """A failed build, and the packages that it holds."""

    def __init__(self, record: BuildRecord, holds: Sequence[str]) -> None:
        self.job, self.holds = record.job, sorted(holds)
        self.has_log = record.has_log and record.job.log_of == record.job.number


_ORDER = (JobState.BUILDING, JobState.PUBLISHING, JobState.QUEUED, JobState.WAITING)


def phase_shares(job: Job) -> list[tuple[str, float, int]]:
    """The phases of a build that took a while: seconds, and percents of the whole."""
    total = sum(took for _, took in job.phases) or 1.0
    return [(phase, seconds, round(100 * seconds / total)) for phase, seconds in job.phases if seconds >= 0.005]


def _urgency(record: BuildRecord) -> tuple[int, int]:
    return _ORDER.index(record.job.state), record.job.number


def _version() -> str:
    """What pages are made with, templates and programs, in short."""
    own = files(OWN_PACKAGE)
    parts = [*own.iterdir(), *own.joinpath("templates").iterdir()]
    contents = sorted(part.read_bytes() for part in parts if part.is_file())
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]
