"""Where the local backend keeps what, for one published repository.

$XDG_DATA_HOME/ci-toolkit/builds/REPO_NAME/
    jobs.sqlite                      schedules, jobs and their transitions
    lock                             held by the one process that builds
    logs/PKGBASE/NUMBER.log[.zst]    one a job; packed when the job is over
    store/                           what was built, by content
    places/PUBLISHER/                what other publishers have published or remember
    work/NUMBER/                     a build that is going on; nothing there is of use to another process
    repository/x86_64/               what clients see, unless CI_PUBLISH_DIR names another place
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.settings import Settings

_PACMAN = "pacman"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFolder:
    """The paths below `top`; `repository` is the folder that is published."""

    top: Path
    repository: Path

    @property
    def jobs(self) -> Path:
        """The database of jobs."""
        return self.top / "jobs.sqlite"

    @property
    def lock(self) -> Path:
        """Locked by whoever builds."""
        return self.top / "lock"

    @property
    def logs(self) -> Path:
        """Logs, in one folder a package."""
        return self.top / "logs"

    @property
    def store(self) -> Path:
        """Packages by content."""
        return self.top / "store"

    def of_publisher(self, name: str) -> Path:
        """The folder of a publisher: pacman's is the one that is published, others have one in `places`."""
        return self.repository if name == _PACMAN else self.top / "places" / name

    @property
    def work(self) -> Path:
        """One folder a running build."""
        return self.top / "work"


def data_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/ci-toolkit`, by default `~/.local/share/ci-toolkit`; NotReadyError without a home."""
    if environ.get("XDG_DATA_HOME"):
        return Path(environ["XDG_DATA_HOME"]) / "ci-toolkit"
    if not environ.get("HOME"):
        raise NotReadyError("there is no place to keep anything", hint="set HOME, or XDG_DATA_HOME")
    return Path(environ["HOME"]) / ".local/share/ci-toolkit"


def local_folder(settings: Settings, environ: Mapping[str, str]) -> LocalFolder:
    """The folder for the repository that these settings publish."""
    top = data_folder(environ) / "builds" / settings.repo_name
    return LocalFolder(top=top, repository=Path(settings.publish_dir) if settings.publish_dir else top / "repository")
