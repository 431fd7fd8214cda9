"""The pool of workers: slots are taken once, what people decided outlives a restart, and threads may do it all at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.errors import RefusedError
from ci_toolkit.farm.farm_file import WorkerEntry
from ci_toolkit.farm.worker_pool import PoolPlaces, WorkerFacts, WorkerPool
from ci_toolkit.model.worker import WorkerState
from ci_toolkit.scheduling.queue import Place
from tests.scheduling.test_placement import job

if TYPE_CHECKING:
    from pathlib import Path

HERE = WorkerFacts(version="1", machine="m", program=("x",))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "workers.json"


@pytest.fixture
def pool(memory: Path) -> WorkerPool:
    return new_pool(memory)


def new_pool(memory: Path) -> WorkerPool:
    entries = {
        name: WorkerEntry(name=name, builder_class=class_, slots=slots, password="p")
        for name, class_, slots in (("a", 1, 1), ("b", 5, 2))
    }
    return WorkerPool(entries, SystemClock(), memory)


def states(pool: WorkerPool) -> dict[str, WorkerState]:
    return {worker.name: worker.state for worker in pool.workers()}


def test_a_worker_takes_builds_while_it_is_connected_and_well(pool: WorkerPool) -> None:
    assert states(pool) == {"a": WorkerState.AWAY, "b": WorkerState.AWAY}
    pool.connected("a", HERE)
    assert states(pool)["a"] is WorkerState.IDLE
    pool.connected("a", WorkerFacts(fault="too old"))
    assert states(pool)["a"] is WorkerState.UNFIT
    pool.disconnected("a")
    assert states(pool)["a"] is WorkerState.AWAY


def test_a_slot_is_taken_once_and_given_back(pool: WorkerPool) -> None:
    pool.connected("a", HERE)
    first = job(1, on="a")
    assert pool.take("r", first)
    assert states(pool)["a"] is WorkerState.BUSY
    assert not pool.take("r", job(2, on="a"))
    assert not pool.take("r", job(2, on="nobody"))
    pool.leave("r", first)
    assert pool.take("r", job(2, on="a"))


def test_what_was_decided_outlives_a_restart(pool: WorkerPool, memory: Path) -> None:
    pool.connected("a", HERE)
    pool.drain("a", "new memory")
    pool.quarantine("b", "it fails")
    again = new_pool(memory)
    again.connected("a", HERE)
    again.connected("b", HERE)
    assert [(worker.state.value, worker.reason) for worker in again.workers()] == [
        ("draining", "new memory"),
        ("quarantined", "it fails"),
    ]
    again.resume("a")
    again.resume("b")
    assert set(states(new_pool(memory)).values()) == {WorkerState.AWAY}


def test_one_that_wants_to_stop_gets_nothing_until_it_is_back(pool: WorkerPool) -> None:
    pool.connected("a", HERE)
    pool.leaving("a")
    assert states(pool)["a"] is WorkerState.DRAINING
    pool.disconnected("a")
    pool.connected("a", HERE)
    assert states(pool)["a"] is WorkerState.IDLE


def test_a_name_that_nobody_has_is_refused_with_the_nearest(pool: WorkerPool) -> None:
    with pytest.raises(RefusedError, match="is no worker of this farm"):
        pool.drain("aa", "why")


def test_repositories_share_a_worker_evenly(pool: WorkerPool) -> None:
    pool.connected("b", HERE)
    one, two = (PoolPlaces(pool=pool, repository=name) for name in ("one", "two"))
    mine = job(1, on="b")
    assert one.take(mine)
    two.want([job(9)])
    assert one.now().find(job(2), (mine,)) is None
    assert two.now().find(job(9), ()) == Place(worker="b")
    two.want([])
    assert one.now().find(job(2), (mine,)) == Place(worker="b")


def test_whoever_waits_is_woken_by_every_change(pool: WorkerPool) -> None:
    seen = [pool.changes()]
    for change in (
        lambda: pool.connected("a", HERE),
        lambda: pool.take("r", job(1, on="a")),
        lambda: pool.want("r", [job(2)]),
        lambda: pool.leave("r", job(1, on="a")),
        lambda: pool.drain("a", "why"),
        lambda: pool.disconnected("a"),
    ):
        change()
        seen.append(pool.changes())
    assert len(set(seen)) == len(seen)
    pool.want("r", [job(2)])
    assert pool.changes() == seen[-1]


def test_nobody_is_woken_by_what_they_did_themselves(pool: WorkerPool) -> None:
    one, two = (PoolPlaces(pool=pool, repository=name) for name in ("one", "two"))
    pool.connected("a", HERE)
    before = one.changes(), two.changes()
    assert one.take(job(1, on="a"))
    one.want([job(2)])
    assert (one.changes() == before[0], two.changes() == before[1]) == (True, False)


def test_threads_never_take_more_than_there_is(pool: WorkerPool) -> None:
    pool.connected("b", HERE)
    taken: list[int] = []

    def take(number: int) -> None:
        if pool.take("r", job(number, on="b")):
            taken.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 2
