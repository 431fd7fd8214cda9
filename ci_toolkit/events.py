"""The events that plugins can listen to: one specification for all of them.

A listener is a class with a `name` and any of the methods of `Events`, each marked with `hook`, that is registered as
an entry point of group `ci_toolkit.listeners`:

    from ci_toolkit.events import hook

    class Counter:
        name = "counter"

        @hook
        def schedule_handed_over(self, news):
            ...

A method may leave out arguments that it does not need. What it raises is logged with the listener's name and stops
nothing. Events of pipelines come once, after the push. Those of builds come at least once, even if the process is
killed in between, and from another thread than that of the builds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pluggy

from ci_toolkit.errors import PluginError

if TYPE_CHECKING:
    from ci_toolkit.model.news import Digest, HandOverNews, ReviewNews, UpdatesNews, UpstreamsNews, WorkerNews

log = logging.getLogger(__name__)

_PROJECT = "ci_toolkit"
_specification = pluggy.HookspecMarker(_PROJECT)
hook = pluggy.HookimplMarker(_PROJECT)


class Events:
    """Every event there is."""

    @_specification
    def builds_ended(self, news: Digest) -> None:
        """Jobs of one published repository came to an end, whatever CI_NOTIFY_ON says; at least one."""

    @_specification
    def packages_removed(self, repository: str, packages: tuple[str, ...]) -> None:
        """Packages are not published any more, as their folders are gone."""

    @_specification
    def worker_troubled(self, repository: str, news: WorkerNews) -> None:
        """A worker of the farm was lost, is quarantined or unfit."""

    @_specification
    def updates_applied(self, news: UpdatesNews) -> None:
        """A run has pushed updates to the default branch."""

    @_specification
    def review_opened(self, news: ReviewNews) -> None:
        """A run has pushed a review, which waits for people."""

    @_specification
    def upstreams_checked(self, news: UpstreamsNews) -> None:
        """A run has asked upstreams."""

    @_specification
    def schedule_handed_over(self, news: HandOverNews) -> None:
        """A backend has taken a schedule that was not empty."""


class Listener:
    """One plugin that listens; PluginError, with its name, when it does not fit the specification."""

    def __init__(self, name: str, plugin: object, origin: str) -> None:
        self.name = name
        # One apiece: what one raises does not keep the others from being called.
        self._manager = pluggy.PluginManager(_PROJECT)
        self._manager.add_hookspecs(Events)
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            problem = ", ".join(line.strip() for line in str(error).splitlines())
            raise PluginError(
                f"listeners: {name} from {origin} does not fit the events there are: {problem}"
            ) from error

    def tell(self, event: str, **news: object) -> bool:
        """Have it hear an event of `Events`; False when it failed, which is logged."""
        try:
            getattr(self._manager.hook, event)(**news)
        except Exception as error:  # noqa: BLE001 - somebody else's code, which must not undo what was done
            log.warning("listener %s failed at %s: %s: %s", self.name, event, type(error).__name__, error)
            return False
        return True
