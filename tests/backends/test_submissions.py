"""What becomes of a schedule that is handed over: once, again, a newer one, and one by which packages are gone."""

from __future__ import annotations

import pytest

from ci_toolkit.backends.job_database import Ending, JobDatabase
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.names import Pkgbase
from tests.support.jobs import COMMIT, bring, folder, folders, job_of, schedule, submit

SRCINFO = "pkgbase = a\n\tpkgver = 1\n\tpkgrel = 1\n\tcheckdepends = python-x>=3\n\tcheckdepends = b\n\npkgname = a\n"


def states(database: JobDatabase, name: str) -> list[JobState]:
    return [job.state for job in database.jobs(JobFilter(packages=frozenset({name})))]


# once and again


def test_what_is_handed_over_is_stored_whole(database: JobDatabase) -> None:
    made = schedule("r1", "a/3", "b", there=("c",), needs={"a": "b"})
    content = {Pkgbase("a"): folder("a", srcinfo=SRCINFO), Pkgbase("b"): folder("b")}
    done = database.submit(made, content, source="pkgs", now_s=5.0)
    one, two = database.jobs()
    assert done.jobs == (one.number, two.number)
    assert (one.pkgbase, one.builder_class, one.request, one.commit, one.queued_at_s) == ("a", "3", "r1", COMMIT, 5.0)
    assert one.also_needs == ("b", "python-x")
    assert (two.pkgbase, two.builder_class, two.also_needs, two.state) == ("b", None, (), JobState.QUEUED)
    assert (database.folder(one.number), database.folder(two.number)) == (content[Pkgbase("a")], folder("b"))
    assert database.deptree() == {record.pkgbase: record for record in made.deptree}


def test_handed_over_again_it_adds_nothing_as_long_as_it_is_not_finished(database: JobDatabase) -> None:
    one, two = submit(database, "r1", "a", "b")
    bring(database, one, JobState.SUCCEEDED)
    done = database.submit(schedule("r1", "a", "b"), folders("ab"), source="pkgs", now_s=9.0)
    assert (done.taken_before, done.jobs, done.replaced) == (True, (), 0)
    assert len(database.jobs()) == 2
    bring(database, two, JobState.FAILED)
    done = database.submit(schedule("r1", "a", "b"), folders("ab"), source="pkgs", now_s=9.0)
    assert (done.taken_before, len(done.jobs)) == (False, 2)


def test_the_same_folder_is_kept_once(database: JobDatabase) -> None:
    submit(database, "r1", "a")
    [second] = submit(database, "r2", "a")
    assert database.folder(second.number) == folder("a")
    assert database._connection.execute("SELECT count(*) FROM folders").fetchone()[0] == 1


def test_the_needs_are_those_of_the_last_schedule_of_each_repository(database: JobDatabase) -> None:
    for number, needs in enumerate(({"a": "b"}, {"a": "c"})):
        made = schedule(f"r{number}", "a", needs=needs)
        database.submit(made, folders("a"), source="pkgs", now_s=1.0)
    database.submit(schedule("other", "z", needs={"z": "a"}), folders("z"), source="others", now_s=1.0)
    # One that is handed over again is not the last for that.
    bring(database, database.jobs(JobFilter(packages=frozenset("a")))[-1], JobState.FAILED)
    database.submit(schedule("r0", "a", needs={"a": "b"}), folders("a"), source="pkgs", now_s=2.0)
    assert {name: record.dependencies for name, record in database.deptree().items()} == {"a": ("c",), "z": ("a",)}


# a newer one


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.WAITING])
def test_a_newer_schedule_replaces_what_has_not_begun_at_once(database: JobDatabase, state: JobState) -> None:
    [old] = submit(database, "r1", "a")
    bring(database, old, state, waits_for="b")
    done = database.submit(schedule("r2", "a"), folders("a", "new"), source="pkgs", now_s=7.0)
    replaced = job_of(database, old.number)
    assert (replaced.state, replaced.ended_at_s, replaced.waits_for) == (JobState.REPLACED, 7.0, None)
    assert replaced.reason == "replaced by schedule r2"
    assert database.transitions(old.number)[-1].new is JobState.REPLACED
    assert (done.replaced, database.endings()) == (1, {})
    assert database.folder(done.jobs[0]) == folder("a", "new")


def test_a_newer_schedule_has_one_that_is_built_end_soon(database: JobDatabase) -> None:
    [old] = submit(database, "r1", "a")
    bring(database, old, JobState.BUILDING)
    [new] = submit(database, "r2", "a")
    assert states(database, "a") == [JobState.BUILDING, JobState.QUEUED]
    wanted = Ending(state=JobState.REPLACED, reason="replaced by schedule r2")
    assert database.endings() == {old.number: wanted}
    submit(database, "r3", "a")
    assert database.endings() == {old.number: Ending(state=JobState.REPLACED, reason="replaced by schedule r3")}
    assert job_of(database, new.number).state is JobState.REPLACED


def test_what_is_being_published_is_not_replaced(database: JobDatabase) -> None:
    [old] = submit(database, "r1", "a")
    bring(database, old, JobState.PUBLISHING)
    done = database.submit(schedule("r2", "a"), folders("a"), source="pkgs", now_s=7.0)
    assert (done.replaced, database.endings()) == (0, {})
    assert states(database, "a") == [JobState.PUBLISHING, JobState.QUEUED]


def test_a_newer_schedule_leaves_the_other_packages_of_the_older_one(database: JobDatabase) -> None:
    submit(database, "r1", "a", "b")
    submit(database, "r2", "a")
    assert [(job.pkgbase, job.state.value) for job in database.jobs()] == [
        ("a", "replaced"),
        ("b", "queued"),
        ("a", "queued"),
    ]


# packages that are gone


def test_a_package_that_is_gone_is_to_be_removed_and_its_jobs_end(database: JobDatabase) -> None:
    waiting, building = submit(database, "r1", "a", "b", there="c")
    bring(database, building, JobState.BUILDING)
    submit(database, "r2", there="c", removed=True)
    assert database.removals() == {"a", "b"}
    ended = job_of(database, waiting.number)
    assert (ended.state, ended.reason) == (JobState.CANCELLED, "its folder is gone")
    assert database.endings() == {building.number: Ending(state=JobState.CANCELLED, reason="its folder is gone")}


def test_a_schedule_that_says_nothing_of_removals_removes_nothing(database: JobDatabase) -> None:
    submit(database, "r1", "a", "b")
    submit(database, "r2", "c")
    assert database.removals() == frozenset()


def test_a_removal_stays_until_it_is_done_and_is_asked_for_once(database: JobDatabase) -> None:
    submit(database, "r1", "a", "b", "c")
    submit(database, "r2", there="c", removed=True)
    submit(database, "r3", there="c", removed=True)
    assert database.removals() == {"a", "b"}
    database.removed(["a"], now_s=300.0)
    assert database.removals() == {"b"}
    submit(database, "r4", there="c", removed=True)
    assert database.removals() == {"b"}


def test_a_package_that_comes_back_is_not_removed(database: JobDatabase) -> None:
    submit(database, "r1", "a", "b")
    submit(database, "r2", there="b", removed=True)
    submit(database, "r3", "a", there="b")
    assert database.removals() == frozenset()
    submit(database, "r4", there="b", removed=True)
    assert database.removals() == {"a"}


def test_only_packages_of_the_same_repository_are_gone_by_its_schedule(database: JobDatabase) -> None:
    submit(database, "r1", "a", source="one")
    [other] = submit(database, "r2", "z", source="two")
    submit(database, "r3", there="b", source="one", removed=True)
    assert database.removals() == {"a"}
    assert job_of(database, other.number).state is JobState.QUEUED


def test_a_package_that_moves_to_another_repository_is_not_removed_whichever_says_so_first(
    database: JobDatabase,
) -> None:
    submit(database, "r1", "a", "b", source="one", there="c")
    submit(database, "r2", "a", source="two")
    submit(database, "r3", there=("b", "c"), source="one", removed=True)
    submit(database, "r4", there="c", source="one", removed=True)
    assert database.removals() == {"b"}
    [job] = submit(database, "r5", "b", source="two", there="a")
    assert database.removals() == frozenset()
    assert job_of(database, job.number).state is JobState.QUEUED
    [moved] = database.jobs(JobFilter(packages=frozenset("a"), states=frozenset({JobState.QUEUED})))
    assert moved.request == "r2"


# again, and not at all


def test_a_job_that_is_tried_again_builds_the_same_folder(database: JobDatabase) -> None:
    made = schedule("r1", "a/5")
    content = {Pkgbase("a"): folder("a", "old", srcinfo=SRCINFO)}
    [number] = database.submit(made, content, source="pkgs", now_s=1.0).jobs
    failed = bring(database, job_of(database, number), JobState.FAILED, version="1-1", phase="build", status=4)
    again = job_of(database, database.retry(failed, now_s=9.0))
    assert again.number > number
    assert (again.state, again.reason) == (JobState.QUEUED, f"job {number} is tried again")
    assert (again.request, again.builder_class, again.also_needs) == ("r1", "5", ("b", "python-x"))
    assert (again.queued_at_s, again.ended_at_s, again.version, again.phase, again.status) == (9.0,) + (None,) * 4
    assert database.folder(again.number) == content[Pkgbase("a")]
    # The schedule is unfinished again.
    assert database.submit(made, content, source="pkgs", now_s=10.0).taken_before


@pytest.mark.parametrize(
    "state", [state for state in JobState if not state.is_over], ids=lambda state: str(state.value)
)
def test_nothing_is_tried_again_while_a_job_of_the_package_is_not_over(database: JobDatabase, state: JobState) -> None:
    [old] = submit(database, "r1", "a")
    old = bring(database, old, JobState.FAILED)
    [new] = submit(database, "r2", "a")
    bring(database, new, state)
    with pytest.raises(RefusedError, match=f"job {new.number} of it is {state.value}") as caught:
        database.retry(old, now_s=9.0)
    assert caught.value.package == "a"
    assert len(database.jobs()) == 2


def test_a_package_whose_folder_is_gone_is_not_tried_again(database: JobDatabase) -> None:
    failed = bring(database, submit(database, "r1", "a", there="b")[0], JobState.FAILED)
    submit(database, "r2", there="b", removed=True)
    with pytest.raises(RefusedError, match="its folder is gone"):
        database.retry(failed, now_s=9.0)
    assert len(database.jobs()) == 1


def test_a_job_that_was_forgotten_is_not_tried_again_nor_cancelled(database: JobDatabase) -> None:
    old = bring(database, submit(database, "r1", "a")[0], JobState.FAILED)
    bring(database, submit(database, "r2", "a")[0], JobState.FAILED)
    database.forget(before_s=1000.0)
    for ask in (lambda: database.retry(old, now_s=9.0), lambda: database.cancel(old, "no", now_s=9.0)):
        with pytest.raises(RefusedError, match=f"job {old.number} is not known any more"):
            ask()


@pytest.mark.parametrize("state", JobState, ids=lambda state: str(state.value))
def test_cancelling_ends_a_job_at_once_soon_or_not_at_all(database: JobDatabase, state: JobState) -> None:
    job = bring(database, submit(database, "r1", "a")[0], state)
    if state.is_over or state is JobState.PUBLISHING:
        with pytest.raises(RefusedError, match=f"job {job.number} is {state.value}"):
            database.cancel(job, "no need", now_s=9.0)
        assert job_of(database, job.number) == job
    elif state is JobState.BUILDING:
        database.cancel(job, "no need", now_s=9.0)
        assert database.endings() == {job.number: Ending(state=JobState.CANCELLED, reason="no need")}
        assert job_of(database, job.number) == job
    else:
        database.cancel(job, "no need", now_s=9.0)
        now = job_of(database, job.number)
        assert (now.state, now.reason, now.ended_at_s) == (JobState.CANCELLED, "no need", 9.0)
        assert database.transitions(job.number)[-1].at_s == 9.0
        assert database.endings() == {}


def test_what_was_to_end_is_not_ended_later_when_it_is_built_once_more(database: JobDatabase) -> None:
    """A build that its machine ended first: the wish is fulfilled before it begins again."""
    job = bring(database, submit(database, "r1", "a")[0], JobState.BUILDING)
    database.cancel(job, "no need", now_s=9.0)
    assert not database.move(job, JobState.QUEUED, "the backend was stopped", now_s=10.0)
    now = job_of(database, job.number)
    assert (now.state, now.reason) == (JobState.CANCELLED, "no need")


def test_what_was_to_end_is_not_published_however_late_that_was_said(database: JobDatabase) -> None:
    job = bring(database, submit(database, "r1", "a")[0], JobState.BUILDING)
    submit(database, "r2", "a")
    assert not database.move(job, JobState.PUBLISHING, "it is built", now_s=10.0)
    now = job_of(database, job.number)
    assert (now.state, now.reason, now.ended_at_s) == (JobState.REPLACED, "replaced by schedule r2", 10.0)
    assert database.endings() == {}


# keeping it small


def test_forgetting_keeps_the_last_job_of_each_package_and_whatever_is_not_old(database: JobDatabase) -> None:
    for number in range(3):
        bring(database, submit(database, f"r{number}", "a", text=str(number))[0], JobState.SUCCEEDED, now_s=number)
    [unfinished] = submit(database, "r9", "b", now_s=0.0)
    gone = database.forget(before_s=1.5)
    assert [job.request for job in gone] == ["r0", "r1"]
    assert [job.request for job in database.jobs()] == ["r2", "r9"]
    assert database.transitions(gone[0].number) == ()
    assert database.folder(unfinished.number) == folder("b")
    count = "SELECT (SELECT count(*) FROM folders) + (SELECT count(*) FROM requests)"
    assert database._connection.execute(count).fetchone()[0] == 2 + 2
    assert database.forget(before_s=100.0) == ()


def test_forgetting_keeps_jobs_whose_log_another_links_to(database: JobDatabase) -> None:
    first = bring(database, submit(database, "r0", "a")[0], JobState.SUCCEEDED, now_s=1.0, log_of=1)
    second = submit(database, "r1", "a")[0]
    bring(database, second, JobState.ALREADY_BUILT, now_s=2.0, log_of=first.number)
    assert database.forget(before_s=100.0) == ()
    bring(database, submit(database, "r2", "a")[0], JobState.SUCCEEDED, now_s=3.0, log_of=3)
    forgotten = {job.number for job in database.forget(before_s=100.0) + database.forget(before_s=100.0)}
    assert forgotten == {first.number, second.number}


def test_forgetting_does_not_forget_what_failed_last(database: JobDatabase) -> None:
    failed = bring(database, submit(database, "r0", "a")[0], JobState.FAILED, now_s=1.0)
    bring(database, submit(database, "r1", "a")[0], JobState.CANCELLED, now_s=2.0)
    bring(database, submit(database, "r2", "a")[0], JobState.REPLACED, now_s=3.0)
    assert database.failures() == {"a": failed}
    assert [job.request for job in database.forget(before_s=100.0)] == ["r1"]
    assert database.failures() == {"a": failed}


def test_a_success_makes_an_earlier_failure_nothing_to_look_at(database: JobDatabase) -> None:
    bring(database, submit(database, "r0", "a")[0], JobState.TIMED_OUT)
    assert database.failures().keys() == {"a"}
    bring(database, submit(database, "r1", "a")[0], JobState.SKIPPED)
    assert database.failures().keys() == {"a"}
    bring(database, submit(database, "r2", "a")[0], JobState.SUCCEEDED)
    assert database.failures() == {}


def test_jobs_are_chosen_by_package_number_state_and_as_the_last(database: JobDatabase) -> None:
    bring(database, submit(database, "r0", "a")[0], JobState.FAILED)
    two, three = submit(database, "r1", "a", "b")

    def numbers(**chosen: object) -> list[int]:
        return [job.number for job in database.jobs(JobFilter(**chosen))]  # type: ignore[arg-type]  # any of them

    assert numbers() == [1, 2, 3]
    assert numbers(newest=True) == [two.number, three.number]
    assert numbers(packages=frozenset({"a"})) == [1, 2]
    assert numbers(packages=frozenset({"a"}), newest=True) == [2]
    assert numbers(states=frozenset({JobState.FAILED})) == [1]
    assert numbers(numbers=frozenset({2, 99})) == [2]
    assert numbers(packages=frozenset({"none"})) == []
    assert [job.number for job in database.unfinished()] == [2, 3]
