"""A mark on the commit that a package is built from, one a package, at the forge that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError
from ci_toolkit.forges.client import CommitStatus
from ci_toolkit.forges.spec import Mark
from ci_toolkit.model.job import JobState
from ci_toolkit.notifiers.wording import status_text

if TYPE_CHECKING:
    from typing import Literal

    from ci_toolkit.model.news import Digest, JobNews
    from ci_toolkit.notifiers.spec import NotifierTools

_CONTEXT = "ci-toolkit/build/"
_GOOD = (JobState.SUCCEEDED, JobState.ALREADY_BUILT, JobState.SKIPPED)


class CommitStatusNotifier:
    """Marks are pending from when a job is queued; the last one a package and commit stays."""

    name: ClassVar[str] = "commit_status"
    follows_jobs: ClassVar[bool] = True

    def check(self, tools: NotifierTools) -> None:
        """The forge itself says what is missing: here is only said that there has to be one."""
        if tools.settings.forge == "local":
            raise ConfigError("is local, where commits have no marks", key="CI_FORGE", hint="name the service")

    def send(self, digest: Digest, tools: NotifierTools) -> list[str]:
        """Mark commits; gives a sentence for each that the forge does not have any more."""
        self.check(tools)
        # A package that was built several times from one commit has one mark there, that of its last job.
        newest: dict[tuple[str, str, str], JobNews] = {}
        for news in sorted(digest.jobs, key=lambda news: news.job.number):
            newest[news.source, news.job.commit, news.job.pkgbase] = news
        by_project: dict[str | None, list[Mark]] = {}
        for news in newest.values():
            if news.source == tools.settings.build_repo or news.source in tools.settings.notify_projects:
                project = tools.settings.notify_projects.get(news.source)
                by_project.setdefault(project, []).append(_mark(news))
        return [said for project, marks in by_project.items() for said in tools.mark(marks, project)]


def _mark(news: JobNews) -> Mark:
    status = CommitStatus(
        context=f"{_CONTEXT}{news.job.pkgbase}", state=_state(news.job.state), text=status_text(news), url=news.url
    )
    return Mark(commit=news.job.commit, status=status)


def _state(state: JobState) -> Literal["pending", "success", "failure"]:
    if not state.is_over:
        return "pending"
    return "success" if state in _GOOD else "failure"
