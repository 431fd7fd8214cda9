"""The one step of a Buildbot build: an order goes to a worker, it builds, and what it made comes back.

Which files are fetched, where they land and how large they may be is decided here, whatever the worker says.
"""

from __future__ import annotations

import logging
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from buildbot.process.buildstep import BuildStep
from buildbot.process.remotecommand import RemoteCommand, RemoteShellCommand
from buildbot.process.remotetransfer import FileReader, FileWriter, StringFileReader
from buildbot.process.results import FAILURE, SKIPPED, SUCCESS
from twisted.internet import defer
from twisted.internet.error import ConnectionLost

from ci_toolkit.building.workplace import WorkerLostError
from ci_toolkit.errors import FormatError, ToolkitError
from ci_toolkit.farm.handed_build import (
    LARGEST_RESULT_BYTES,
    ORDER_FILE,
    OUT_FOLDER,
    RESULT_FILE,
    Delivered,
    format_order,
    parse_result,
)
from ci_toolkit.farm.worker_build import PACKAGES_FOLDER
from ci_toolkit.recipes.build import Skipped

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.farm.attempts import Attempt, SentPackage
    from ci_toolkit.farm.handed_build import HandedResult
    from ci_toolkit.farm.open_attempts import OpenAttempts

log = logging.getLogger(__name__)

_BLOCK_BYTES = 256 << 10
_SIZE = 6  # in what stat(2) gives
_PATIENCE_S = 30  # between asking a build to end and killing it
CACHE_FOLDER = "cache"


class FarmBuildStep(BuildStep):  # type: ignore[misc]  # Buildbot has no types
    """Builds the attempt that the property `attempt` of its build names."""

    name = "build"

    def __init__(self, attempts: OpenAttempts, **settings: Any) -> None:  # noqa: ANN401 - Buildbot's own
        super().__init__(**settings)
        self._attempts = attempts

    async def run(self) -> int:
        """Buildbot's result; the attempt gets its own."""
        attempt = self._attempts.claim(self.getProperty("attempt", ""), self)
        if attempt is None:
            self.descriptionDone = ["nobody wants it any more"]
            return int(SKIPPED)
        try:
            result = await self._exchange(attempt)
        except ConnectionLost:
            raise  # the farm has heard of it from the connection itself
        except (ToolkitError, OSError) as error:
            self._attempts.fail(attempt, WorkerLostError(f"the build on {attempt.worker} came to nothing: {error}"))
            self.descriptionDone = [str(error)]
            return int(FAILURE)  # an exception would have Buildbot give the worker nothing for a while
        except BaseException as error:
            self._attempts.fail(attempt, WorkerLostError(f"the build on {attempt.worker} was broken off: {error!r}"))
            raise
        self._attempts.finish(attempt, result)
        is_built = isinstance(result.outcome, Delivered)
        self.descriptionDone = [f"{attempt.job.pkgbase}: {'built' if is_built else 'not built'}"]
        return int(SUCCESS if is_built else SKIPPED if isinstance(result.outcome, Skipped) else FAILURE)

    async def _exchange(self, attempt: Attempt) -> HandedResult:
        base = PurePosixPath(self.worker.worker_basedir)
        slot = base / self.build.builder.config.workerbuilddir
        folder = slot / attempt.order.attempt
        if self._attempts.is_first(self.worker.conn, self.build.builder.name):
            await self._remove(slot)
        try:
            for package in attempt.packages:
                async with self._attempts.sending(attempt.worker, package.sha256):
                    self._require_wanted()
                    await self._send_package(package, base / CACHE_FOLDER / PACKAGES_FOLDER / package.sha256)
            order = StringFileReader(format_order(attempt.order))
            await self._transfer("downloadFile", "workerdest", folder / ORDER_FILE, reader=order, mode=0o600)
            await self._build(attempt, folder, base / CACHE_FOLDER)
            landed = attempt.landing.with_name(RESULT_FILE)
            if not await self._fetch(folder / RESULT_FILE, landed, LARGEST_RESULT_BYTES):
                raise FormatError("it left no result")
            result = parse_result(landed.read_bytes(), order=attempt.order)
            if isinstance(result.outcome, Delivered):
                await self._fetch_packages(attempt, result.outcome, folder / OUT_FOLDER)
            return result
        finally:
            await self._remove(folder)

    def _require_wanted(self) -> None:
        """WorkerLostError when this step was ended meanwhile: its commands would do nothing, and it leaves nothing."""
        if self.stopped:
            raise WorkerLostError("it was ended")

    async def _remove(self, folder: PurePosixPath) -> None:
        """Remove what was left on the worker, also where a step was ended, which runs nothing more by itself."""
        if self.worker is not None and self.worker.conn is not None:
            command = RemoteCommand("rmdir", {"dir": str(folder), "logEnviron": False})
            self.cmd, command.worker = command, self.worker  # so that it ends when the connection does
            try:
                removed = command.run(self, self.remote, self.build.builder.name)
                await removed.addTimeout(_PATIENCE_S, self.master.reactor)
            except defer.TimeoutError:
                log.warning("what a build left on %s is not removed yet: %s", self.worker.workername, folder)
            finally:
                self.cmd = None

    async def _send_package(self, package: SentPackage, place: PurePosixPath) -> None:
        """Send a package, unless the worker has it; whether it is the right one the worker tells by its checksum."""
        known = RemoteCommand("stat", {"file": str(place)})
        await self.runCommand(known)
        if not known.didFail() and known.updates["stat"][-1][_SIZE] == package.size_bytes:
            return
        with package.path.open("rb") as file:
            await self._transfer("downloadFile", "workerdest", place, reader=FileReader(file), mode=0o600)

    async def _build(self, attempt: Attempt, folder: PurePosixPath, cache: PurePosixPath) -> None:
        log = await self.addLog("stdio")

        def output(_: str, text: str) -> None:
            if not attempt.result.done():
                attempt.output(text.encode())

        log.subscribe(lambda stream, text: output(stream, text) if stream == "o" else None)
        command = RemoteShellCommand(
            str(folder),
            [*self._attempts.program(attempt.worker), "farm", "build", "--cache", str(cache)],
            timeout=None,
            sigtermTime=_PATIENCE_S,
            interruptSignal="TERM",
            logEnviron=False,
        )
        command.useLog(log, closeWhenFinished=True)
        await self.runCommand(command)

    async def _fetch_packages(self, attempt: Attempt, delivered: Delivered, folder: PurePosixPath) -> None:
        if sum(file.size_bytes for file in delivered.files) > attempt.largest_bytes:
            raise FormatError(f"it has made more than {attempt.largest_bytes} bytes")
        for file in delivered.files:
            if not await self._fetch(folder / file.file, attempt.landing / file.file, file.size_bytes):
                raise FormatError(f"it did not send {file.file}")

    async def _fetch(self, source: PurePosixPath, target: Path, largest_bytes: int) -> bool:
        """Whether a file arrived; what is beyond its size is cut off here, too."""
        self._require_wanted()
        limit = largest_bytes + 1  # a worker takes for cut off what is as large as the limit
        writer = FileWriter(str(target), limit, 0o600)
        try:
            return await self._transfer(
                "uploadFile", "workersrc", source, writer=writer, maxsize=limit, keepstamp=False
            )
        finally:
            writer.cancel()

    async def _transfer(self, command: str, key: str, path: PurePosixPath, **arguments: Any) -> bool:  # noqa: ANN401 - Buildbot's own
        settings = {"workdir": "", key: str(path), "blocksize": _BLOCK_BYTES, "maxsize": None, **arguments}
        remote = RemoteCommand(command, settings)
        await self.runCommand(remote)
        return not remote.didFail()
