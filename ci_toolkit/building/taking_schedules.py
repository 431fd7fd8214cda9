"""Schedules that another job of the pipeline left as files, taken into the queue of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.handed_schedule import SCHEDULE_FILE, parse_handed
from ci_toolkit.backends.local import LocalBackend
from ci_toolkit.errors import NotReadyError
from ci_toolkit.model.job import JobFilter
from ci_toolkit.pipelines.untracked import refuse_tracked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ci_toolkit.backends.handed_schedule import HandedSchedule
    from ci_toolkit.backends.spec import BackendTools
    from ci_toolkit.effects.process import Processes


def take_schedules(paths: Iterable[Path], tools: BackendTools, processes: Processes) -> tuple[str, ...]:
    """Queue what the files say, oldest first, and tell of each; a folder stands for every `schedule.json` below it.

    All are read before the first is queued. NotReadyError for a path that is not there, or a file that is in git: it
    would be somebody's commit and not what an earlier job wrote. FormatError for a file that is no schedule.
    """
    handed = []
    for file in (file for path in paths for file in _files(path)):
        refuse_tracked(file, tools.environ, processes)
        handed.append(parse_handed(file.read_bytes(), file=str(file)))
    handed.sort(key=lambda one: one.at_s)
    said = [LocalBackend().submit(one.schedule, one.read, tools) for one in handed]
    if handed:
        said += _unknown_packages(handed[-1], tools)
    return tuple(said)


def _unknown_packages(handed: HandedSchedule, tools: BackendTools) -> Iterator[str]:
    """What is published lacks them, and nothing else would ever schedule them as long as they do not change."""
    built = {job.pkgbase for job in LocalBackend().jobs(JobFilter(newest=True), tools)}
    count = len({record.pkgbase for record in handed.schedule.deptree} - built)
    if count:
        what = "package has" if count == 1 else "packages have"
        why = "since this is new, or its data folder was lost"
        yield f"{count} {what} never been built here, {why}: ci-toolkit schedule '*' builds everything"


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise NotReadyError("there is no schedule", file=str(path), hint="an earlier job of the pipeline leaves it")
    if path.is_dir():
        yield from sorted(path.rglob(SCHEDULE_FILE))
    else:
        yield path
