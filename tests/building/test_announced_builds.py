"""`builds run` tells people of a real build, and neither waits for a service that hangs nor says its secrets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ci_toolkit.errors import PackagesFailedError
from tests.support.builds import needs_makepkg
from tests.support.listening import Recorder, install
from tests.support.local_builds import LocalBuilds, Tiny
from tests.support.message_services import WEBHOOK_SECRET, WebhookService

if TYPE_CHECKING:
    import pytest

    from tests.support.world import World

pytestmark = needs_makepkg

BROKEN = Tiny(name="broken", body='echo "it is $((40 + 2)) @everyone"; false')


def test_a_run_tells_of_builds_and_a_killed_one_leaves_nothing_untold(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebhookService() as webhook:
        world.env.update(CI_NOTIFY_WEBHOOK_URL=f"{webhook.url}/canary-hook", CI_NOTIFY_WEBHOOK_SECRET=WEBHOOK_SECRET)
        local = LocalBuilds(
            world,
            Tiny(name="good"),
            BROKEN,
            CI_NOTIFY="webhook",
            CI_NOTIFY_ON="success failure removal",
            CI_BUILDS_URL="https://builds.example.org",
        )
        local.schedule()
        heard = install(monkeypatch, Recorder)
        result = local.build()
        assert result.status == PackagesFailedError.exit_status
        jobs = {job["package"]: job for one in webhook.deliveries.values() for job in one["data"]["jobs"]}
        assert sorted(jobs) == ["broken", "good"]
        broken = jobs["broken"]
        assert (broken["state"], broken["commit"]) == ("failed", world.origin.head())
        assert broken["url"] == f"https://builds.example.org/builds/{broken['job']}.html"
        assert any("it is 42 @\u200beveryone" in line for line in broken["log"])
        assert {news.job.pkgbase for event, one in heard if event == "builds_ended" for news in one.jobs} == set(jobs)
        monkeypatch.undo()

        # A service that hangs delays nothing, and what a killed run could not tell the next one does.
        fault = webhook.fail(".*", hang_s=60.0, times=1)
        local.push(remove=("good",))
        with local.start() as run:
            local.wait(lambda: fault.times == 0)
            assert "good" not in local.published()
            run.kill()
        webhook.faults.clear()
        result = local.build()
        assert result.status == 0, result.stderr
        assert [one["data"]["removed"] for one in webhook.deliveries.values() if one["data"]["removed"]] == [["good"]]

        # A service that is gone is said once, without its address, and builds go on.
        webhook.fail(".*", 500, {"message": world.env["CI_NOTIFY_WEBHOOK_URL"]})
        world.run("schedule", "broken")
        started = time.monotonic()
        result = local.build()
        assert time.monotonic() - started < 20
        assert result.status == PackagesFailedError.exit_status
        assert result.stderr.count("webhook is not told what becomes of builds") == 1
        for secret in ("canary-hook", WEBHOOK_SECRET):
            assert secret not in result.stdout + result.stderr
            assert secret.encode() not in b"".join(path.read_bytes() for path in local.top.rglob("*") if path.is_file())
