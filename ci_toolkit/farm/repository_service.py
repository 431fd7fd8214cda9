"""One published repository of a farm, served by a thread of its own for as long as the master runs."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ci_toolkit.announcing.pages import farm_pages
from ci_toolkit.announcing.while_building import announcing
from ci_toolkit.building.local_builds import StoppedError
from ci_toolkit.building.running_builds import BuildsRun
from ci_toolkit.errors import ToolkitError
from ci_toolkit.farm.remote_workplace import RemoteWorkplace
from ci_toolkit.farm.worker_pool import PoolPlaces
from ci_toolkit.publishers.signing_key import PASSPHRASE_VARIABLE, opened_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.announcing.sendings import Sending
    from ci_toolkit.building.build_listener import Listener
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.attempts import Engine
    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.worker_pool import WorkerPool
    from ci_toolkit.publishers.signing_key import KeyChoice
    from ci_toolkit.recipes.build_sources import SourceFetcher

log = logging.getLogger(__name__)

_AGAIN_S = 10.0


class FaultBook(Protocol):
    """Is told what keeps repositories from being served."""

    def fault(self, repository: str, reason: str | None) -> None:
        """Nothing is begun or published there because of that; None: no longer."""


@dataclass(kw_only=True)
class RepositoryService:
    """`start` it once, and `stop` it once; what the machine refuses is tried again every 10 s.

    `url` is where people see builds, `top` the folder that files which settings name are in; `watch_sending` hears of
    each attempt to send people a message.
    """

    repository: FarmRepository
    key: KeyChoice
    pool: WorkerPool
    engine: Engine
    fetcher: SourceFetcher
    listener: Listener
    faults: FaultBook
    watch_sending: Callable[[Sending], None]
    url: str
    top: Path
    environ: Mapping[str, str]
    clock: Clock
    redactor: Redactor
    processes: Processes

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"builds of {self.repository.name}", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Begin to end: what is built is queued again."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended by then."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        name, settings = self.repository.name, self.repository.settings
        try:
            with announcing(
                self.repository.place,
                settings,
                environ=self.environ,
                clock=self.clock,
                redactor=self.redactor,
                pages=farm_pages(settings.builds_url or self.url, name),
                top=self.top,
                watch=self.watch_sending,
            ):
                self._build()
        except (ToolkitError, OSError) as error:
            log.error("%s: %s", name, self.redactor.clean(str(error)))  # noqa: TRY400 - a message for people
            self.faults.fault(name, self.redactor.clean(str(error)))

    def _build(self) -> None:
        name = self.repository.name
        while not self._stop.is_set():
            try:
                self.faults.fault(name, None)
                summary = self._run().run(self.listener, self._stop)
                reason = str(summary.fault) if summary.fault is not None else None
            except StoppedError:
                break
            except (ToolkitError, OSError) as error:
                reason = str(error)
            except Exception as error:
                log.exception("builds of %s", name)
                reason = f"a fault in ci-toolkit: {error!r}"
            if reason is not None:
                log.error("%s: %s", name, self.redactor.clean(reason))
                self.faults.fault(name, self.redactor.clean(reason))
                self.pool.want(name, ())
                self._stop.wait(_AGAIN_S)
        self.pool.want(name, ())

    def _run(self) -> BuildsRun:
        repository = self.repository
        return BuildsRun(
            settings=repository.settings,
            place=repository.place,
            environ=self.environ,
            clock=self.clock,
            processes=self.processes,
            open_key=lambda: opened_key(
                self.key,
                processes=self.processes,
                environ=self.environ,
                passphrase=self.environ.get(PASSPHRASE_VARIABLE),
            ),
            workplace=RemoteWorkplace(
                repository=repository.name,
                settings=repository.settings,
                pool=self.pool,
                engine=self.engine,
                fetcher=self.fetcher,
                clock=self.clock,
                redactor=self.redactor,
            ),
            places=PoolPlaces(pool=self.pool, repository=repository.name),
        )
