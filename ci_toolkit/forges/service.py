"""A forge that is a service: all of them differ in how they are connected to, and in nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.errors import ConfigError, ForgeError, ToolkitError
from ci_toolkit.forges.client import ReviewOptions
from ci_toolkit.forges.dashboard import keep_dashboard
from ci_toolkit.forges.lifecycle import show_reviews
from ci_toolkit.forges.spec import ForgeReport
from ci_toolkit.model.names import Oid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.forges.spec import ForgeTools, Mark, RunNews, WantedReview
    from ci_toolkit.model.plan import DroppedReview

# What services answer for a commit that they do not have: GitLab and Gitea 404, GitHub 422; Gitea 400 in some versions.
_NOT_THERE = (400, 404, 422)


class ServiceForge(ABC):
    """What GitLab, GitHub and Gitea have in common; each adds `name` and `connect`."""

    name: ClassVar[str]

    @abstractmethod
    def connect(self, tools: ForgeTools) -> AbstractContextManager[ReviewClient]:
        """The project's client, to be closed after use; ConfigError when address, project or token are missing."""

    def publish(
        self, reviews: Sequence[WantedReview], dropped: Sequence[DroppedReview], tools: ForgeTools
    ) -> ForgeReport:
        """Open, update and close reviews by the common rules."""
        settings = tools.settings
        options = ReviewOptions(
            labels=settings.review_labels,
            assignees=settings.review_assignees,
            reviewers=settings.review_reviewers,
            draft=settings.review_draft,
        )
        try:
            with self.connect(tools) as client:
                return show_reviews(
                    client,
                    reviews,
                    dropped,
                    memory=tools.memory,
                    options=options,
                    auto_merge=settings.review_auto_merge,
                )
        except ToolkitError as error:
            return ForgeReport(memory=tools.memory, problems=(f"reviews are not shown: {error}",))

    def conclude(self, news: RunNews, tools: ForgeTools) -> tuple[str, ...]:
        """Mark the commit and keep the dashboard."""
        problems: list[str] = []
        status, dashboard = news.status, news.dashboard
        if status is None and dashboard is None:
            return ()
        try:
            with self.connect(tools) as client:
                if status is not None:
                    _attempt(problems, lambda: client.set_status(news.commit, status))
                if dashboard is not None:
                    _attempt(problems, lambda: keep_dashboard(client, dashboard))
        except ToolkitError:
            # Why there is no connection was said when the reviews were to be shown.
            return ()
        return tuple(problems)

    def mark(self, marks: Sequence[Mark], tools: ForgeTools) -> tuple[str, ...]:
        """Mark them one after the other; a commit that is not there, since history was rewritten, stops no other."""
        problems = []
        with self.connect(tools) as client:
            for mark in marks:
                try:
                    client.set_status(Oid(mark.commit), mark.status)
                except ForgeHttpError as error:
                    if error.status not in _NOT_THERE:
                        raise
                    problems.append(error.what)
        return tuple(problems)


def certificate_file(tools: ForgeTools) -> str | None:
    """The file of CI_FORGE_CA; ConfigError when there is none of that name."""
    chosen = tools.settings.forge_ca
    if chosen is None:
        return None
    path = tools.top / chosen
    if not path.is_file():
        raise ConfigError("names no file", key="CI_FORGE_CA", got=chosen)
    return str(path)


def _attempt(problems: list[str], act: Callable[[], None]) -> None:
    try:
        act()
    except ForgeError as error:
        problems.append(error.what)
