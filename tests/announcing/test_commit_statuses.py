"""Marks on commits at each of the services, from jobs of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.model.job import JobState
from tests.support.announcing import Scene
from tests.support.forge_stands import KINDS, Stand, open_stand
from tests.support.jobs import COMMIT, bring, submit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with open_stand(request.param) as running:
        yield running


@pytest.fixture
def scene(tmp_path: Path, stand: Stand) -> Scene:
    keys = {**stand.settings(), "CI_NOTIFY": "commit_status", "CI_BUILDS_URL": "https://builds.example.org"}
    return Scene(tmp_path, keys, stand.variables)


def test_a_package_has_one_mark_that_follows_its_last_job(scene: Scene, stand: Stand) -> None:
    with scene.announcing() as announcer, scene.database() as database:
        alpha, beta = submit(database, "r1", "alpha", "beta", now_s=scene.clock.now())
        submit(database, "r2", "foreign", source="others", now_s=scene.clock.now())
        announcer.run_once()
        marks = stand.service.marks(COMMIT)
        assert marks == [
            ("ci-toolkit/build/alpha", "pending", "queued"),
            ("ci-toolkit/build/beta", "pending", "queued"),
        ]
        bring(database, alpha, JobState.SUCCEEDED, now_s=scene.clock.now(), version="1.0-1")
        bring(database, beta, JobState.FAILED, now_s=scene.clock.now())
        announcer.run_once(flush=True)
        database.retry(beta, now_s=scene.clock.now())
        announcer.run_once(flush=True)
    latest = {context: (state, text) for context, state, text in stand.service.marks(COMMIT)}
    assert latest == {
        "ci-toolkit/build/alpha": ("success", "1.0-1 is built"),
        "ci-toolkit/build/beta": ("pending", "queued"),
    }
    assert ("ci-toolkit/build/beta", "failure", "failed: to failed") in stand.service.marks(COMMIT)


def test_a_service_that_is_down_is_told_later_and_one_that_refuses_for_good_is_not_asked_again(
    scene: Scene, stand: Stand
) -> None:
    with scene.announcing() as announcer:
        stand.break_down(403)
        scene.end("alpha", JobState.FAILED)
        announcer.run_once()
        assert announcer.health()[0].startswith("commit_status: ")
        assert stand.token not in str(announcer.health())
        stand.recover()
        stand.break_down(404)
        scene.clock.time += announcer.due_s() or 0
        announcer.run_once()
        assert announcer.health() == ()
        stand.recover()
        scene.clock.time += 60
        stand.forget_asked()
        announcer.run_once()
        assert stand.asked() == []
        scene.end("beta", JobState.FAILED)
        announcer.run_once()
    assert [context for context, _, _ in stand.service.marks(COMMIT)] == ["ci-toolkit/build/beta"]


def test_without_a_service_or_a_token_it_is_said_what_to_set(scene: Scene, stand: Stand) -> None:
    scene.environ = {}
    with scene.announcing() as announcer, scene.announcing(CI_FORGE="local") as other:
        scene.end("alpha", JobState.FAILED)
        announcer.run_once()
        other.run_once()
        assert stand.missing in announcer.health()[0]
        assert "CI_FORGE is local, where commits have no marks" in other.health()[0]
