"""A farm tells whoever wants to hear of it: of builds with a link to their page, of workers, and Prometheus."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit import __version__
from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.farm.worker_metrics import BUILD_OUTCOMES
from ci_toolkit.model.farm_metrics import MASTER_METRICS, WORKER_METRICS
from ci_toolkit.model.news import ReviewCounts
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny
from tests.support.message_services import WEBHOOK_SECRET, WebhookService
from tests.support.quiet_farm import hand_in
from tests.support.scraped import labels, scraped, served_shapes, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = {"kind": "failed", "phase": "build", "status": 1, "reason": "a stub"}


@dataclass(frozen=True)
class WorkerTold:
    """What the worker told of itself while it built the last one."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]
    shapes: set[tuple[str, str, frozenset[str]]]
    text: str


@dataclass(frozen=True)
class Scene:
    """A farm after one build of each kind, whose only worker was killed during the last."""

    farm: FarmStand
    hook: WebhookService
    told: WorkerTold


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with WebhookService() as hook:
        stand = FarmStand(
            top=tmp_path_factory.mktemp("farm") / "master",
            watched=True,
            config='CI_NOTIFY = "webhook"\nCI_NOTIFY_INTERVAL = 0',
            environ={"CI_NOTIFY_WEBHOOK_URL": f"{hook.url}/hook", "CI_NOTIFY_WEBHOOK_SECRET": WEBHOOK_SECRET},
        )
        with running_farm(stand, stubs=True) as farm:
            farm.tell("one", "broken", json.dumps({"outcome": FAILED, "phases": [["build", 12.5]]}))
            farm.make("one", Tiny(name="good"))
            farm.submit("r1", Tiny(name="broken"), Tiny(name="good"))
            assert farm.finished() == {"broken": "failed", "good": "succeeded"}
            farm.tell("one", "slow", "hang")
            farm.submit("r2", Tiny(name="slow"))
            farm.building("slow")
            url = farm.worker_url("one")
            told = WorkerTold(scraped(url), served_shapes(url), requests.get(f"{url}/metrics", timeout=10).text)
            farm.kill("one")
            farm.wait(lambda: any("was lost while it built" in text for text in hook.texts))
            counts = {"aur": {"unmoved": 2100, "could not ask": 1}}
            BuildbotBackend().note_checks(counts, ReviewCounts(open=3, opened=1), farm.tools())
            requests.get(f"{farm.url}/jobs/samples/1", timeout=10)
            hand_in(farm.url, b"nonsense", token=farm.token)
            yield Scene(farm, hook, told)


def test_failures_and_lost_workers_are_told(scene: Scene) -> None:
    said = "\n".join(scene.hook.texts)
    assert "broken" in said
    assert f"{scene.farm.url}/jobs/samples/1" in said
    assert requests.get(f"{scene.farm.url}/jobs/samples/1", timeout=10).status_code == 200
    assert "whsec" not in scene.farm.log("master")


def test_what_happened_is_counted(scene: Scene) -> None:
    found = scraped(scene.farm.url)
    assert found["ci_toolkit_farm_builds_total", labels(outcome="failed", repository="samples")] == 1
    assert found["ci_toolkit_farm_builds_total", labels(outcome="succeeded", repository="samples")] == 1
    assert found["ci_toolkit_farm_losses_total", labels(repository="samples")] == 1
    assert found["ci_toolkit_farm_queue_duration_seconds_count", labels(repository="samples")] == 2
    assert found["ci_toolkit_farm_artifact_size_bytes_count", labels(repository="samples")] == 1
    assert found["ci_toolkit_farm_artifact_size_bytes_sum", labels(repository="samples")] > 100
    assert found["ci_toolkit_farm_worker_slots", labels(worker="one")] == 1
    assert found["ci_toolkit_farm_workers", labels(state="away")] == 1
    assert found["ci_toolkit_farm_worker_state", labels(worker="one", state="away")] == 1
    assert found["ci_toolkit_farm_worker_taking_builds", labels(worker="one")] == 0
    assert found["ci_toolkit_farm_worker_running_builds", labels(worker="one")] == 0
    assert found["ci_toolkit_farm_info", labels(version=__version__)] == 1


def test_messages_to_people_are_counted(scene: Scene) -> None:
    found = scraped(scene.farm.url)
    sent = labels(repository="samples", notifier="webhook", outcome="sent")
    assert found["ci_toolkit_farm_notifications_total", sent] == len(scene.hook.texts)
    failed = labels(repository="samples", notifier="webhook", outcome="failed")
    assert found["ci_toolkit_farm_notifications_total", failed] == 0, "a series that begins with 1 shows no rise"
    assert found["ci_toolkit_farm_notification_duration_seconds_count", labels(notifier="webhook")] >= 1


def test_what_a_pipeline_told_is_there(scene: Scene) -> None:
    found, place = scraped(scene.farm.url), labels(repository="samples", source="samples")
    assert found["ci_toolkit_farm_open_reviews", place] == 3
    assert 0 <= time.time() - found["ci_toolkit_farm_last_checks_timestamp_seconds", place] < 120
    failed = labels(repository="samples", source="aur", outcome="could_not_ask")
    assert found["ci_toolkit_farm_upstream_checks_total", failed] == 1


def test_a_farm_exposes_what_the_catalogue_has_and_nothing_else(scene: Scene) -> None:
    assert served_shapes(scene.farm.url) == shapes(MASTER_METRICS)


def test_a_worker_exposes_what_the_catalogue_has_and_nothing_else(scene: Scene) -> None:
    assert scene.told.shapes == shapes(WORKER_METRICS)
    for secret in ("slow", "good", str(scene.farm.top.parent), scene.farm.token, password_of(scene.farm)):
        assert secret not in scene.told.text


def test_a_worker_tells_of_its_builds_and_its_machine(scene: Scene) -> None:
    found, disk = scene.told.values, shutil.disk_usage(scene.farm.top)
    assert found["ci_toolkit_worker_info", labels(version=__version__, name="one")] == 1
    assert found["ci_toolkit_worker_connected", labels()] == 1
    assert found["ci_toolkit_worker_running_builds", labels()] == 1
    builds = {outcome: found["ci_toolkit_worker_builds_total", labels(outcome=outcome)] for outcome in BUILD_OUTCOMES}
    assert builds == {**dict.fromkeys(BUILD_OUTCOMES, 0), "built": 1, "failed": 1}
    assert found["ci_toolkit_worker_disk_size_bytes", labels()] == disk.total
    assert 0 < found["ci_toolkit_worker_disk_free_bytes", labels()] < disk.total
    memory = found["ci_toolkit_worker_memory_size_bytes", labels()]
    assert 0 < found["ci_toolkit_worker_memory_available_bytes", labels()] < memory


def password_of(farm: FarmStand) -> str:
    return (farm.worker_folder("one") / "password").read_text().strip()
