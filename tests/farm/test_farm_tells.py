"""A farm tells whoever wants to hear of it: of builds with a link to their page, of workers, and Prometheus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.model.farm_metrics import MASTER_METRICS
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny
from tests.support.message_services import WEBHOOK_SECRET, WebhookService
from tests.support.quiet_farm import hand_in
from tests.support.scraped import labels, scraped, served_shapes, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = {"kind": "failed", "phase": "build", "status": 1, "reason": "a stub"}


@dataclass(frozen=True)
class Scene:
    """A farm after one build of each kind, whose only worker was killed during the last."""

    farm: FarmStand
    hook: WebhookService


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with WebhookService() as hook:
        stand = FarmStand(
            top=tmp_path_factory.mktemp("farm") / "master",
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
            farm.kill("one")
            farm.wait(lambda: any("was lost while it built" in text for text in hook.texts))
            BuildbotBackend().note_checks({"aur": {"unmoved": 2100}}, farm.tools())
            hand_in(farm.url, b"nonsense", token=farm.token)
            yield Scene(farm, hook)


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
    assert found["ci_toolkit_farm_workers", labels(state="away")] == 1


def test_a_farm_exposes_what_the_catalogue_has_and_nothing_else(scene: Scene) -> None:
    assert served_shapes(scene.farm.url) == shapes(MASTER_METRICS)
