"""Everything a pipeline is handed: the repository, its remote, the plugins and the effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.git_remote import open_remote
from ci_toolkit.effects.git_repository import open_repository
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import NotReadyError
from ci_toolkit.pipelines.drafting import Style
from ci_toolkit.pipelines.reading import SnapshotReader
from ci_toolkit.plugins import load_listeners

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.git_remote import Remote
    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.events import Listener
    from ci_toolkit.model.package import Snapshot

MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """One package repository and the means to work on it.

    `top` is its worktree, of which only `.ci/` is written; `cache` a folder that may be lost at any time; `listeners`
    hear of events.
    """

    repository: Repository
    remote: Remote
    reader: SnapshotReader
    processes: Processes
    redactor: Redactor
    clock: Clock
    environ: Mapping[str, str]
    top: Path
    cache: Path
    run_name: str
    listeners: tuple[Listener, ...]

    def tell(self, event: str, news: object) -> None:
        """Have all listeners hear an event of `ci_toolkit.events`."""
        for listener in self.listeners:
            listener.tell(event, news=news)

    def backend_tools(self, snapshot: Snapshot) -> BackendTools:
        """What a backend is handed."""
        return BackendTools(top=self.top, environ=self.environ, settings=snapshot.settings, clock=self.clock)

    def push_options(self, *, skip: bool) -> tuple[str, ...]:
        """`ci.skip` where the forge knows it."""
        return ("ci.skip",) if skip and self.environ.get("GITLAB_CI") else ()

    def style(self) -> Style:
        """How commits are made now; GitHub knows no push option, so there the message says `[skip ci]`."""
        return Style(now_s=int(self.clock.now()), run=self.run_name, skip_ci=bool(self.environ.get("GITHUB_ACTIONS")))


def open_workshop(
    path: Path,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    redactor: Redactor,
    cache: Path | None,
    run_name: str,
    remote: str = "origin",
    branch: str | None = None,
) -> Workshop:
    """The workshop for the repository at `path`; GitError when there is none."""
    processes = Processes(redactor=redactor)
    repository = open_repository(path, processes=processes, environ=environ, token=environ.get("ACCESS_TOKEN"))
    connection = open_remote(repository, remote)
    default = branch or environ.get("CI_DEFAULT_BRANCH") or None
    return Workshop(
        repository=repository,
        remote=connection,
        reader=SnapshotReader(repository=repository, remote=connection, environ=environ, branch=default),
        processes=processes,
        redactor=redactor,
        clock=clock,
        environ=environ,
        top=repository.top or path,
        cache=cache or repository.git.git_dir / "ci-toolkit-cache",
        run_name=run_name,
        listeners=load_listeners(),
    )


def refuse_tracked_artifacts(snapshot: Snapshot) -> None:
    """Artifacts are made fresh by every run; one that is part of the repository would be somebody else's word."""
    if snapshot.tracked_artifacts:
        names = ", ".join(snapshot.tracked_artifacts)
        raise NotReadyError(f"{names} must not be tracked in git", hint=f"git rm --cached {names}, and ignore them")
