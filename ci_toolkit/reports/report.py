"""One report, in the form that suits where it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, assert_never

from ci_toolkit.formats.verdicts import verdict_fields
from ci_toolkit.model.names import review_branch
from ci_toolkit.reports.additions import additions_fields, additions_text
from ci_toolkit.reports.github import github_report, github_summary
from ci_toolkit.reports.gitlab import gitlab_report
from ci_toolkit.reports.plain import plain_report
from ci_toolkit.reports.rows import counts
from ci_toolkit.reports.surroundings import Place, Surroundings
from ci_toolkit.reports.terminal import write_terminal_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.pipelines.outcome import Outcome


def write_report(
    outcome: Outcome, *, stream: TextIO, surroundings: Surroundings, environ: Mapping[str, str], now_s: int
) -> None:
    """Write the report for people; on GitHub also the job's summary page."""
    stream.write(additions_text(outcome, surroundings))
    match surroundings.place:
        case Place.TERMINAL:
            write_terminal_report(outcome, stream, surroundings)
        case Place.PLAIN:
            stream.write(plain_report(outcome))
        case Place.GITLAB:
            stream.write(gitlab_report(outcome, now_s))
        case Place.GITHUB:
            stream.write(github_report(outcome))
            page = environ.get("GITHUB_STEP_SUMMARY")
            if page:
                with Path(page).open("a", encoding="utf-8") as file:
                    file.write(github_summary(outcome))
        case _:
            assert_never(surroundings.place)
    stream.flush()


def report_json(outcome: Outcome) -> str:
    """The report for machines: verdicts, the schedule, what was pushed and what it cost."""
    return json.dumps(_fields(outcome), indent=2) + "\n"


def reports_json(outcomes: Iterable[Outcome]) -> str:
    """The reports of what may be done several times in one run: a list of them."""
    return json.dumps([_fields(outcome) for outcome in outcomes], indent=2) + "\n"


def _fields(outcome: Outcome) -> dict[str, Any]:
    schedule = outcome.schedule
    return {
        "pipeline": outcome.pipeline,
        "dry_run": outcome.dry_run,
        "base": outcome.base,
        "head": outcome.head,
        "failed": outcome.failed,
        "summary": counts(outcome),
        "verdicts": [verdict_fields(verdict) for verdict in outcome.verdicts],
        "schedule": {
            "request": schedule.request,
            "builds": [{"package": build.pkgbase, "class": build.builder_class} for build in schedule.builds],
            "removal": schedule.remaining is not None,
            "concerns": list(schedule.concerns),
        },
        "dropped_reviews": [
            {"package": one.pkgbase, "branch": review_branch(one.pkgbase), "reason": one.reason}
            for one in outcome.dropped_reviews
        ],
        "reviews": list(outcome.review_notes),
        "notes": list(outcome.notes),
        "problems": list(outcome.problems),
        "handed_over": outcome.handed_over,
        "pushed": list(outcome.pushed),
        **(additions_fields(outcome) if outcome.new or outcome.tree else {}),
        "effort": dict(outcome.effort),
    }
