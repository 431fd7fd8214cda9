"""The farm inside Buildbot's master: starts and stops with it, and finds workers that are only silent."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from buildbot.util.service import BuildbotService
from twisted.internet import defer, task, threads

from ci_toolkit.farm.engine import BuildbotEngine
from ci_toolkit.farm.farm_worker import FARM_SERVICE, FarmWorker
from ci_toolkit.farm.grpc_door import build_service
from ci_toolkit.farm.service_manager import tell_ready
from ci_toolkit.farm.web.app import desk_of
from ci_toolkit.farm.web.site import farm_site, listen
from ci_toolkit.farm.worker_facts import parse_facts

if TYPE_CHECKING:
    from ci_toolkit.farm.running_farm import RunningFarm
    from ci_toolkit.farm.worker_pool import WorkerFacts

log = logging.getLogger(__name__)


class FarmService(BuildbotService):  # type: ignore[misc]  # Buildbot has no types
    """One a master."""

    name = FARM_SERVICE

    def checkConfig(self, farm: RunningFarm) -> None:  # noqa: N802 - Buildbot's names, as all that follow
        """The farm's file was checked when it was read."""

    def reconfigService(self, farm: RunningFarm) -> None:  # noqa: N802
        """A farm takes what its file says when the master starts."""
        self._farm = farm

    async def _start(self) -> None:
        await super().startService()
        engine = BuildbotEngine(
            self.master,
            self._farm.attempts,
            patience_s=2 * self._farm.file.deadline_s,
            cut_off=self._cut_off_by_name,
        )
        for name, entry in self._farm.file.workers.items():
            engine.configure(name, entry.slots)
        self._farm.start(engine)
        # Buildbot ends builds before it stops its services.
        self.master.reactor.addSystemEventTrigger("before", "shutdown", self._farm.begin_to_stop)
        app = self._farm.app()
        self._port: Any = await listen(
            farm_site(app, self.master.reactor), self._farm.file.layout.web, self.master.reactor
        )
        self._build_service = build_service(self._farm.file, desk_of(app))
        if self._build_service is not None:
            await threads.deferToThread(self._build_service.start)
        for worker in self._workers():
            worker.tell_farm()
        self._watch = task.LoopingCall(self._look_after_workers)
        self._watch.clock = self.master.reactor
        self._watch.start(self._farm.file.deadline_s / 3, now=False)
        tell_ready(os.environ, f"schedules are taken at {self._farm.url}")

    def startService(self) -> Any:  # noqa: N802, ANN401
        """Serve the repositories."""
        return defer.ensureDeferred(self._start())

    async def _stop(self) -> None:
        self._watch.stop()
        await defer.maybeDeferred(self._port.stopListening)
        if self._build_service is not None:
            await threads.deferToThread(self._build_service.stop)
        await threads.deferToThread(self._farm.stop)
        await super().stopService()

    def stopService(self) -> Any:  # noqa: N802, ANN401
        """End; what is built is queued again."""
        return defer.ensureDeferred(self._stop())

    # workers

    def worker_there(self, name: str, facts: WorkerFacts) -> None:
        """A worker is connected, or says something new of itself."""
        self._farm.worker_there(name, facts)

    def worker_gone(self, name: str, why: str) -> None:
        """A worker is not connected any more."""
        self._farm.worker_gone(name, why)

    def worker_leaves(self, name: str) -> None:
        """A worker finishes what it builds, and stops."""
        self._farm.worker_leaves(name)

    def _workers(self) -> list[FarmWorker]:
        found = self.master.workers.workers.values()
        return [worker for worker in found if isinstance(worker, FarmWorker) and worker.conn is not None]

    def _cut_off_by_name(self, name: str, why: str) -> None:
        for worker in self._workers():
            if worker.name == name:
                self._cut_off(worker, worker.conn, why)

    def _cut_off(self, worker: FarmWorker, connection: Any, why: str) -> None:  # noqa: ANN401
        log.warning("worker %s is cut off: %s", worker.name, why)
        self.worker_gone(worker.name, why)
        _end_connection(connection)

    def _look_after_workers(self) -> None:
        for worker in self._workers():
            defer.ensureDeferred(self._ask(worker, worker.conn))

    async def _ask(self, worker: FarmWorker, connection: Any) -> None:  # noqa: ANN401
        """Ask a worker how it is; one that does not answer in time is cut off, so that its builds go elsewhere."""
        deadline_s = self._farm.file.deadline_s
        try:
            info = await connection.remoteGetWorkerInfo().addTimeout(deadline_s, self.master.reactor)
        except Exception as error:  # noqa: BLE001 - whatever it is, this connection is of no use
            if worker.conn is connection:
                log.debug("worker %s: %r", worker.name, error)
                self._cut_off(worker, connection, f"it did not answer within {deadline_s:g} s")
            return
        if worker.conn is connection:
            self.worker_there(worker.name, parse_facts(info))


def _end_connection(connection: Any) -> None:  # noqa: ANN401
    """End a connection without waiting for the other side, which is not going to say anything."""
    mind = getattr(connection, "mind", None)
    if mind is not None:
        mind.broker.transport.abortConnection()
    else:
        connection.loseConnection()
