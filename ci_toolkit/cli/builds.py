"""`ci-toolkit builds`."""

from __future__ import annotations

import json
import logging
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.backends.local_folder import local_folder
from ci_toolkit.backends.spec import KnowsArtifacts, PurgesJobs
from ci_toolkit.cli.build_backend import meant_jobs, opened_backend
from ci_toolkit.cli.signing import declare_key, key_opener
from ci_toolkit.cli.surface import Terminal, cache_folder
from ci_toolkit.effects.files import write_file
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, NotReadyError, PackagesFailedError, RefusedError
from ci_toolkit.formats.moments import parse_moment
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.reports.jobs import job_json, job_text, jobs_json, jobs_text, purge_text, summary_json, summary_text
from ci_toolkit.reports.surroundings import Place

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator

    from ci_toolkit.backends.spec import Backend, BackendTools
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.job import Job, Transition

log = logging.getLogger(__name__)

NAME = "builds"
HELP = "build what is scheduled on this machine; list, show, cancel, purge and try builds again"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="the last build of each package, or those that are meant")
    listing.add_argument("packages", metavar="PACKAGE", nargs="*", help="only of these")
    listing.add_argument("--state", action="append", default=[], help=f"only in this state: {', '.join(_STATES)}")
    listing.add_argument("--all", action="store_true", help="earlier builds, too")
    show = verbs.add_parser("show", help="one build: where it is and how it came there")
    show.add_argument("job", metavar="PACKAGE|NUMBER", help="a package's last build, or a build")
    cancel = verbs.add_parser("cancel", help="end builds, or take them out of the queue")
    retry = verbs.add_parser("retry", help="build the same again")
    for verb in (cancel, retry):
        verb.add_argument("jobs", metavar="PACKAGE|NUMBER", nargs="*", help="packages' last builds, or builds")
    retry.add_argument("--failed", action="store_true", help="everything whose last build failed")
    cancel.add_argument("--reason", default="somebody cancelled it", help="what others are told (%(default)s)")
    run = verbs.add_parser("run", help="build and publish everything that is queued")
    run.add_argument(
        "--take",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="queue first what an earlier job of the pipeline left in .ci/schedule.json (CI_BACKEND=build_job there), "
        "or in the files of that name below a folder",
    )
    run.add_argument("--logs", type=Path, metavar="DIR", help="write the logs of what was built to DIR/PACKAGE.log")
    declare_key(run)
    report = verbs.add_parser("report", help="write all of it as pages for a browser, with logs and a dependency graph")
    report.add_argument("folder", metavar="DIR", type=Path, help="an empty folder, or one with an earlier report")
    purge = verbs.add_parser("purge", help="forget builds that ended before a time, with their logs")
    purge.add_argument(
        "--before", required=True, metavar="WHEN", help="those that ended earlier: 30d, 12h, DATE, DATETIME (UTC)"
    )
    purge.add_argument("--dry-run", action="store_true", help="show what would be forgotten, and forget nothing")
    purge.epilog = (
        "What is not over is never forgotten, nor the last build of a package, nor its last that succeeded or failed,"
        " nor one whose log another one points to. What was built stays; statistics know only of builds that are kept."
        " On a farm it takes the token of a client that operates it."
    )
    for verb in (listing, show, cancel, retry, run, report, purge):
        verb.add_argument("--json", action="store_true", help="print JSON on stdout")
    status = PackagesFailedError.exit_status
    run.epilog = f"Exit status: 0 all is well; {status} a build failed; 11 another process builds, or there is no key."


def run(options: Namespace, terminal: Terminal) -> int:
    """Do what the verb says."""
    backend, tools = opened_backend(terminal)
    match options.verb:
        case "list":
            jobs = backend.jobs(_filter(options), tools)
            terminal.say(jobs_json(jobs) if options.json else jobs_text(jobs, now_s=terminal.clock.now()))
        case "show":
            (job,) = meant_jobs([options.job], backend, tools)
            steps = _steps(job, backend, tools)
            made = backend.artifacts(job, tools) if isinstance(backend, KnowsArtifacts) else ()
            terminal.say(job_json(job, steps, made) if options.json else job_text(job, steps, made))
        case "cancel":
            _cancel(options, terminal, backend, tools)
        case "retry":
            _retry(options, terminal, backend, tools)
        case "report":
            _report(options, terminal, tools)
        case "purge":
            _purge(options, terminal, backend, tools)
        case _:
            return _run(options, terminal, backend, tools)
    return 0


_STATES = {state.value.replace(" ", "-"): state for state in JobState}


def _filter(options: Namespace) -> JobFilter:
    states = set()
    for word in options.state:
        if word.replace(" ", "-") not in _STATES:
            raise ConfigError("is no state of a build", key="--state", got=word, hint=f"there are {', '.join(_STATES)}")
        states.add(_STATES[word.replace(" ", "-")])
    return JobFilter(packages=frozenset(options.packages), states=frozenset(states), newest=not options.all)


def _steps(job: Job, backend: Backend, tools: BackendTools) -> tuple[Transition, ...]:
    """How a job came to where it is; nothing where the backend only knows where it is."""
    try:
        return backend.transitions(job, tools)
    except RefusedError as error:
        log.info("%s", error.what)
        return ()


def _cancel(options: Namespace, terminal: Terminal, backend: Backend, tools: BackendTools) -> None:
    jobs = meant_jobs(_words(options), backend, tools)
    for job in jobs:
        backend.cancel(job, options.reason, tools)
    numbers = frozenset(job.number for job in jobs)
    now = backend.jobs(JobFilter(numbers=numbers), tools)
    terminal.say(jobs_json(now) if options.json else jobs_text(now, now_s=terminal.clock.now()))


def _retry(options: Namespace, terminal: Terminal, backend: Backend, tools: BackendTools) -> None:
    if options.failed:
        newest = backend.jobs(JobFilter(newest=True), tools)
        jobs = tuple(job for job in newest if job.state.is_failure)
    else:
        jobs = meant_jobs(_words(options), backend, tools)
    numbers = frozenset(backend.retry(job, tools) for job in jobs)
    now = backend.jobs(JobFilter(numbers=numbers), tools) if numbers else ()
    terminal.say(jobs_json(now) if options.json else jobs_text(now, now_s=terminal.clock.now()))


def _purge(options: Namespace, terminal: Terminal, backend: Backend, tools: BackendTools) -> None:
    now_s = terminal.clock.now()
    before_s = parse_moment(options.before, now_s=now_s, key="--before")
    if not isinstance(backend, PurgesJobs):
        hint = "whoever builds forgets them; the backends local, buildbot and build_service can be told"
        raise RefusedError(f"CI_BACKEND is {tools.settings.backend}, which keeps no builds here", hint=hint)
    jobs = backend.purge(before_s, tools, dry_run=options.dry_run)
    terminal.say(jobs_json(jobs) if options.json else purge_text(jobs, now_s=now_s, dry_run=options.dry_run))


def _report(options: Namespace, terminal: Terminal, tools: BackendTools) -> None:
    # Templates take long to import, and nothing else needs them.
    from ci_toolkit.building.build_history import opened_history  # noqa: PLC0415
    from ci_toolkit.reports.build_site.writing import write_site  # noqa: PLC0415

    _require_local(tools)
    place = local_folder(tools.settings, terminal.environ)
    with opened_history(place, tools.settings, now_s=terminal.clock.now()) as history:
        done = write_site(history, terminal.cwd / options.folder, clean=terminal.redactor.clean)
    record = {"folder": str(options.folder), **done._asdict()}
    said = f"{done.files} files in {options.folder}, {done.written} written and {done.removed} removed now\n"
    terminal.say(json.dumps(record, indent=2) + "\n" if options.json else said)


def _require_local(tools: BackendTools) -> None:
    if tools.settings.backend != "local":
        raise NotReadyError(f"CI_BACKEND is {tools.settings.backend}, which builds elsewhere", hint="set it to local")


def _words(options: Namespace) -> list[str]:
    if not options.jobs:
        raise ConfigError("needs the packages or numbers that are meant", key=options.verb)
    return list(options.jobs)


def _run(options: Namespace, terminal: Terminal, backend: Backend, tools: BackendTools) -> int:
    # All that builds need takes longer to import than a list takes to print.
    from ci_toolkit.building.running_builds import opened_here  # noqa: PLC0415
    from ci_toolkit.building.taking_schedules import take_schedules  # noqa: PLC0415
    from ci_toolkit.reports.build_progress import build_progress  # noqa: PLC0415

    _require_local(tools)
    processes = Processes(redactor=terminal.redactor)
    for said in take_schedules((terminal.cwd / path for path in options.take), tools, processes):
        terminal.stderr.write(f"{said}\n")
    shown = build_progress(stream=terminal.stderr, surroundings=terminal.surroundings, clock=terminal.clock)
    here = opened_here(
        tools.settings,
        environ=terminal.environ,
        clock=terminal.clock,
        redactor=terminal.redactor,
        processes=processes,
        cache=cache_folder(terminal.environ) or terminal.cwd / ".cache",
        top=tools.top,
        open_key=key_opener(options, terminal, processes),
    )
    with _orderly_end(), here as builds, shown as listener:
        summary = builds.run(listener)
    if options.logs:
        _write_logs(terminal.cwd / options.logs, summary.ended, backend, tools, terminal.redactor)
    if not options.json:
        _show_failures(summary.ended, backend, tools, terminal)
    terminal.say(summary_json(summary) if options.json else summary_text(summary))
    if summary.fault is not None:
        raise summary.fault
    return PackagesFailedError.exit_status if any(job.state.is_failure for job in summary.ended) else 0


def _write_logs(folder: Path, jobs: Iterable[Job], backend: Backend, tools: BackendTools, redactor: Redactor) -> None:
    """One file a package, by the last of its jobs that was built in this run."""
    folder.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        if job.log_of == job.number:
            text = redactor.clean(_log_text(job, backend, tools))
            write_file(folder / f"{job.pkgbase}.log", text.encode())


def _show_failures(jobs: Iterable[Job], backend: Backend, tools: BackendTools, terminal: Terminal) -> None:
    from ci_toolkit.reports.failed_builds import SHOWN_LINES, failed_build  # noqa: PLC0415 - as above

    place = terminal.surroundings.place
    if place not in (Place.GITLAB, Place.GITHUB):
        return
    for job in jobs:
        if job.state.is_failure and job.log_of is not None:
            lines = _log_text(job, backend, tools).splitlines()[-SHOWN_LINES:]
            terminal.say(failed_build(job, lines, place=place, now_s=terminal.clock.now()))


def _log_text(job: Job, backend: Backend, tools: BackendTools) -> str:
    """A log as it can be read where colours are signs."""
    from ci_toolkit.formats.terminal_text import without_colours  # noqa: PLC0415 - as above

    return without_colours("".join(backend.log(job, tools, follow=False)))


@contextmanager
def _orderly_end() -> Iterator[None]:
    """What ends a service ends builds in the same way as a person does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
