"""An existing chaotic-manager fleet: schedules become two artifacts that the pipeline's next job sends to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.backends.elsewhere import JobsElsewhere
from ci_toolkit.backends.manager_checks import is_manager_name, manager_faults
from ci_toolkit.effects.files import remove_file, write_file
from ci_toolkit.errors import HandOverError
from ci_toolkit.formats.deptree import format_deptree
from ci_toolkit.formats.schedule_params import format_schedule_params
from ci_toolkit.model.names import is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.scheduling.schedule import Schedule

DEPTREE_FILE = "deptree.txt"
PARAMS_FILE = "schedule-params.txt"

_OFFICIAL = re.compile(r"(?P<base>https?://[^\s]+)/(?:core|extra|community)/os/[^/\s]+/[^/\s]+\.db")


class ChaoticManagerBackend(JobsElsewhere):
    """Writes `.ci/deptree.txt` and `.ci/schedule-params.txt`."""

    name: ClassVar[str] = "chaotic_manager"
    keeps_order: ClassVar[bool] = False
    keeper: ClassVar[str] = "a chaotic-manager"
    instead: ClassVar[str] = "its web page shows them; ci-toolkit schedule PACKAGE builds one again"

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
        return f"{' and '.join(what)} handed over in .ci/{PARAMS_FILE} and .ci/{DEPTREE_FILE}"


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
