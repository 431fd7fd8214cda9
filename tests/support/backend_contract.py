"""What every build backend must do: classes of tests that need the fixtures `backend` and `tools`.

`backend` is one that nothing was handed to yet, `tools` what it is handed (`BackendTools`). One whose jobs other programs
keep takes `HandingOverContract`, by which it refuses whatever is about jobs, every other one `BackendContract`. Jobs may
begin at once, so that what has to come is waited for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import pytest

from ci_toolkit.backends.spec import KnowsArtifacts, KnowsStatistics, PurgesJobs
from ci_toolkit.errors import GitError, HandOverError, NotReadyError, RefusedError
from ci_toolkit.model.job import FOLLOWING, Job, JobFilter, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.statistics_window import StatisticsWish
from ci_toolkit.plugins import load_backend
from tests.support.jobs import COMMIT, folders, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ci_toolkit.backends.spec import Backend, BackendTools, PackageFolder
    from ci_toolkit.scheduling.schedule import Schedule

_SOON_S = 30.0


class Folders:
    """Gives folders whose content is `text`, and notes which were asked for."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.asked: set[str] = set()

    def __call__(self, packages: Iterable[Pkgbase], /) -> dict[Pkgbase, PackageFolder]:
        names = list(packages)
        self.asked |= set(names)
        return folders(names, self.text)


def no_folders(packages: Iterable[Pkgbase], /) -> dict[Pkgbase, PackageFolder]:
    raise GitError(f"{', '.join(packages)} cannot be read")


class _ScheduleContract:
    """Schedules, which all backends take."""

    keeps_jobs: ClassVar[bool]

    def test_it_is_registered_under_its_name(self, backend: Backend) -> None:
        assert type(load_backend(backend.name)) is type(backend)

    @pytest.mark.parametrize("name", ["paru", "lib32-glibc", "gtk2+extra", "python-x.y", "7zip", "a"])
    def test_ordinary_names_are_built(self, backend: Backend, name: str) -> None:
        assert backend.name_fault(Pkgbase(name)) is None

    @pytest.mark.parametrize("name", ["Upper", "at@sign", "x" * 300])
    def test_a_name_that_it_would_not_build_is_explained(self, backend: Backend, name: str) -> None:
        fault = backend.name_fault(Pkgbase(name))
        assert fault is None or len(fault) > 10

    def test_a_schedule_is_acknowledged_in_a_sentence_and_only_its_folders_are_read(
        self, backend: Backend, tools: BackendTools
    ) -> None:
        reader = Folders()
        said = backend.submit(schedule("r1", "a", "b/2", there=("c",), needs={"a": "b"}), reader, tools)
        assert said.isprintable()
        assert said
        assert reader.asked <= {"a", "b"}
        jobs = self.jobs(backend, tools)
        assert [(job.pkgbase, job.builder_class) for job in jobs] in ([], [("a", None), ("b", "2")])

    def test_a_schedule_of_removals_alone_is_acknowledged(self, backend: Backend, tools: BackendTools) -> None:
        backend.submit(schedule("r1", "a", there=("b",)), Folders(), tools)
        assert backend.submit(schedule("r2", there=("b",), removed=True), Folders(), tools)

    def test_the_same_schedule_again_is_acknowledged_and_builds_nothing_twice(
        self, backend: Backend, tools: BackendTools
    ) -> None:
        made = schedule("r1", "a", "b")
        for _ in range(2):
            assert backend.submit(made, Folders(), tools)
        numbers = [job.number for job in self.jobs(backend, tools)]
        assert len(numbers) in (0, 2)
        assert len(set(numbers)) == len(numbers)

    def test_without_folders_it_takes_all_or_nothing(self, backend: Backend, tools: BackendTools) -> None:
        try:
            backend.submit(schedule("r1", "a"), no_folders, tools)
        except HandOverError as error:
            said = str(error)
        else:
            return
        assert "a cannot be read" in said
        assert self.jobs(backend, tools) == ()

    def jobs(self, backend: Backend, tools: BackendTools) -> tuple[Job, ...]:
        """All jobs; none where others keep them."""
        return backend.jobs(JobFilter(), tools) if self.keeps_jobs else ()


class HandingOverContract(_ScheduleContract):
    """Subclass it for a backend that hands everything over to a program that keeps the jobs."""

    keeps_jobs = False

    def test_what_it_cannot_tell_or_do_it_refuses_with_a_hint(self, backend: Backend, tools: BackendTools) -> None:
        job = Job(
            number=1,
            pkgbase=Pkgbase("a"),
            state=JobState.QUEUED,
            reason="",
            request="r1",
            commit=COMMIT,
            builder_class=None,
            queued_at_s=0.0,
        )
        asked: tuple[Callable[[], object], ...] = (
            lambda: backend.jobs(JobFilter(), tools),
            lambda: backend.transitions(job, tools),
            lambda: backend.cancel(job, "no need", tools),
            lambda: backend.retry(job, tools),
            lambda: backend.log(job, tools, follow=False),
            lambda: backend.log(job, tools, follow=True),
        )
        for ask in asked:
            with pytest.raises(RefusedError) as caught:
                ask()
            assert caught.value.hint


class BackendContract(_ScheduleContract):
    """Subclass it where `backend` and `tools` are fixtures."""

    keeps_jobs = True

    def test_statistics_if_it_has_any_count_what_ended(self, backend: Backend, tools: BackendTools) -> None:
        if not isinstance(backend, KnowsStatistics):
            pytest.skip("it keeps no statistics")
        wish = StatisticsWish(begin_s=tools.clock.now() - 3_600)
        assert backend.statistics(wish, tools).total.ended == 0
        backend.submit(schedule("r1", "a", "b"), Folders(), tools)
        for job in backend.jobs(JobFilter(packages=frozenset({"a"})), tools):
            backend.cancel(job, "no need", tools)
        tools.clock.sleep(0.1)
        ended = [job.pkgbase for job in backend.jobs(JobFilter(), tools) if job.state.is_over]
        found = backend.statistics(wish, tools)
        assert found.total.ended == len(ended)
        assert found.queue.at_end <= 2 - len(ended)
        with pytest.raises(RefusedError):
            backend.statistics(StatisticsWish(begin_s=tools.clock.now() + 3_600), tools)

    def test_what_a_job_made_is_told_if_it_is_known(self, backend: Backend, tools: BackendTools) -> None:
        if not isinstance(backend, KnowsArtifacts):
            pytest.skip("it knows of no artifacts")
        [job] = self.submitted(backend, tools, schedule("r1", "a"))
        backend.cancel(job, "no need", tools)
        assert backend.artifacts(self.ended(backend, tools, job), tools) == ()

    def test_purging_if_it_can_forgets_what_ended_before_and_is_not_the_last(
        self, backend: Backend, tools: BackendTools
    ) -> None:
        if not isinstance(backend, PurgesJobs):
            pytest.skip("it forgets jobs by itself alone")
        assert backend.purge(tools.clock.now() - 1, tools, dry_run=False) == ()
        [old] = self.submitted(backend, tools, schedule("r1", "a"))
        for number in (2, 3):
            backend.submit(schedule(f"r{number}", "a"), Folders(str(number)), tools)
        self.ended(backend, tools, old)
        tools.clock.sleep(0.1)
        before_s = tools.clock.now()
        with pytest.raises(RefusedError) as caught:
            backend.purge(before_s + 3_600, tools, dry_run=False)
        assert caught.value.hint
        there = backend.jobs(JobFilter(), tools)
        told = backend.purge(before_s, tools, dry_run=True)
        assert old.number in {job.number for job in told}
        assert all(job.state.is_over for job in told)
        assert backend.jobs(JobFilter(), tools) == there
        assert backend.purge(before_s, tools, dry_run=False) == told
        assert backend.jobs(JobFilter(), tools) == tuple(job for job in there if job not in told)
        assert there[-1].pkgbase in {job.pkgbase for job in backend.jobs(JobFilter(), tools)}
        assert backend.purge(before_s, tools, dry_run=False) == ()

    def test_without_a_schedule_there_is_no_job(self, backend: Backend, tools: BackendTools) -> None:
        assert backend.jobs(JobFilter(), tools) == ()

    def test_jobs_are_told_with_what_was_scheduled(self, backend: Backend, tools: BackendTools) -> None:
        one, two = self.submitted(backend, tools, schedule("r1", "a/2", "b"))
        assert one.number < two.number
        assert (one.pkgbase, one.builder_class, one.request, one.commit) == ("a", "2", "r1", COMMIT)
        assert (two.pkgbase, two.builder_class) == ("b", None)
        assert one.reason
        assert one.queued_at_s <= tools.clock.now()

    def test_jobs_are_chosen(self, backend: Backend, tools: BackendTools) -> None:
        first = self.submitted(backend, tools, schedule("r1", "a", "b"))
        backend.submit(schedule("r2", "a"), Folders("newer"), tools)
        *_, last = backend.jobs(JobFilter(), tools)

        def numbers(wanted: JobFilter) -> list[int]:
            return [job.number for job in backend.jobs(wanted, tools)]

        assert numbers(JobFilter()) == [first[0].number, first[1].number, last.number]
        assert numbers(JobFilter(newest=True)) == [first[1].number, last.number]
        assert numbers(JobFilter(packages=frozenset({"a"}))) == [first[0].number, last.number]
        assert numbers(JobFilter(packages=frozenset({"a"}), newest=True)) == [last.number]
        assert numbers(JobFilter(numbers=frozenset({last.number}))) == [last.number]
        assert numbers(JobFilter(packages=frozenset({"none"}))) == []

    def test_a_newer_schedule_replaces_an_older_job_soon(self, backend: Backend, tools: BackendTools) -> None:
        [old] = self.submitted(backend, tools, schedule("r1", "a"))
        backend.submit(schedule("r2", "a"), Folders("newer"), tools)
        over = self.ended(backend, tools, old)
        assert over.state is JobState.REPLACED
        new = self.jobs(backend, tools)[-1]
        assert (new.request, new.state is JobState.REPLACED) == ("r2", False)

    def test_a_cancelled_job_ends_soon_and_is_not_cancelled_twice(self, backend: Backend, tools: BackendTools) -> None:
        [job] = self.submitted(backend, tools, schedule("r1", "a"))
        backend.cancel(job, "somebody does not want it", tools)
        over = self.ended(backend, tools, job)
        assert (over.state, over.reason) == (JobState.CANCELLED, "somebody does not want it")
        with pytest.raises(RefusedError) as caught:
            backend.cancel(over, "again", tools)
        assert caught.value.package == "a"

    def test_a_job_is_tried_again_once_it_is_over(self, backend: Backend, tools: BackendTools) -> None:
        [job] = self.submitted(backend, tools, schedule("r1", "a/2"))
        with pytest.raises(RefusedError) as caught:
            backend.retry(job, tools)
        assert caught.value.package == "a"
        backend.cancel(job, "no need", tools)
        self.ended(backend, tools, job)
        number = backend.retry(job, tools)
        assert number > job.number
        [again] = backend.jobs(JobFilter(numbers=frozenset({number})), tools)
        assert (again.pkgbase, again.builder_class, again.commit) == ("a", "2", COMMIT)

    def test_every_step_of_a_job_is_told(self, backend: Backend, tools: BackendTools) -> None:
        [job] = self.submitted(backend, tools, schedule("r1", "a"))
        backend.cancel(job, "no need", tools)
        over = self.ended(backend, tools, job)
        steps = backend.transitions(over, tools)
        assert steps[0].old is None
        assert (steps[-1].new, steps[-1].reason) == (JobState.CANCELLED, "no need")
        assert all(step.reason for step in steps)
        assert [step.old for step in steps[1:]] == [step.new for step in steps[:-1]]
        assert all(step.new in FOLLOWING[step.old] for step in steps if step.old is not None)
        assert [step.at_s for step in steps] == sorted(step.at_s for step in steps)

    @pytest.mark.parametrize("follow", [False, True])
    def test_a_job_that_never_began_has_no_log(self, backend: Backend, tools: BackendTools, *, follow: bool) -> None:
        [job] = self.submitted(backend, tools, schedule("r1", "a"))
        backend.cancel(job, "no need", tools)
        over = self.ended(backend, tools, job)
        if over.log_of is None:
            with pytest.raises(NotReadyError) as caught:
                list(backend.log(over, tools, follow=follow))
            assert caught.value.package == "a"

    def submitted(self, backend: Backend, tools: BackendTools, made: Schedule) -> tuple[Job, ...]:
        """The jobs of a schedule that is handed over."""
        backend.submit(made, Folders(), tools)
        return self.jobs(backend, tools)

    def ended(self, backend: Backend, tools: BackendTools, job: Job) -> Job:
        """A job once it is over."""
        end = time.monotonic() + _SOON_S
        while True:
            [now] = backend.jobs(JobFilter(numbers=frozenset({job.number})), tools)
            if now.state.is_over:
                return now
            assert time.monotonic() < end, now
            time.sleep(0.05)
