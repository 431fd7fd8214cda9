"""What `ci-toolkit stack` prints."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ci_toolkit.stack.containers.environment import ENVIRONMENT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.stack_folder import Rendered, Status
    from ci_toolkit.stack.validating.check import Check


_WIDTH = 80  # of a terminal


def rendered_text(rendered: Rendered) -> str:
    """What was written and removed, checked and made, and what is left for a person."""
    lines = [
        f"{'written' if one.output is not None else 'removed'}  {one.path}"
        + (f", which was {one.state.value}" if one.is_somebodys else "")
        for one in rendered.changed
    ]
    same = rendered.count - sum(one.output is not None for one in rendered.changed)
    if same:
        lines.append(f"{same} of {rendered.count} files were up to date")
    lines += [*rendered.secrets, *_checks(rendered.checks)]
    lines += [*_left_out(rendered.missing_compose_files), *_to_do(rendered.to_do)]
    return _joined(lines)


def checks_text(checks: Iterable[Check]) -> str:
    """What was checked, and what could not be."""
    return _joined(["everything is up to date", *_checks(checks)])


def status_text(status: Status) -> str:
    """Whether it is to be rendered, and why; how it is run."""
    lines = ["everything is up to date"]
    if status.reasons:
        lines = ["to be rendered (ci-toolkit stack render), because:", *(f"  {one}" for one in status.reasons)]
    lines += _left_out(status.missing_compose_files)
    if status.compose_files:
        named = " ".join(f"--file {file}" for file in status.compose_files)
        lines.append(f"run by: docker compose --env-file {ENVIRONMENT_FILE} {named} up --detach")
    return _joined([*lines, *_to_do(status.to_do)])


def _checks(checks: Iterable[Check]) -> Iterator[str]:
    listed = list(checks)
    done = [check.name for check in listed if not check.missing]
    yield from textwrap.wrap(f"checked: {', '.join(done)}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield from (f"checked in part: {check.name}: {check.note}" for check in listed if check.note)
    yield from (f"not checked: {check.name}: {check.missing}" for check in listed if check.missing)


def _left_out(files: Iterable[str]) -> Iterator[str]:
    return (f"warning: {file} is missing, and is left out" for file in files)


def _to_do(sentences: Iterable[str]) -> Iterator[str]:
    return (f"to do: {sentence}" for sentence in sentences)


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
