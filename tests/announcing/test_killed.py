"""SIGKILL at every write and around every request of an announcer: whatever ended is told, by one message."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends import news_book
from ci_toolkit.model.job import JobState
from ci_toolkit.notifiers import webhook as webhook_module
from tests.support.announcing import Scene
from tests.support.killable import Boundaries
from tests.support.message_services import WEBHOOK_SECRET, WebhookService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run_killed(scene: Scene, kill_at: int) -> bool:
    """Two jobs end in a process of their own, which tells of each, and kills itself; whether it came to its end."""
    child = os.fork()
    if not child:
        boundaries = Boundaries(kill_at)
        transaction = getattr(news_book, "transaction")  # noqa: B009 - not what they offer to others
        send = getattr(webhook_module, "send_message")  # noqa: B009 - likewise

        @contextmanager
        def watched(connection: Any) -> Iterator[None]:
            with transaction(connection):
                yield
                boundaries.cross()

        def watched_send(*arguments: Any, **options: Any) -> Any:
            boundaries.cross()
            answer = send(*arguments, **options)
            boundaries.cross()
            return answer

        setattr(news_book, "transaction", watched)  # noqa: B010 - likewise
        setattr(webhook_module, "send_message", watched_send)  # noqa: B010 - likewise
        try:
            with scene.announcing() as announcer:
                for name in ("a", "b"):
                    scene.end(name, JobState.FAILED)
                    boundaries.cross()
                    announcer.run_once(flush=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("is_lost", [False, True], ids=["it answers", "its answers are lost"])
def test_killed_anywhere_everything_is_told_by_one_message(tmp_path: Path, *, is_lost: bool) -> None:
    for kill_at in range(1, 40):
        with WebhookService() as webhook:
            if is_lost:
                webhook.fail(".*", acts=True, cut=True, times=1)
            environ = {"CI_NOTIFY_WEBHOOK_URL": webhook.url, "CI_NOTIFY_WEBHOOK_SECRET": WEBHOOK_SECRET}
            scene = Scene(tmp_path / str(kill_at), {"CI_NOTIFY": "webhook"}, environ)
            scene.announcer().close()
            is_done = run_killed(scene, kill_at)
            with scene.announcing() as announcer:
                announcer.run_once(flush=True)
            with scene.database() as database:
                ended = {job.pkgbase for job in database.jobs() if job.state is JobState.FAILED}
            told = [job["package"] for one in webhook.deliveries.values() for job in one["data"]["jobs"]]
            assert sorted(told) == sorted(ended), kill_at
            if is_done:
                assert kill_at > 5
                return
    raise AssertionError("there is no end of it")
