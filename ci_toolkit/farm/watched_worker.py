"""Has a worker's engine tell its metrics when it logs in, loses its master, and begins and ends a build."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildbot_worker.commands.shell import WorkerShellCommand
from buildbot_worker.pb import ProtocolCommandPb, WorkerForBuilderPb

from ci_toolkit.farm.handed_build import LARGEST_RESULT_BYTES, RESULT_FILE
from ci_toolkit.farm.worker_metrics import BUILD_OUTCOMES

if TYPE_CHECKING:
    from buildbot_worker.bot import Worker

    from ci_toolkit.farm.worker_metrics import WorkerMetrics

_BROKEN_OFF = "interrupted"


def watch_worker(worker: Worker, metrics: WorkerMetrics) -> None:
    """Have it watched from its first login on."""
    logged_in = worker.bf.gotPerspective

    def note_login(perspective: Any) -> None:  # noqa: ANN401 - Twisted's
        logged_in(perspective)
        metrics.logged_in()
        perspective.notifyOnDisconnect(lambda _: metrics.lost())

    worker.bf.gotPerspective = note_login
    worker.bot.WorkerForBuilder = type(
        "WatchedSlot", (WorkerForBuilderPb,), {"ProtocolCommand": partial(_WatchedCommand, metrics)}
    )


class _WatchedCommand(ProtocolCommandPb):  # type: ignore[misc]  # Buildbot has no types
    """What a master has a worker do. Only builds are programs that are run; all else moves and removes files."""

    def __init__(self, metrics: WorkerMetrics, *arguments: Any) -> None:  # noqa: ANN401 - Buildbot's
        super().__init__(*arguments)
        self._metrics, self._status = metrics, -1
        self._is_build = isinstance(self.command, WorkerShellCommand)
        if self._is_build:
            metrics.build_begun()

    def send_update(self, data: Any) -> None:  # noqa: ANN401 - Buildbot's
        """The program has printed something, or ended with a status."""
        self._status = next((value for key, value in data if key == "rc"), self._status)
        super().send_update(data)

    def command_complete(self, failure: Any) -> None:  # noqa: ANN401 - Buildbot's
        """It is over; also after the master went away, when nobody is told any more."""
        if self._is_build:
            folder = Path(self.command.args["workdir"])
            self._metrics.build_ended(_outcome(folder / RESULT_FILE) if self._status == 0 else _BROKEN_OFF)
        super().command_complete(failure)


def _outcome(result: Path) -> str:
    """How a build ended by its own record, which is small and was written a moment ago."""
    try:
        with result.open("rb") as file:
            kind = json.loads(file.read(LARGEST_RESULT_BYTES))["outcome"]["kind"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # nothing was made of it, whatever it says
        return _BROKEN_OFF
    word = str(kind).replace("-", " ")
    return word if word in BUILD_OUTCOMES else _BROKEN_OFF
