"""A farm tells whoever wants to hear of it: of builds with a link to their page, and of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny
from tests.support.message_services import WEBHOOK_SECRET, WebhookService

if TYPE_CHECKING:
    from pathlib import Path


def test_failures_and_lost_workers_are_told_and_counted(tmp_path: Path) -> None:
    with WebhookService() as hook:
        stand = FarmStand(
            top=tmp_path / "master",
            config='CI_NOTIFY = "webhook"\nCI_NOTIFY_INTERVAL = 0',
            environ={"CI_NOTIFY_WEBHOOK_URL": f"{hook.url}/hook", "CI_NOTIFY_WEBHOOK_SECRET": WEBHOOK_SECRET},
        )
        with running_farm(stand, stubs=True) as farm:
            farm.tell("one", "broken", "failed")
            farm.tell("one", "slow", "hang")
            farm.submit("r1", Tiny(name="broken"), Tiny(name="slow"))
            farm.building("slow")
            farm.kill("one")
            farm.wait(lambda: any("was lost while it built" in text for text in hook.texts))
            said = "\n".join(hook.texts)
            assert "broken" in said
            assert f"http://127.0.0.1:{farm.web_port}/jobs/samples/1" in said
            assert requests.get(f"http://127.0.0.1:{farm.web_port}/jobs/samples/1", timeout=10).status_code == 200
            metrics = requests.get(f"http://127.0.0.1:{farm.web_port}/metrics", timeout=10).text
            assert 'ci_toolkit_farm_builds_total{outcome="failed",repository="samples"} 1.0' in metrics
            assert 'ci_toolkit_farm_losses_total{repository="samples"} 1.0' in metrics
            assert 'ci_toolkit_farm_workers{state="away"} 1.0' in metrics
            assert "whsec" not in farm.log("master")
