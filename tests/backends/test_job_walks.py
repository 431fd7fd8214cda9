"""Whatever is done to jobs in whatever order, some things always hold."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.job import FOLLOWING, Job, JobFilter, JobState
from ci_toolkit.scheduling.dependencies import edges
from ci_toolkit.scheduling.queue import Capacity, Needs, next_turns
from tests.support.jobs import folders, schedule

NAMES = ("a", "b", "c")
SOURCES = ("one", "two")
WAITING = (JobState.QUEUED, JobState.WAITING)
IN_HAND = (JobState.BUILDING, JobState.PUBLISHING)
NUMBERS = st.integers(0, 1000)
SUBMISSIONS = st.tuples(
    st.just("submit"), st.frozensets(st.sampled_from(NAMES)), st.sampled_from(SOURCES), st.integers(0, 5), st.booleans()
)
OTHERS = st.tuples(
    st.sampled_from(("cancel", "retry", "begin", "end", "publish", "stop", "forget", "removed")), NUMBERS
)
WALKS = st.lists(st.one_of(SUBMISSIONS, OTHERS), max_size=40)


class Walk:
    """Takes steps as the backend and its users do, and notes what must not change."""

    def __init__(self, database: JobDatabase) -> None:
        self.database = database
        self.now_s = 0.0
        self.known: dict[int, Job] = {}

    def take(self, step: tuple[object, ...]) -> None:
        self.now_s += 1.0
        match step:
            case ("submit", frozenset() as names, str(source), int(request), bool(removed)):
                self.submit(sorted(names), source, request, removed=removed)
            case ("forget", _):
                self.forget()
            case ("removed", _):
                self.database.removed(self.database.removals(), now_s=300.0)
            case (str(what), int(number)):
                self.one(what, number)

    def submit(self, names: list[str], source: str, request: int, *, removed: bool) -> None:
        made = schedule(f"{source} {request} {names}", *names, removed=removed)
        done = self.database.submit(made, folders(names, str(request)), source=source, now_s=self.now_s)
        assert len(done.jobs) == (0 if done.taken_before else len(names))
        assert not (self.database.removals() & set(names)) or done.taken_before

    def forget(self) -> None:
        newest, failures = self.database.jobs(JobFilter(newest=True)), self.database.failures()
        gone = self.database.forget(before_s=self.now_s - 5)
        assert all(job.state.is_over for job in gone)
        assert self.database.jobs(JobFilter(newest=True)) == newest
        assert self.database.failures() == failures
        for job in gone:
            self.known.pop(job.number, None)

    def one(self, what: str, number: int) -> None:
        moves = {
            "end": (JobState.BUILDING, (JobState.PUBLISHING, JobState.FAILED, JobState.SKIPPED, JobState.TIMED_OUT)),
            "publish": (JobState.PUBLISHING, (JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED)),
            "stop": (JobState.BUILDING, (JobState.QUEUED,)),
        }
        if what == "begin":
            self.begin()
        elif what in moves:
            old, following = moves[what]
            for job in self.chosen(number, old):
                is_free = job.number not in self.database.endings()
                assert self.database.move(job, following[number % len(following)], what, now_s=self.now_s) == is_free
        else:
            for job in self.chosen(number, *JobState):
                self.ask(what, job)

    def chosen(self, number: int, *states: JobState) -> list[Job]:
        """One of the jobs in these states, if there are any."""
        jobs = self.database.jobs(JobFilter(states=frozenset(states)))
        return [jobs[number % len(jobs)]] if jobs else []

    def ask(self, what: str, job: Job) -> None:
        with suppress(RefusedError):
            if what == "cancel":
                self.database.cancel(job, "no need", now_s=self.now_s)
            else:
                self.database.retry(job, now_s=self.now_s)

    def begin(self) -> None:
        jobs = self.database.unfinished()
        turns = next_turns(
            jobs,
            Needs(edges(self.database.deptree().values())),
            failures=self.database.failures(),
            published=(),
            places=Capacity(slots=2, classes={}, host="host"),
        )
        for job in turns.begun:
            if job.state is JobState.WAITING:
                self.database.move(job, JobState.QUEUED, "it is there", now_s=self.now_s)
            [now] = self.database.jobs(JobFilter(numbers=frozenset({job.number})))
            assert self.database.move(now, JobState.BUILDING, "its turn", now_s=self.now_s)

    def came_back(self, job: Job) -> bool:
        """Whether its packages could not be published, while another one may have been scheduled."""
        return any(step.old is JobState.PUBLISHING for step in self.database.transitions(job.number))

    def look(self) -> None:
        """What holds at any moment."""
        jobs = self.database.jobs()
        waiting = Counter(job.pkgbase for job in jobs if job.state in WAITING and not self.came_back(job))
        in_hand = Counter(job.pkgbase for job in jobs if job.state in IN_HAND)
        assert max([*waiting.values(), *in_hand.values()], default=0) <= 1
        for job in jobs:
            steps = self.database.transitions(job.number)
            assert (steps[0].old, steps[0].new) == (None, JobState.QUEUED)
            assert (steps[-1].new, steps[-1].reason) == (job.state, job.reason)
            assert [step.old for step in steps[1:]] == [step.new for step in steps[:-1]]
            assert all(step.new in FOLLOWING[step.old] for step in steps if step.old is not None)
            assert [step.at_s for step in steps] == sorted(step.at_s for step in steps)
            assert (job.ended_at_s is not None) == job.state.is_over
            assert self.database.folder(job.number).files
            before = self.known.get(job.number)
            assert before is None or not before.state.is_over or before == job
        assert self.known.keys() <= {job.number for job in jobs}
        self.known = {job.number: job for job in jobs}
        assert all(job.state is JobState.BUILDING for job in jobs if job.number in self.database.endings())


@settings(max_examples=60)
@given(WALKS)
def test_on_any_walk_states_and_records_agree_and_a_package_is_in_hand_once(walk: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as name, closing(JobDatabase(Path(name) / "jobs.sqlite")) as database:
        walker = Walk(database)
        for step in walk:
            walker.take(step)
            walker.look()
        assert database._connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_walk_gets_everywhere(database: JobDatabase) -> None:
    """The steps above are not all refused."""
    walker, seen, chance = Walk(database), set[JobState](), random.Random(1)
    for number in range(60):
        names = frozenset(chance.sample(NAMES, 2))
        walker.take(("submit", names, SOURCES[number % 2], number % 6, number % 5 == 0))
        for what in (
            "begin",
            "end",
            "publish",
            "begin",
            "cancel",
            "retry",
            "begin",
            "end",
            "stop",
            "removed",
            "forget",
        ):
            walker.take((what, chance.randrange(1000)))
            seen |= {job.state for job in database.jobs()}
        walker.look()
    assert seen == set(JobState) - {JobState.WAITING, JobState.ALREADY_BUILT}
