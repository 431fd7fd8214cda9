"""What a notifier must be able to do, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.forges.spec import Mark
    from ci_toolkit.model.news import Digest
    from ci_toolkit.model.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierTools:
    """What a notifier is handed.

    `mark` marks commits of a project (its path or number; None: the one that the settings name) at the settings' forge,
    and gives a sentence for each that the forge will never take; ToolkitError when the forge cannot be asked now.
    """

    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    mark: Callable[[Sequence[Mark], str | None], Sequence[str]]


class Notifier(Protocol):
    """Sends messages. Choices that anybody may see are keys of the settings, credentials variables alone.

    `follows_jobs`: it is told of every job that is queued or over, and of nothing else, in several digests where there
    are many; otherwise of what CI_NOTIFY_ON names, in one digest for all that happened since the last.
    """

    name: ClassVar[str]
    follows_jobs: ClassVar[bool]

    def check(self, tools: NotifierTools) -> None:
        """Nothing; ConfigError for what is missing or wrong in settings and environment. Nobody is asked."""

    def send(self, digest: Digest, tools: NotifierTools) -> Sequence[str]:
        """Tell it, once; gives a sentence for each part that nobody can ever be told.

        ToolkitError when it cannot be told now, NotifyError with the seconds to wait where the service says so. Then
        the same digest, of the same `id`, comes again, as it does when the process is killed. Gives up within a minute.
        """
