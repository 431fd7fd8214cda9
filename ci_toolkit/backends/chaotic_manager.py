"""An existing chaotic-manager fleet: schedules become two artifacts that the pipeline's next job sends to it.

What it builds, and what waits there, is read from its web pages; of builds that are over they keep the logs alone.
"""

from __future__ import annotations

import codecs
import logging
import re
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.backends.manager_checks import is_manager_name, manager_faults
from ci_toolkit.backends.manager_jobs import ended_job, queued_jobs
from ci_toolkit.backends.manager_web import ManagerWeb
from ci_toolkit.effects.files import remove_file, write_file
from ci_toolkit.errors import HandOverError, RefusedError, UpstreamError
from ci_toolkit.formats.deptree import format_deptree
from ci_toolkit.formats.schedule_params import format_schedule_params
from ci_toolkit.formats.terminal_text import without_commands
from ci_toolkit.model.names import Pkgbase, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.model.job import Job, JobFilter, Transition
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.scheduling.schedule import Schedule

log = logging.getLogger(__name__)

DEPTREE_FILE = "deptree.txt"
PARAMS_FILE = "schedule-params.txt"

_LONGEST_LINE = 1 << 16
_OFFICIAL = re.compile(r"(?P<base>https?://[^\s]+)/(?:core|extra|community)/os/[^/\s]+/[^/\s]+\.db")


class ChaoticManagerBackend:
    """Writes `.ci/deptree.txt` and `.ci/schedule-params.txt`; jobs and logs are those of the web pages.

    Jobs are numbered as they are in one answer: others may have those numbers in the next.
    """

    name: ClassVar[str] = "chaotic_manager"
    keeps_order: ClassVar[bool] = False
    builds_described: ClassVar[bool] = False

    def name_fault(self, pkgbase: Pkgbase) -> str | None:
        """The manager's own grammar."""
        if is_manager_name(pkgbase):
            return None
        return "the chaotic-manager takes only names of a-z 0-9 _ . + - and would drop it; it is not scheduled"

    def submit(self, schedule: Schedule, folders: FolderReader, tools: BackendTools) -> str:  # noqa: ARG002 - a manager has a clone of its own
        """Write the artifacts, both or neither, in place of any that an earlier run left.

        HandOverError where the manager would drop a part of it, crash on it or never begin it; it names all of that.
        """
        folder = tools.top / ".ci"
        if folder.is_symlink():
            raise HandOverError(".ci is a symbolic link; artifacts are not written through it")
        try:
            clear_artifacts(tools.top)
            arrays = argument_lists(schedule, tools.settings, tools.environ)
            faults = tuple(manager_faults(schedule, tools.settings, arrays))
            if faults:
                raise HandOverError("; ".join(faults), hint="nothing was handed over")
            write_file(folder / DEPTREE_FILE, format_deptree(schedule.deptree))
            write_file(folder / PARAMS_FILE, schedule_params(tools.settings, arrays))
        except OSError as error:
            raise HandOverError(f"{folder} cannot be written: {error.strerror}") from error
        count = len(schedule.builds)
        what = [f"{count} build{'' if count == 1 else 's'}"] if count else []
        what += ["a removal"] if schedule.remaining is not None else []
        said = f"{' and '.join(what)} handed over in .ci/{PARAMS_FILE} and .ci/{DEPTREE_FILE}"
        return said + absent_builders(schedule, tools)

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:
        """What is built or waits for the repository that is published, and the last builds of packages that are named.

        RefusedError without CI_MANAGER_URL.
        """
        web = _web(tools)
        queue = web.queue()
        queued = queued_jobs(queue, tools.settings.repo_name)
        if not wanted.packages and not wanted.numbers:
            log.info("a chaotic-manager lists what waits or is built; name a package to see how its last build ended")
        known = {build.pkgbase for build in queue.builds}  # the log is that of any repository's build
        named = (Pkgbase(name) for name in sorted(wanted.packages - known) if is_manager_name(name))
        ended = (ended_job(web, name) for name in named) if not wanted.numbers else ()
        found = (*(job for job in ended if job is not None), *queued)
        return tuple(job for job in found if _is_meant(job, wanted))

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:  # noqa: ARG002 - as in the contract
        """RefusedError: only the log tells of that."""
        hint = f"ci-toolkit logs {job.pkgbase} shows what it says of it"
        raise RefusedError("a chaotic-manager does not tell how a build came to where it is", hint=hint)

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:  # noqa: ARG002 - as in the contract
        """RefusedError: nobody there can be told."""
        hint = f"ci-toolkit schedule {job.pkgbase} replaces it; only who runs the manager can end it without that"
        raise RefusedError("a chaotic-manager cannot be told to end a build", hint=hint)

    def retry(self, job: Job, tools: BackendTools) -> int:  # noqa: ARG002 - as in the contract
        """RefusedError: nobody there can be told."""
        hint = f"ci-toolkit schedule {job.pkgbase} has it built from what the repository has now"
        raise RefusedError("a chaotic-manager cannot be told to repeat a build", hint=hint)

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:
        """The log of the package's last build, in whole lines; with `follow` until it is over."""
        web = _web(tools)
        if job.state.is_over:
            return _lines(web.complete_log(job.pkgbase))
        return _lines(web.followed_log(job.pkgbase) if follow else web.present_log(job.pkgbase))


def _web(tools: BackendTools) -> ManagerWeb:
    if tools.settings.manager_url is None:
        hint = "set CI_MANAGER_URL in .ci/config to the address of its web pages, which tell of them"
        raise RefusedError("a chaotic-manager does not tell of its builds here", hint=hint)
    return ManagerWeb(url=tools.settings.manager_url, clock=tools.clock)


def _is_meant(job: Job, wanted: JobFilter) -> bool:
    return (
        (not wanted.packages or job.pkgbase in wanted.packages)
        and (not wanted.states or job.state in wanted.states)
        and (not wanted.numbers or job.number in wanted.numbers)
    )


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Text in whole lines, without what terminals obey: packages have printed most of it."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    partial = ""
    for chunk in chunks:
        whole, end, rest = (partial + decoder.decode(chunk)).rpartition("\n")
        if len(rest) > _LONGEST_LINE:
            whole, end, rest = whole + end + rest, "", ""
        partial = rest
        if whole:
            yield without_commands(whole + end)
    if partial:
        yield without_commands(partial)


def absent_builders(schedule: Schedule, tools: BackendTools) -> str:
    """A remark on builders that packages name and that the manager has not now; they wait until it has."""
    classes = (build.builder_class for build in schedule.builds)
    named = {name for name in classes if name is not None and not name.isdecimal()}
    if not named or tools.settings.manager_url is None:
        return ""
    try:
        there = _web(tools).queue().builders
    except UpstreamError as error:
        log.warning("whether there is a builder %s is not known: %s", ", ".join(sorted(named)), error.what)
        return ""
    absent = sorted(named - there)
    if not absent:
        return ""
    hint = f"there are {', '.join(sorted(there))}" if there else "there is none at all"
    return f"; it has no builder {', '.join(absent)} at the moment ({hint}), and what is for it waits"


def clear_artifacts(top: Path) -> None:
    """Remove what an earlier run left, so that it is never taken for this one's."""
    for name in (PARAMS_FILE, DEPTREE_FILE):
        remove_file(top / ".ci" / name)


def schedule_params(settings: Settings, arrays: Mapping[str, Sequence[str]]) -> bytes:
    """The content of `.ci/schedule-params.txt`: how the manager is reached, and what it is called with."""
    values = {
        "REDIS_SSH_HOST": settings.redis_ssh_host,
        "REDIS_SSH_PORT": str(settings.redis_ssh_port),
        "REDIS_SSH_USER": settings.redis_ssh_user,
        "REDIS_PORT": str(settings.redis_port),
    }
    return format_schedule_params(values, arrays)


def argument_lists(schedule: Schedule, settings: Settings, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """What the manager is called with, by variable; options come before the first package, as it wants them."""
    target = f"--target-repo={settings.repo_name}"
    arrays: dict[str, list[str]] = {}
    if schedule.builds:
        arrays["PARAMS_SCHEDULE"] = [
            "schedule",
            target,
            f"--source-repo={settings.build_repo}",
            *_commit_option(environ),
            *_mirror_option(settings.lib_databases),
            *(
                f"{build.pkgbase}/{build.builder_class}" if build.builder_class else build.pkgbase
                for build in schedule.builds
            ),
        ]
    if schedule.remaining is not None:
        arrays["PARAMS_AUTOREPOREMOVE"] = ["auto-repo-remove", target, *schedule.remaining]
    return arrays


def _commit_option(environ: Mapping[str, str]) -> list[str]:
    """On GitLab the manager reports to the pipeline of a commit."""
    sha, pipeline = environ.get("CI_COMMIT_SHA", ""), environ.get("CI_PIPELINE_ID", "")
    if environ.get("GITLAB_CI") and is_oid(sha) and pipeline.isdigit():
        return ["--commit", f"{sha}:{pipeline}"]
    return []


def _mirror_option(databases: Iterable[str]) -> list[str]:
    official = next(filter(None, map(_OFFICIAL.fullmatch, databases)), None)
    return [f"--arch-mirror={official['base']}/$repo/os/$arch"] if official else []
