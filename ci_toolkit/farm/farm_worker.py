"""A worker as Buildbot's master has it, which tells the farm that it came, went, or wants to stop."""

from __future__ import annotations

from typing import Any

from buildbot.worker import Worker
from twisted.internet import defer

from ci_toolkit.farm.worker_facts import parse_facts

FARM_SERVICE = "ci-toolkit"


class FarmWorker(Worker):  # type: ignore[misc]  # Buildbot has no types
    """For configurations of masters; the farm's service is found by its name."""

    def attached(self, conn: Any) -> Any:  # noqa: ANN401 - Buildbot's
        """A connection is there."""
        return defer.ensureDeferred(self._attached(conn))

    async def _attached(self, conn: Any) -> None:  # noqa: ANN401 - Buildbot's
        await super().attached(conn)
        if self.conn is conn:
            self.tell_farm()

    def detached(self) -> Any:  # noqa: ANN401 - Buildbot's
        """The connection is gone."""
        farm = self._farm()
        if farm is not None:
            farm.worker_gone(self.name, "the connection to it broke")
        return super().detached()

    def shutdownRequested(self) -> None:  # noqa: N802 - Buildbot's name
        """It wants to finish what it builds, and stop."""
        farm = self._farm()
        if farm is not None:
            farm.worker_leaves(self.name)
        super().shutdownRequested()

    def tell_farm(self) -> None:
        """Have the farm take notice of a worker that is connected."""
        farm = self._farm()
        if farm is not None and self.conn is not None:
            farm.worker_there(self.name, parse_facts(self.conn.info))

    def _farm(self) -> Any:  # noqa: ANN401 - the service, which knows this class
        services = self.master.service_manager.namedServices if self.master is not None else {}
        service = services.get(FARM_SERVICE)
        return service if service is not None and service.running else None
