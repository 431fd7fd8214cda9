"""The end of a failed build's log where a CI job's own log is read, since the machine that has the rest may be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.reports.github import log_group
from ci_toolkit.reports.gitlab import log_section
from ci_toolkit.reports.plain_text import one_line
from ci_toolkit.reports.surroundings import Place
from ci_toolkit.reports.workflow_commands import workflow_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.job import Job

SHOWN_LINES = 40


def failed_build(job: Job, last_lines: Iterable[str], *, place: Place, now_s: float) -> str:
    """A collapsed part of the log, and an annotation where there are any; nothing outside of CI jobs.

    `last_lines` are a stranger's, and nothing in them is a command of the service.
    """
    title = f"{job.pkgbase}: the end of its log (job {job.number})"
    lines = [f"│ {one_line(line).replace('##[', '# #[')}" for line in last_lines]
    match place:
        case Place.GITLAB:
            return log_section(f"job_{job.number}", title, lines, int(now_s), collapsed=True)
        case Place.GITHUB:
            return log_group(title, lines) + workflow_command("error", one_line(job.reason), title=job.pkgbase)
        case _:
            return ""
