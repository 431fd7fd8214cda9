"""Jobs that somebody wants forgotten, with their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError, RefusedError

if TYPE_CHECKING:
    from ci_toolkit.backends.job_database import JobDatabase
    from ci_toolkit.backends.job_logs import JobLogs
    from ci_toolkit.model.job import Job


def purge_jobs(
    database: JobDatabase, logs: JobLogs, *, before_s: float, now_s: float, dry_run: bool
) -> tuple[Job, ...]:
    """The jobs that ended before a time and are forgotten now, or would be.

    RefusedError for a time to come, MachineError when a log cannot be removed. What is kept nevertheless is what
    `JobDatabase.forget` keeps. A process that is killed meanwhile leaves jobs without logs at worst, and no log without
    its job, so that doing it again completes it.
    """
    if before_s > now_s:
        raise RefusedError("that time is still to come", hint="name one that is over: nothing ended after now")
    if dry_run:
        return database.forgettable(before_s=before_s)
    try:
        return database.forget(before_s=before_s, let_go=logs.remove)
    except OSError as error:
        hint = "nothing was forgotten; purge again once that is mended"
        raise MachineError(f"logs cannot be removed: {error.filename}: {error.strerror}", hint=hint) from error
