"""A later job of the same pipeline: a schedule becomes an artifact, and that job takes it with `builds run --take`.

So the job that has the tokens and the one that has the signing key need to share no disk, and may run anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.backends.elsewhere import JobsElsewhere
from ci_toolkit.backends.handed_schedule import SCHEDULE_FILE, HandedSchedule, format_handed
from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import HandOverError, ToolkitError

if TYPE_CHECKING:
    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.scheduling.schedule import Schedule


class BuildJobBackend(JobsElsewhere):
    """Writes `.ci/schedule.json`."""

    name: ClassVar[str] = "build_job"
    keeps_order: ClassVar[bool] = True
    builds_described: ClassVar[bool] = True
    keeper: ClassVar[str] = "the pipeline's build job"
    instead: ClassVar[str] = "its log and artifacts tell; with CI_BACKEND=local, on a runner that keeps its data folder"

    def name_fault(self, pkgbase: Pkgbase) -> str | None:  # noqa: ARG002 - every name of a package will do
        """None: it builds whatever a package can be called."""
        return None

    def submit(self, schedule: Schedule, folders: FolderReader, tools: BackendTools) -> str:
        """Write the artifact in place of any that an earlier run left.

        HandOverError where the pipeline has no job that takes it: templates have one when they set CI_BACKEND.
        """
        if tools.environ.get("CI_BACKEND") != self.name:
            raise HandOverError(
                "CI_BACKEND=build_job is for pipelines that have a build job, and nobody would take the schedule here",
                hint="set the pipeline's input backend to build_job, and CI_BACKEND in .ci/config to local",
            )
        folder = tools.top / ".ci"
        if folder.is_symlink():
            raise HandOverError(".ci is a symbolic link; artifacts are not written through it")
        try:
            read = folders(build.pkgbase for build in schedule.builds)
            handed = HandedSchedule(schedule=schedule, at_s=tools.clock.now(), folders=read)
            write_file(folder / SCHEDULE_FILE, format_handed(handed))
        except (ToolkitError, OSError) as error:
            what = error.what if isinstance(error, ToolkitError) else f"{error.filename}: {error.strerror}"
            raise HandOverError(f"the schedule cannot be handed over: {what}") from error
        count = len(schedule.builds)
        said = [f"{count} build{'' if count == 1 else 's'}"] if count else []
        said += ["a removal"] if schedule.remaining is not None else []
        return f"{' and '.join(said)} handed over in .ci/{SCHEDULE_FILE}; the job build does it"
