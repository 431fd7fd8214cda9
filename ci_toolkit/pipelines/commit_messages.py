"""Commit subjects and bodies as existing users know them, and the trailers that say where content came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import shortened
from ci_toolkit.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.model.plan import Change

STATE_SUBJECT = "chore(state): update state"
UPDATE_ACTION = "chore(update)"
ADD_ACTION = "feat(add)"
BUMP_ACTION = "chore(bump)"
DROP_ACTION = "chore(drop)"
REVISION_TRAILER = "Upstream-Revision"
CONTENT_TRAILER = "Reviewed-Content"
_MOST_NAMED = 4
_MOST_FINDINGS = 30
_MOST_LINES = 5


def update_message(names: Sequence[str], *, skip_ci: bool) -> str:
    """`chore(update): a, b`; more than four are counted in the subject and named in the body."""
    return list_message(UPDATE_ACTION, "changed", names, note=" [skip ci]" if skip_ci else "")


def list_message(action: str, done: str, names: Iterable[str], *, note: str = "") -> str:
    """`ACTION: a, b`; more than four are counted in the subject and named in the body, behind the word `done`."""
    ordered = sorted(names)
    listed = ", ".join(ordered)
    few = len(ordered) <= _MOST_NAMED
    subject = f"{action}: {listed if few else f'packages ({len(ordered)})'}{note}"
    return f"{subject}\n" if few else f"{subject}\n\n{done}: {listed}\n"


def review_message(change: Change) -> str:
    """The message of a review branch's only commit: what changes, why it is asked about, and what exactly it is."""
    steps = [f"{change.old_version} -> {change.new_version}"] if change.old_version != change.new_version else []
    body = [*steps, *_found(change)]
    if change.maintainers:
        body.append(f"Maintained by {_plain(', '.join(change.maintainers))}.")
    if change.link:
        body.append(change.link)
    trailers = f"{REVISION_TRAILER}: {change.revision}\n{CONTENT_TRAILER}: {change.content}"
    return f"{UPDATE_ACTION}: {change.pkgbase}\n\n" + "\n".join(body) + f"\n\n{trailers}\n"


def aur_message(pkgbase: str, version: str | None, branch: str, environ: Mapping[str, str]) -> str:
    """The message of a commit at the AUR, with links to the package's history and the pipeline where CI tells them."""
    subject = f"chore: update {pkgbase}{f' to {version}' if version else ''}"
    history, pipeline = "", ""
    if environ.get("GITLAB_CI"):
        history = f"{environ.get('CI_PROJECT_URL', '')}/-/commits/{branch}/{pkgbase}"
        pipeline = environ.get("CI_PIPELINE_URL", "")
    elif environ.get("GITHUB_ACTIONS"):
        project = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
        history = f"{project}/commits/{branch}/{pkgbase}"
        pipeline = f"{project}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
    body = ["This package is kept in another repository, which this commit was made from."]
    body += [f"History: {_plain(history)}"] if history else []
    body += [f"Pipeline: {_plain(pipeline)}"] if pipeline else []
    return f"{_plain(subject)}\n\n" + "\n".join(body) + "\n"


def _found(change: Change) -> Iterator[str]:
    """The findings that matter, the worst first."""
    serious = [finding for finding in change.assessment.findings if finding.severity > Severity.MINOR]
    for finding in serious[:_MOST_FINDINGS]:
        where = f"{finding.file} line {finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
        yield f"- {finding.severity.word}: {_plain(where)}{_plain(finding.text)}"
        place = (finding.new or finding.old or "") if finding.line is not None else ""
        lines = [line.strip() for line in place.split("\n") if line.strip()]
        yield from (f"    {_plain(shortened(line))}" for line in lines[:_MOST_LINES])
    if len(serious) > _MOST_FINDINGS:
        yield f"- and {len(serious) - _MOST_FINDINGS} more"


def _plain(text: str) -> str:
    """Text from upstream on one line and without control characters, so that it cannot pass for a trailer."""
    return "".join(character if character.isprintable() else "?" for character in text)
