"""What deciding on the next builds costs: `python -m tests.benchmarks.queue`.

Every package is scheduled at once: about as many, and as connected, as in the largest real repository, the same
with names that are in the worst order, and one chain of all. `needs` is done for every new schedule, a decision for
every build that ends. Only processor time counts.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.scheduling.queue import Capacity, Needs, next_turns

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES, EDGES, SLOTS, DECISIONS = 2_500, 6_000, 8, 20


def main() -> None:
    """Measure and print a table."""
    print("| graph | packages | edges | needs | a decision: median | slowest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, graph in (
        ("as the real one", _layered(random.Random(1), is_backwards=False)),
        ("likewise, needs by later names", _layered(random.Random(1), is_backwards=True)),
        ("one chain", _chain()),
    ):
        began = time.process_time()
        needs = Needs(graph)
        needs_s = time.process_time() - began
        times = _decisions(graph, needs)
        edges = sum(map(len, graph.values()))
        print(
            f"| {name} | {len(graph):,} | {edges:,} | {needs_s:.2f} s | {statistics.median(times) * 1_000:.0f} ms"
            f" | {max(times) * 1_000:.0f} ms |"
        )


def _decisions(graph: Mapping[Pkgbase, frozenset[Pkgbase]], needs: Needs) -> list[float]:
    """The first decisions of a run in which everything begun is done by the next one."""
    open_jobs = {
        number: Job(
            number=number,
            pkgbase=name,
            state=JobState.QUEUED,
            reason="",
            request="r",
            commit="c",
            builder_class=None,
            queued_at_s=0.0,
        )
        for number, name in enumerate(graph)
    }
    times = []
    for _ in range(DECISIONS):
        began = time.process_time()
        turns = next_turns(
            open_jobs.values(),
            needs,
            failures={},
            published=(),
            places=Capacity(slots=SLOTS, classes={}, host="h"),
        )
        times.append(time.process_time() - began)
        for job in turns.begun:
            del open_jobs[job.number]
    return times


def _layered(chance: random.Random, *, is_backwards: bool) -> dict[Pkgbase, frozenset[Pkgbase]]:
    """Half of the needs are a few libraries, the others anything that is older; without a circle."""
    needs: dict[int, set[int]] = {number: set() for number in range(PACKAGES)}
    while sum(map(len, needs.values())) < EDGES:
        user = chance.randrange(1, PACKAGES)
        library = min(int(chance.paretovariate(0.7)) - 1, user - 1)
        needs[user].add(chance.choice((library, chance.randrange(user))))
    return {
        _name(user, is_backwards): frozenset(_name(one, is_backwards) for one in ones) for user, ones in needs.items()
    }


def _chain() -> dict[Pkgbase, frozenset[Pkgbase]]:
    names = [_name(number, True) for number in range(PACKAGES)]
    return {name: frozenset(names[number - 1 : number]) for number, name in enumerate(names)}


def _name(number: int, is_backwards: bool) -> Pkgbase:
    return Pkgbase(f"package-{PACKAGES - number if is_backwards else number:04}")


if __name__ == "__main__":
    main()
