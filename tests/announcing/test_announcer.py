"""Who is told what and when, with real services on loopback; time moves only where a test moves it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import PluginError
from ci_toolkit.model.job import JobState
from tests.support.announcing import Scene
from tests.support.jobs import submit
from tests.support.message_services import TELEGRAM_TOKEN, WEBHOOK_SECRET, TelegramService, WebhookService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400.0


@pytest.fixture
def telegram() -> Iterator[TelegramService]:
    with TelegramService() as running:
        yield running


@pytest.fixture
def webhook() -> Iterator[WebhookService]:
    with WebhookService() as running:
        yield running


@pytest.fixture
def scene(tmp_path: Path, telegram: TelegramService, webhook: WebhookService) -> Scene:
    keys = {
        "CI_NOTIFY": "telegram",
        "CI_NOTIFY_TELEGRAM_CHAT": "-100123",
        "CI_BUILDS_URL": "https://builds.example.org/farm/",
    }
    environ = {
        "CI_NOTIFY_TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "CI_NOTIFY_TELEGRAM_URL": telegram.url,
        "CI_NOTIFY_WEBHOOK_URL": webhook.url,
        "CI_NOTIFY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "ACCESS_TOKEN": "canary-access-token",
    }
    return Scene(tmp_path, keys, environ)


def watched(scene: Scene) -> list[tuple[str, str]]:
    """To whom something was sent, with what became of that; as who watches over notifiers is told."""
    return [(sending.recipient, sending.outcome.value) for sending in scene.sendings]


def test_what_ends_is_told_once_in_one_message(scene: Scene, telegram: TelegramService) -> None:
    scene.end("before", JobState.FAILED)
    with scene.announcing() as announcer:
        announcer.run_once()
        assert telegram.texts == []  # what was over when it was configured
        job = scene.end("broken", JobState.FAILED, log="one\n\x1b[31mtwo canary-access-token\x1b[0m\nthree")
        scene.end("slow", JobState.TIMED_OUT)
        scene.end("good", JobState.SUCCEEDED)
        scene.end("ended", JobState.CANCELLED)
        announcer.run_once()
        announcer.run_once()
    [text] = telegram.texts
    assert text.startswith("samples: 1 failed, 1 timed out\nbroken failed: to failed\none\ntwo [hidden]\nthree")
    assert "good" not in text
    [request] = telegram.asked("POST .*")
    assert f'href="https://builds.example.org/farm/jobs/samples/{job.number}"' in request.body["text"]
    with scene.announcing() as announcer:
        announcer.run_once(flush=True)
    assert len(telegram.texts) == 1


def test_first_failures_and_recoveries_are_told_apart(scene: Scene, telegram: TelegramService) -> None:
    with scene.announcing(CI_NOTIFY_ON="first-failure recovery") as announcer:
        for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT):
            scene.end("lib", state)
            announcer.run_once(flush=True)
        assert [text.partition("\n")[0] for text in telegram.texts] == ["samples: 1 failed"]
        scene.end("lib", JobState.ALREADY_BUILT, version="1.0-1")
        scene.end("lib", JobState.SUCCEEDED)
        announcer.run_once(flush=True)
    assert telegram.texts[1:] == ["samples: 1 already built\nlib 1.0-1 is built again"]


def test_removals_and_workers_are_told(scene: Scene, telegram: TelegramService) -> None:
    with scene.announcing(CI_NOTIFY_ON="removal worker") as announcer, scene.database() as database:
        submit(database, "r1", "a", there=("b", "c"))
        submit(database, "r2", there=("c",), removed=True)
        assert database.removals() == {"a", "b"}
        for _ in range(2):  # done, and done already
            database.removed(["a", "b"], now_s=scene.clock.now())
        database.note_trouble("w1", "it is quarantined", now_s=scene.clock.now())
        announcer.run_once()
    assert telegram.texts == ["samples: 2 removed, 1 trouble of workers\nworker w1: it is quarantined\nremoved: a, b"]


def test_messages_keep_their_distance_and_what_came_meanwhile_is_one(scene: Scene, telegram: TelegramService) -> None:
    with scene.announcing(CI_NOTIFY_INTERVAL="120") as announcer:
        scene.end("a", JobState.FAILED)
        announcer.run_once()
        assert announcer.due_s() is None
        for name in ("b", "c"):
            scene.end(name, JobState.FAILED)
            announcer.run_once()
        assert announcer.due_s() == 120.0
        scene.clock.time += 119
        announcer.run_once()
        assert len(telegram.texts) == 1
        scene.clock.time += 1
        announcer.run_once()
        assert [text.partition("\n")[0] for text in telegram.texts] == ["samples: 1 failed", "samples: 2 failed"]
        # The last message of a run does not wait.
        scene.end("d", JobState.FAILED)
        announcer.run_once(flush=True)
        assert len(telegram.texts) == 3
        # A clock that went back by years stops nothing.
        scene.clock.time -= 10 * 365 * DAY_S
        scene.end("e", JobState.FAILED)
        announcer.run_once()
        assert len(telegram.texts) == 4


def test_a_service_is_left_alone_for_as_long_as_it_wants_by_other_processes_too(
    scene: Scene, telegram: TelegramService
) -> None:
    telegram.fail(".*", 429, {"ok": False, "parameters": {"retry_after": 300}}, times=1)
    with scene.announcing() as announcer:
        scene.end("a", JobState.FAILED)
        announcer.run_once()
        assert announcer.due_s() == 300.0
    assert watched(scene) == [("telegram", "postponed")]
    for wait_s, messages in ((299, 0), (1, 1)):
        scene.clock.time += wait_s
        with scene.announcing() as announcer:
            announcer.run_once(flush=True)
        assert len(telegram.texts) == messages


def test_a_notifier_that_fails_is_said_once_tried_again_and_keeps_no_other_from_being_told(
    scene: Scene, telegram: TelegramService, webhook: WebhookService, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.fail(".*", 500, {"description": f"broken {TELEGRAM_TOKEN}"}, times=3)
    with scene.announcing(CI_NOTIFY="telegram webhook") as announcer:
        scene.end("a", JobState.FAILED)
        for _ in range(2):
            announcer.run_once()
        assert len(webhook.deliveries) == 1
        assert watched(scene) == [("telegram", "failed"), ("webhook", "sent")]
        assert announcer.health() == ("telegram: 127.0.0.1 answers 500: broken [hidden]",)
        waits = []
        while not telegram.texts:
            waits.append(announcer.due_s())
            scene.clock.time += waits[-1] or 0
            announcer.run_once()
        assert waits == [30.0, 60.0, 120.0]
        assert announcer.health() == ()
    assert len(webhook.deliveries) == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "telegram is not told what becomes of builds, and is tried again",
        "telegram can be told again what becomes of builds",
    ]
    assert TELEGRAM_TOKEN not in caplog.text


def test_what_is_missing_is_said_at_once_and_what_is_unknown_refused(scene: Scene, telegram: TelegramService) -> None:
    scene.environ = {}
    with scene.announcing() as announcer:
        assert announcer.health() == (
            "telegram: CI_NOTIFY_TELEGRAM_TOKEN is missing in the environment (what BotFather gave you)",
        )
        scene.end("a", JobState.FAILED)
        announcer.run_once(flush=True)
    with pytest.raises(PluginError, match="CI_NOTIFY names nothing that is installed: 'telegramm'"):
        scene.announcer(CI_NOTIFY="telegramm")


def test_after_a_day_a_backlog_is_one_message_of_numbers(scene: Scene, telegram: TelegramService) -> None:
    fault = telegram.fail(".*", 500, {})
    with scene.announcing() as announcer:
        for hour in range(30):
            scene.end(f"p{hour}", JobState.FAILED)
            scene.end(f"q{hour}", JobState.SUCCEEDED)
            announcer.run_once()
            scene.clock.time += 3_600
        telegram.faults.remove(fault)
        announcer.run_once()
        [text] = telegram.texts
        assert text.startswith("samples: 30 failed\nNothing could be told since 20")
        scene.clock.time += 60
        scene.end("new", JobState.FAILED)
        announcer.run_once()
        assert "new failed" in telegram.texts[1]


def test_a_message_whose_answer_was_lost_is_the_same_message_again(scene: Scene, webhook: WebhookService) -> None:
    webhook.fail(".*", acts=True, cut=True, times=1)
    with scene.announcing(CI_NOTIFY="webhook") as announcer:
        scene.end("a", JobState.FAILED)
        announcer.run_once()
        scene.end("b", JobState.FAILED)
    with scene.announcing(CI_NOTIFY="webhook") as announcer:
        announcer.run_once(flush=True)
    told = [[job["package"] for job in one["data"]["jobs"]] for one in webhook.deliveries.values()]
    assert told == [["a"], ["b"]]
    assert len(webhook.requests) == 3


def test_thousands_that_ended_at_once_are_told_in_little_time(scene: Scene, telegram: TelegramService) -> None:
    with scene.announcing(CI_NOTIFY_ON="success") as announcer, scene.database() as database:
        jobs = submit(database, "r", *(f"p{number}" for number in range(800)))
        for job in jobs:
            assert database.move(job, JobState.ALREADY_BUILT, "it is there", now_s=scene.clock.now(), version="1-1")
        announcer.run_once()
    [text] = telegram.texts
    assert text.startswith("samples: 800 already built\nbuilt: p0 1-1, p1 1-1")
    assert text.endswith("and 780 more")


def test_it_serves_until_it_is_stopped_and_tells_the_rest(scene: Scene, telegram: TelegramService) -> None:
    announcer = scene.announcer()
    stop = threading.Event()
    thread = threading.Thread(target=announcer.serve, args=(stop,))
    thread.start()
    for name in ("a", "b"):
        scene.end(name, JobState.FAILED)
    stop.set()
    thread.join(10)
    announcer.close()
    assert not thread.is_alive()
    assert "b failed" in "".join(telegram.texts)


def test_what_is_no_news_writes_nothing_while_there_are_builds(scene: Scene, telegram: TelegramService) -> None:
    with scene.announcing() as announcer, scene.database() as database:
        scene.end("a", JobState.SUCCEEDED)
        before = database.changes()
        announcer.run_once()
        assert database.changes() == before
        announcer.run_once(flush=True)
        assert database.changes() != before
        scene.end("b", JobState.FAILED)
        announcer.run_once()
    assert "b failed" in telegram.texts[0]
