"""A scheduled run tells a farm what upstreams said and how many reviews wait, for its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipelines.test_on_schedule import BAR, FOO, MAJOR, begin, newer
from tests.support.quiet_farm import TOKEN, QuietFarm, served
from tests.support.scraped import labels, scraped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.quiet_farm import ServedFarm
    from tests.support.world import World

PLACE = {"repository": "samples", "source": "samples"}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[ServedFarm]:
    with served(QuietFarm(tmp_path / "farm")) as running:
        yield running


def run(world: World, farm: ServedFarm) -> dict[str, float]:
    """What the farm's metrics say of reviews and checks after a run."""
    result = world.run("on-schedule", CI_BACKEND="buildbot", CI_FARM_URL=farm.url, CI_FARM_TOKEN=TOKEN)
    assert result.status == 0, result.stderr
    assert "was not told" not in result.stderr
    found = scraped(farm.url)
    values = {"open": found["ci_toolkit_farm_open_reviews", labels(**PLACE)]}
    for change in ("opened", "closed"):
        values[change] = found["ci_toolkit_farm_review_changes_total", labels(**PLACE, change=change)]
    return values


def test_a_farm_hears_of_reviews_as_they_open_and_close(world: World, farm: ServedFarm) -> None:
    begin(world, FOO, BAR)
    files = newer(BAR).files()
    files = {**files, "PKGBUILD": f"{files['PKGBUILD']}\n{MAJOR}\n"}
    world.upstreams.publish("bar", files)
    assert run(world, farm) == {"open": 1, "opened": 1, "closed": 0}
    assert run(world, farm) == {"open": 1, "opened": 1, "closed": 0}
    # Somebody takes it as it is.
    world.origin.commit({f"bar/{name}": text for name, text in files.items()}, "bar: as proposed")
    world.run("on-commit", CI_BACKEND="buildbot", CI_FARM_URL=farm.url, CI_FARM_TOKEN=TOKEN)
    assert run(world, farm) == {"open": 0, "opened": 1, "closed": 1}


def test_outcomes_of_several_words_are_told_too(world: World, farm: ServedFarm) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", newer(FOO).files())
    world.upstreams.fail(lambda seen: seen.path.startswith("/aur.git"), status=503)
    world.run("on-schedule", CI_BACKEND="buildbot", CI_FARM_URL=farm.url, CI_FARM_TOKEN=TOKEN)
    failed = labels(repository="samples", source="aur", outcome="could_not_ask")
    assert scraped(farm.url)["ci_toolkit_farm_upstream_checks_total", failed] == 1
