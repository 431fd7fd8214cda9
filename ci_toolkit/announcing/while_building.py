"""An announcer beside builds, in a thread of its own that they never wait for but at their end, and then not long."""

from __future__ import annotations

import logging
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.announcing.announcer import Announcer
from ci_toolkit.announcing.sendings import watched_by_nobody
from ci_toolkit.plugins import registered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.announcing.pages import BuildPages
    from ci_toolkit.announcing.sendings import Sending
    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.settings import Settings

log = logging.getLogger(__name__)

_LAST_S = 30.0


@contextmanager
def announcing(
    place: LocalFolder,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    redactor: Redactor,
    pages: BuildPages,
    top: Path,
    watch: Callable[[Sending], None] = watched_by_nobody,
) -> Iterator[Announcer | None]:
    """Tell whom the settings name what becomes of builds meanwhile; None where there is nobody.

    `watch` hears of each attempt to send something. What cannot be told within half a minute after the builds is left
    to the next run. PluginError for a notifier that is not there.
    """
    if not settings.notifiers and not registered("listeners"):
        yield None
        return
    announcer = Announcer(
        place,
        settings,
        environ=environ,
        clock=clock,
        redactor=redactor,
        pages=pages,
        top=top,
        watch=watch,
    )
    stop = threading.Event()
    # A daemon: one that hangs does not keep the process, and the database knows what it was at.
    thread = threading.Thread(target=_serve, args=(announcer, stop), name="announce", daemon=True)
    thread.start()
    try:
        yield announcer
    finally:
        stop.set()
        thread.join(_LAST_S)
        if thread.is_alive():
            log.warning("not everybody is told yet what became of builds; the next run goes on with that")


def _serve(announcer: Announcer, stop: threading.Event) -> None:
    with closing(announcer):
        announcer.serve(stop)
