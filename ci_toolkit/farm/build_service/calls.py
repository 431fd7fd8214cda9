"""What every call of the build service has in common: who calls, where it is done, how it is answered and counted.

What takes a while is done in threads of its own, as it waits for disks and databases; a call that only waits, such as
one that follows a log, takes none.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import grpc

from ci_toolkit.backends.build_service.messages import SERVICE
from ci_toolkit.farm.build_service.statuses import Refusal
from ci_toolkit.farm.web.access import Access, caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ci_toolkit.farm.spec import Client
    from ci_toolkit.farm.web.desk import Desk

T = TypeVar("T")
Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_THREADS = 8
_METHOD = "gRPC"
MOST_FOLLOWERS = 64
"""Readers of logs that are followed; each has the farm look at its log several times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Carries calls out for one desk."""

    desk: Desk
    followers: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_FOLLOWERS))
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "build-service"))

    @asynccontextmanager
    async def answering(self, name: str, context: Context, access: Access) -> AsyncIterator[Client | None]:
        """Who calls the method of that name; whatever goes wrong inside is the answer, and all of it is counted."""
        begun_s, status, refusal = self.desk.clock.monotonic(), 200, None
        try:
            yield caller(self.desk.farm, authorization(context), access)
        except Exception as error:  # noqa: BLE001 - a stranger gets no traceback, and the log has it
            refusal = Refusal(error, name, self.desk.redactor)
            status = refusal.status
        finally:
            took_s = self.desk.clock.monotonic() - begun_s
            self.desk.metrics.answered(f"/{SERVICE}/{name}", _METHOD, status, took_s)
        if refusal is not None:
            await context.abort(refusal.code, refusal.details, refusal.metadata)

    @asynccontextmanager
    async def going_on(self, name: str, context: Context) -> AsyncIterator[None]:
        """Likewise, for what comes after the beginning of an answer, which is counted already."""
        refusal = None
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            refusal = Refusal(error, name, self.desk.redactor)
        if refusal is not None:
            await context.abort(refusal.code, refusal.details, refusal.metadata)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What `work` gives; when the caller is gone meanwhile, it is finished nevertheless."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)


def authorization(context: Context) -> str | None:
    """The `authorization` of a call."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return None
