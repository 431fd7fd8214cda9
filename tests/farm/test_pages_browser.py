"""The farm's pages in a real browser: on a phone, in the dark, with hostile texts, and a log that grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from flask import Response, request

from ci_toolkit.model.job import JobState
from ci_toolkit.model.worker import WorkerState
from tests.support.browser import looked_at, needs_browser, probe_page
from tests.support.histories import HOSTILE
from tests.support.jobs import job_of, schedule
from tests.support.quiet_farm import QuietFarm, hand_in, handed, quiet_app, serving

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

PAGES = ("./", "queue", "workers", "packages/samples/a%2B%2B", "jobs/samples/1", "jobs/samples/2", "jobs/samples/9")

pytestmark = needs_browser


def fill(farm: QuietFarm, url: str) -> None:
    now_s = time.time()
    farm.broken["other"] = HOSTILE
    for state in WorkerState:
        farm.add_worker(f"worker-{state.value}", state, reason=HOSTILE, machine=HOSTILE, version="1.0")
    wanted = schedule(
        "r1", "a++", "growing", "waiting/9", "long-name-of-a-package-that-wraps", needs={"waiting": "growing"}
    )
    hand_in(url, handed(wanted))
    with farm.database() as database:
        failed, growing = job_of(database, 1), job_of(database, 2)
        database.explain(job_of(database, 3), f"needs growing {HOSTILE}")
    farm.write_log(failed, f"{HOSTILE}\n\x1b[1;31mred\x1b[0m {'wide ' * 80}\n{'w' * 500}\n")
    phases = '[["sources", 1.5], ["build", 3700.0]]'
    farm.bring(
        failed, JobState.FAILED, now_s=now_s, log_of=1, phases=phases, status=4, phase="build", worker="worker-idle"
    )
    farm.write_log(growing, "line 0\n")
    farm.bring(growing, JobState.BUILDING, now_s=now_s, log_of=2, worker="worker-busy", started_at=now_s)


def grow(app: Flask, farm: QuietFarm) -> None:
    """With every look at it the log grows, and with the fourth the job ends."""
    looks = 0

    def look() -> None:
        nonlocal looks
        if request.path != "/jobs/samples/2/log":
            return
        looks += 1
        with farm.database() as database:
            job = job_of(database, 2)
            if looks <= 4:
                farm.write_log(job, f"<b>line {looks}</b>\n")
            elif job.state is JobState.BUILDING:
                database.move(job, JobState.FAILED, "it does not build", now_s=time.time())

    app.before_request(look)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_on_a_phone(tmp_path: Path, dark: bool) -> None:
    farm = QuietFarm(tmp_path / "farm")
    with quiet_app(farm) as (app, _):
        grow(app, farm)
        policy = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline'"}
        app.add_url_rule("/probe.html", "probe", lambda: Response(probe_page(PAGES), headers=policy))
        with serving(app) as port:
            url = f"http://127.0.0.1:{port}"
            fill(farm, url)
            found, said = looked_at(url, tmp_path / "browser", dark=dark)
    assert list(found) == list(PAGES)
    # Neither errors, nor anything that the policy for content had to refuse; that a job is not there is told in a page.
    assert [line for line in said.splitlines() if "404" not in line] == []
    for page, seen in found.items():
        assert seen["wide"] <= 360, page
        assert seen["hacked"] is None, page
        assert (sum(seen["page"]) < 100) == dark, page
        assert seen["contrast"] >= 4.5, page  # WCAG 2.2, AA
    lines = "".join(f"<b>line {number}</b>\n" for number in range(1, 5))
    assert found["jobs/samples/2"]["log"] == f"line 0\n{lines}"
