"""Who is told: the notifiers that CI_NOTIFY names, and whatever listens to events, as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.announcing.digests import Wanted
from ci_toolkit.backends.news_book import ENDED
from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.errors import NotifyError, PluginError
from ci_toolkit.forges.choosing import choose_forge
from ci_toolkit.forges.spec import ForgeTools
from ci_toolkit.model.job import JobState
from ci_toolkit.model.news import NewsKind
from ci_toolkit.notifiers.spec import NotifierTools
from ci_toolkit.plugins import load_forge, load_listeners, load_notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.events import Listener
    from ci_toolkit.forges.spec import Mark
    from ci_toolkit.model.news import Digest
    from ci_toolkit.model.settings import Settings

_LISTENERS = "listeners"
_LISTENERS_S = 5.0  # what is written for each message makes whoever builds read all jobs
_MOST_JOBS = 1_000
_MOST_MARKS = 80  # a request each: GitHub takes 80 writes a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One that is told; `sums_up`: what is older than a day comes in numbers alone."""

    name: str
    wanted: Wanted
    most_jobs: int
    interval_s: float
    sums_up: bool
    check: Callable[[], None]
    send: Callable[[Digest], Sequence[str]]


def recipients_of(settings: Settings, *, environ: Mapping[str, str], clock: Clock, top: Path) -> tuple[Recipient, ...]:
    """All of them; PluginError for a notifier that is not there, or that calls itself what is ours."""
    forge_tools = ForgeTools(settings=settings, environ=environ, clock=clock, top=top, memory={})
    tools = NotifierTools(
        settings=settings, environ=environ, clock=clock, mark=lambda marks, project: _mark(marks, project, forge_tools)
    )
    found = [_of_notifier(name, tools) for name in settings.notifiers]
    listeners = load_listeners()
    return (*found, _of_listeners(listeners)) if listeners else tuple(found)


def _mark(marks: Sequence[Mark], project: str | None, tools: ForgeTools) -> tuple[str, ...]:
    settings = tools.settings if project is None else replace(tools.settings, forge_project=project)
    forge = load_forge(choose_forge(settings, tools.environ).name)
    try:
        return forge.mark(marks, replace(tools, settings=settings))
    except ForgeHttpError as error:
        raise NotifyError(error.what, retry_after_s=error.limited_s) from error


def _of_notifier(name: str, tools: NotifierTools) -> Recipient:
    notifier = load_notifier(name)
    if name == _LISTENERS:
        raise PluginError(f"notifiers: none can be called {name}")
    follows = notifier.follows_jobs
    return Recipient(
        name=name,
        wanted=Wanted(states=ENDED | {JobState.QUEUED}, kinds=None)
        if follows
        else Wanted(states=ENDED, kinds=tools.settings.notify_on),
        most_jobs=_MOST_MARKS if follows else _MOST_JOBS,
        interval_s=float(tools.settings.notify_interval_s),
        sums_up=not follows,
        check=lambda: notifier.check(tools),
        send=lambda digest: notifier.send(digest, tools),
    )


def _of_listeners(listeners: Sequence[Listener]) -> Recipient:
    return Recipient(
        name=_LISTENERS,
        wanted=Wanted(states=ENDED, kinds=frozenset(NewsKind)),
        most_jobs=_MOST_JOBS,
        interval_s=_LISTENERS_S,
        sums_up=False,
        check=lambda: None,
        send=lambda digest: _tell_listeners(listeners, digest),
    )


def _tell_listeners(listeners: Sequence[Listener], digest: Digest) -> tuple[str, ...]:
    for listener in listeners:
        if digest.jobs:
            listener.tell("builds_ended", news=digest)
        if digest.removed:
            listener.tell("packages_removed", repository=digest.repository, packages=digest.removed)
        for news in digest.workers:
            listener.tell("worker_troubled", repository=digest.repository, news=news)
    return ()
