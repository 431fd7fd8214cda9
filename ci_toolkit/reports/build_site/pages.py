"""The pages of the site as text: templates filled with values, everything escaped by default."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ci_toolkit.model.job import JobState
from ci_toolkit.reports.build_site.ansi_html import ansi_html
from ci_toolkit.reports.build_site.graph import dependency_graph
from ci_toolkit.reports.jobs import moment, verdict_word
from ci_toolkit.reports.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ci_toolkit.building.build_history import BuildHistory, BuildRecord
    from ci_toolkit.model.names import Pkgbase

LONGEST_LOG = 200_000
"""Characters of a log that a page shows; all of it is in a file beside."""
MOST_CARDS = 100
"""Packages that the overview puts first, for each of two reasons; all are in its table."""
_TEMPLATES = "ci_toolkit.reports.build_site"


class Pages:
    """Fills the templates for one repository."""

    def __init__(self, history: BuildHistory, clean: Callable[[str], str]) -> None:
        """`clean` takes secrets out of what strangers wrote."""
        self._history = history
        self._newest = history.newest
        self._templates = Environment(
            loader=PackageLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters |= {
            "word": verdict_word,
            "moment": moment,
            "iso": lambda at_s: datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
            "line": lambda text: one_line(clean(text)),
            "seconds": _seconds,
            "size": _size,
            "urlencode": lambda text: quote(text, safe=""),
        }
        style, script = _part("style.css"), _part("filter.js")
        self._site = {
            "repository": history.repository,
            "style": Markup(style),  # noqa: S704 - our own file
            "script": Markup(script),  # noqa: S704 - likewise
            "style_hash": _hash(style),
            "script_hash": _hash(script),
        }
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
        total = sum(took for _, took in job.phases) or 1.0
        other = job.log_of if job.log_of not in (None, job.number) else None
        cut = log is not None and len(log) > LONGEST_LOG
        tail = "" if log is None else log[-LONGEST_LOG:].partition("\n")[2] if cut else log
        return self._page(
            "build.html",
            "../",
            job=job,
            record=record,
            phases=[
                (phase, seconds, round(100 * seconds / total)) for phase, seconds in job.phases if seconds >= 0.005
            ],
            log_of_other=other if record.has_log else None,
            log=None if log is None else Markup(ansi_html(tail)),  # noqa: S704 - which escapes
            cut=_size(len(log)) if log is not None and cut else "",
        )

    def _page(self, template: str, root: str, **values: Any) -> str:  # noqa: ANN401 - whatever a template shows
        return self._templates.get_template(template).render(site=self._site, root=root, **values)


class _Failed:
    """A failed build, and the packages that it holds."""

    def __init__(self, record: BuildRecord, holds: Sequence[str]) -> None:
        self.job, self.holds = record.job, sorted(holds)
        self.has_log = record.has_log and record.job.log_of == record.job.number


_ORDER = (JobState.BUILDING, JobState.PUBLISHING, JobState.QUEUED, JobState.WAITING)


def _urgency(record: BuildRecord) -> tuple[int, int]:
    return _ORDER.index(record.job.state), record.job.number


def _part(name: str) -> str:
    return files(_TEMPLATES).joinpath("templates", name).read_text()


def _version() -> str:
    """What pages are made with, templates and programs, in short."""
    own = files(_TEMPLATES)
    parts = [*own.iterdir(), *own.joinpath("templates").iterdir()]
    contents = sorted(part.read_bytes() for part in parts if part.is_file())
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _size(size_bytes: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size_bytes < 1024 or unit == "MiB":
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:,.1f} {unit}"
        size_bytes = size_bytes / 1024  # type: ignore[assignment]  # shown, not counted on
    raise AssertionError(size_bytes)
