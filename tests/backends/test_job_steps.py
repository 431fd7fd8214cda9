"""Which steps a job can take: through the program, and past it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.model.job import FOLLOWING, JobState
from tests.support.jobs import bring, job_of, submit

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.backends.job_database import JobDatabase

PAIRS = list(itertools.product(JobState, JobState))
OVER = {
    JobState.SUCCEEDED,
    JobState.FAILED,
    JobState.SKIPPED,
    JobState.ALREADY_BUILT,
    JobState.TIMED_OUT,
    JobState.CANCELLED,
    JobState.REPLACED,
}


def test_every_state_says_what_may_follow_and_is_over_when_nothing_may() -> None:
    assert FOLLOWING.keys() == set(JobState)
    assert {state for state in JobState if state.is_over} == OVER
    assert {state for state in JobState if state.is_good or state.is_failure} < OVER
    assert not any(state.is_good and state.is_failure for state in JobState)


def test_from_everywhere_an_end_can_be_reached_and_a_build_that_did_not_happen_is_no_success() -> None:
    for state in JobState:
        reached = {state}
        while more := {follower for one in reached for follower in FOLLOWING[one]} - reached:
            reached |= more
        assert reached & OVER
    assert not any(JobState.SUCCEEDED in FOLLOWING[state] for state in JobState if state is not JobState.PUBLISHING)


def test_exactly_the_legal_steps_can_be_taken_and_each_is_recorded(database: JobDatabase) -> None:
    for number, (old, new) in enumerate(PAIRS):
        [job] = submit(database, f"r{number}", f"p{number}")
        job = bring(database, job, old, now_s=200.0)
        before = database.transitions(job.number)
        if new in FOLLOWING[old]:
            assert database.move(job, new, f"because {number}", now_s=300.0 + number)
            *earlier, last = database.transitions(job.number)
            assert tuple(earlier) == before
            assert (last.old, last.new, last.reason, last.at_s) == (old, new, f"because {number}", 300.0 + number)
            now = job_of(database, job.number)
            assert (now.state, now.reason) == (new, f"because {number}")
            assert (now.ended_at_s is not None) == new.is_over
        else:
            with pytest.raises(ValueError, match=f"{old.value} to {new.value}"):
                database.move(job, new, "no", now_s=300.0)
            assert job_of(database, job.number) == job
            assert database.transitions(job.number) == before


def test_another_program_can_take_the_same_steps_alone_and_they_are_recorded_too(
    database: JobDatabase, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        for number, (old, new) in enumerate(PAIRS):
            [job] = submit(database, f"r{number}", f"p{number}")
            job = bring(database, job, old)
            before = database.transitions(job.number)
            question = "UPDATE jobs SET state = ?, reason = 'by hand', changed_at = 400 WHERE number = ?"
            if new in FOLLOWING[old]:
                foreign.execute(question, (new.value, job.number))
                last = database.transitions(job.number)[-1]
                assert (last.old, last.new, last.reason, last.at_s) == (old, new, "by hand", 400.0)
            else:
                with pytest.raises(sqlite3.IntegrityError, match="illegal transition"):
                    foreign.execute(question, (new.value, job.number))
                assert job_of(database, job.number) == job
                assert database.transitions(job.number) == before


def test_the_first_step_is_recorded_with_its_reason(database: JobDatabase) -> None:
    [job] = submit(database, "r", "p", now_s=123.5)
    [first] = database.transitions(job.number)
    assert (first.old, first.new, first.reason, first.at_s) == (None, JobState.QUEUED, "it was scheduled", 123.5)


def test_a_step_from_where_the_job_is_not_any_more_is_not_taken(database: JobDatabase) -> None:
    [job] = submit(database, "r", "p")
    assert database.move(job, JobState.BUILDING, "one", now_s=1.0)
    assert not database.move(job, JobState.BUILDING, "two", now_s=2.0)
    assert [step.reason for step in database.transitions(job.number)] == ["it was scheduled", "one"]


def test_facts_go_with_a_step_and_others_than_the_known_ones_are_refused(database: JobDatabase) -> None:
    [job] = submit(database, "r", "p")
    assert database.move(job, JobState.WAITING, "needs q", now_s=1.0, waits_for="q")
    waiting = job_of(database, job.number)
    assert waiting.waits_for == "q"
    with pytest.raises(ValueError, match="pkgbase"):
        database.move(waiting, JobState.QUEUED, "no", now_s=2.0, pkgbase="other")
    assert database.move(waiting, JobState.CANCELLED, "no need", now_s=3.0)
    over = job_of(database, job.number)
    assert (over.waits_for, over.ended_at_s) == (None, 3.0)


def test_what_a_build_told_is_kept(database: JobDatabase) -> None:
    [job] = submit(database, "r", "p")
    database.move(job, JobState.BUILDING, "its turn", now_s=10.0, started_at=10.0, log_of=job.number)
    database.set_phase(job.number, "build")
    assert job_of(database, job.number).phase == "build"
    facts = {"version": "1-1", "phases": '[["build", 1.5]]', "interference": '["PKGBUILD.append"]', "build": "abc"}
    database.move(job_of(database, job.number), JobState.PUBLISHING, "it is built", now_s=20.0, **facts)
    database.move(job_of(database, job.number), JobState.SUCCEEDED, "it is published", now_s=30.0)
    done = job_of(database, job.number)
    assert (done.version, done.phases, done.interference) == ("1-1", (("build", 1.5),), ("PKGBUILD.append",))
    assert (done.seconds, done.log_of, database.build_of(job.number)) == (1.5, job.number, "abc")


def test_another_reason_is_no_step(database: JobDatabase) -> None:
    [job] = submit(database, "r", "p")
    database.explain(job, "no slot is free")
    assert job_of(database, job.number).reason == "no slot is free"
    assert len(database.transitions(job.number)) == 1
