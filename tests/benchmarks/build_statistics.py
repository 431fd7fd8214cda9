"""What statistics of builds cost: `python -m tests.benchmarks.build_statistics`.

A month of 100,000 jobs of 2,500 packages on 20 workers, in a real database; the time is that of reading and summarising,
and only processor time counts.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.backends.job_statistics import statistics_of
from ci_toolkit.model.statistics_window import DAY_S, GroupBy, StatisticsWish

JOBS, PACKAGES, WORKERS, DAYS = 100_000, 2_500, 20, 30
NOW_S = 1_763_700_000.0
SLOTS: dict[str | None, int] = {f"w{number}": 2 for number in range(WORKERS)}
_COLUMNS = (
    *("request", "pkgbase", "tree", "epoch_s", "state", "reason", "changed_at", "queued_at", "started_at", "ended_at"),
    *("phases", "log_of", "worker", "recipe", "size_bytes"),
)


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.sqlite"
        JobDatabase(path).close()
        _fill(path)
        print("| window | jobs | by package | by recipe | by worker |")
        print("| --- | ---: | ---: | ---: | ---: |")
        with closing(JobDatabase(path)) as database:
            for days in (1, 7, DAYS):
                measured = [_measured(database, days, by) for by in GroupBy]
                cells = [f"{seconds:.2f} s" for _, seconds in measured]
                print(f"| {days} days | {measured[0][0]:,} | {' | '.join(cells)} |")


def _measured(database: JobDatabase, days: int, by: GroupBy) -> tuple[int, float]:
    wish = StatisticsWish(begin_s=NOW_S - days * DAY_S, by=by)
    began = time.process_time()
    found = statistics_of(database, wish, now_s=NOW_S, kept_days=DAYS, slots=SLOTS)
    return found.total.ended, time.process_time() - began


def _fill(path: Path) -> None:
    chance = random.Random(1)
    states = [*["succeeded"] * 8, "failed", "already built"]
    rows = []
    for number in range(1, JOBS + 1):
        queued_s = NOW_S - DAYS * DAY_S * (1 - number / JOBS)
        begun_s = queued_s + chance.expovariate(1 / 300)
        took_s = round(chance.expovariate(1 / 120), 3)
        phases = json.dumps([["fetch", 0.2], ["sources", 0.3], ["build", took_s], ["package", 1.1]])
        job = ("r", f"package-{number % PACKAGES}", "t", 1, chance.choice(states), "so", queued_s, queued_s, begun_s)
        made = (phases, number, f"w{number % WORKERS}", "makepkg", chance.randrange(1 << 24))
        rows.append((*job, begun_s + took_s + 5, *made))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "INSERT INTO requests (id, source, commit_id, submitted_at, deptree) VALUES ('r', 's', 'c', 1, x'')"
        )
        raw.execute("INSERT INTO folders VALUES ('t', x'')")
        marks = ", ".join("?" for _ in _COLUMNS)
        raw.executemany(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)


if __name__ == "__main__":
    main()
