"""A build farm over gRPC: the same that `buildbot` does over its JSON API.

What is spoken is in `build_service.proto` beside this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import grpc

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.backends.build_service.connection import FaultError, connected, telling, what_to_do
from ci_toolkit.backends.build_service.messages import (
    parse_artifact,
    parse_job,
    parse_state,
    parse_step,
    parse_worker,
    state_name,
)
from ci_toolkit.backends.build_service.schedule_parts import schedule_messages
from ci_toolkit.backends.build_service.statistics_messages import group_message, parse_statistics
from ci_toolkit.backends.handed_schedule import HandedSchedule
from ci_toolkit.errors import HandOverError, NotReadyError, RefusedError, ToolkitError
from ci_toolkit.formats.worker_record import worker_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ci_toolkit.backends.build_service.connection import Connection
    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import Job, JobFilter, Transition
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.news import ReviewCounts
    from ci_toolkit.model.statistics_window import StatisticsWish
    from ci_toolkit.scheduling.schedule import Schedule

_AT_ONCE = 1_000  # packages or jobs that one request names
_SUBMITTING_S = 600.0
_LOOK_S = 0.3
# A farm that is started anew is there again sooner; its builds go on meanwhile.
_ABSENCE_S = 120.0


class BuildServiceBackend:
    """Speaks to the build service at CI_FARM_URL, as the client whose token is in CI_FARM_TOKEN."""

    name: ClassVar[str] = "build_service"
    keeps_order: ClassVar[bool] = True
    builds_described: ClassVar[bool] = True

    def name_fault(self, pkgbase: Pkgbase) -> str | None:  # noqa: ARG002 - every name of a package will do
        """None: it builds whatever a package can be called."""
        return None

    def submit(self, schedule: Schedule, folders: FolderReader, tools: BackendTools) -> str:
        """Hand the schedule in; the farm has it on disk when this returns, and takes it once however often it comes."""
        try:
            read = folders(build.pkgbase for build in schedule.builds)
            handed = HandedSchedule(schedule=schedule, at_s=tools.clock.now(), folders=read)
            with connected(tools) as farm:
                said = farm.again(lambda: _handed_in(farm, handed, tools))
        except FaultError as error:
            problem = f"the farm did not take the schedule: {error.said}"
            raise HandOverError(problem, hint=what_to_do(error)) from error
        except ToolkitError as error:
            raise HandOverError(f"the farm did not take the schedule: {error.what}") from error
        if not said or not said.isprintable():
            raise HandOverError("the farm did not take the schedule: it acknowledges nothing")
        return said

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:
        """The jobs that are meant, oldest first."""
        found: dict[int, Job] = {}
        with telling(tools) as farm:
            for packages in _in_parts(sorted(wanted.packages)):
                for numbers in _in_parts(sorted(wanted.numbers)):
                    request = pb.ListJobsRequest(
                        repository=tools.settings.repo_name,
                        packages=packages,
                        states=[state_name(state) for state in wanted.states],
                        numbers=numbers,
                        newest=wanted.newest,
                    )
                    parts = farm.again(lambda request=request: list(farm.parts("ListJobs", request)))  # type: ignore[misc]  # this very one
                    found |= {job.number: job for job in _jobs(parts)}
        return tuple(job for _, job in sorted(found.items()))

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:
        """Every step of a job."""
        request = pb.GetTransitionsRequest(repository=tools.settings.repo_name, job=job.number)
        with telling(tools, job) as farm:
            answer = farm.again(lambda: farm.ask("GetTransitions", request))
        return tuple(map(parse_step, answer.transitions))

    def artifacts(self, job: Job, tools: BackendTools) -> tuple[Artifact, ...]:
        """What a job made."""
        request = pb.GetArtifactsRequest(repository=tools.settings.repo_name, job=job.number)
        with telling(tools, job) as farm:
            answer = farm.again(lambda: farm.ask("GetArtifacts", request))
        return tuple(map(parse_artifact, answer.artifacts))

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:
        """End a job: one that waits at once, one that is built within seconds."""
        request = pb.CancelJobRequest(repository=tools.settings.repo_name, job=job.number, reason=reason)
        with telling(tools, job) as farm:
            farm.ask("CancelJob", request)

    def retry(self, job: Job, tools: BackendTools) -> int:
        """The number of a new job for the same folder."""
        request = pb.RetryJobRequest(repository=tools.settings.repo_name, job=job.number)
        with telling(tools, job) as farm:
            number: int = farm.ask("RetryJob", request).job
        return number

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:
        """The log in pieces, with `follow` until the job is over, also if the farm is started anew meanwhile."""
        request = pb.StreamLogRequest(repository=tools.settings.repo_name, job=job.number, follow=follow)
        with telling(tools, job) as farm:
            absent_since, state = None, 0
            while True:
                try:
                    for piece in farm.parts("StreamLog", request, timeout_s=None):
                        absent_since, state = None, piece.state
                        request.from_byte = max(request.from_byte, piece.next_byte)
                        if piece.text:
                            yield piece.text
                        if piece.is_last:
                            return
                except FaultError as error:
                    now = tools.clock.monotonic()
                    absent_since = now if absent_since is None else absent_since
                    if not (follow and error.is_passing) or now - absent_since > _ABSENCE_S:
                        raise
                if not follow:
                    if request.from_byte == 0:
                        problem = f"job {job.number} has no log: it is {parse_state(state).value}"
                        raise NotReadyError(problem, package=job.pkgbase, hint="it has one once it is built")
                    return
                tools.clock.sleep(_LOOK_S)

    def statistics(self, wish: StatisticsWish, tools: BackendTools) -> BuildStatistics:
        """What the farm tells of a time, by its own clock where that has not ended."""
        request = pb.GetStatisticsRequest(
            repository=tools.settings.repo_name,
            since_s=max(0.0, wish.begin_s),
            until_s=wish.end_s,
            by=group_message(wish.by),
            packages=sorted(wish.packages),
        )
        with telling(tools) as farm:
            try:
                return parse_statistics(farm.again(lambda: farm.ask("GetStatistics", request)))
            except FaultError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                raise RefusedError(error.said, hint=error.hint) from error

    # for those who look after the farm

    def purge(self, before_s: float, tools: BackendTools, *, dry_run: bool) -> tuple[Job, ...]:
        """Have the farm forget jobs, which takes the token of a client that operates it."""
        request = pb.PurgeJobsRequest(repository=tools.settings.repo_name, before_s=before_s, dry_run=dry_run)
        with telling(tools) as farm:
            return _jobs(list(farm.parts("PurgeJobs", request)))

    def workers(self, tools: BackendTools) -> list[dict[str, Any]]:
        """Every machine of the farm."""
        with telling(tools) as farm:
            answer = farm.again(lambda: farm.ask("ListWorkers", pb.ListWorkersRequest()))
        return [worker_record(parse_worker(worker)) for worker in answer.workers]

    def drain(self, worker: str, reason: str, tools: BackendTools) -> str:
        """Have a worker finish what it builds and take nothing more; what the farm says to that."""
        with telling(tools) as farm:
            return str(farm.ask("DrainWorker", pb.DrainWorkerRequest(worker=worker, reason=reason)).said)

    def resume(self, worker: str, tools: BackendTools) -> str:
        """Have a worker take builds again; what the farm says to that."""
        with telling(tools) as farm:
            return str(farm.ask("ResumeWorker", pb.ResumeWorkerRequest(worker=worker)).said)

    def note_checks(self, counts: Mapping[str, Mapping[str, int]], reviews: ReviewCounts, tools: BackendTools) -> None:
        """Have the farm's metrics count them."""
        request = pb.NoteChecksRequest(
            repository=tools.settings.repo_name,
            source=tools.settings.build_repo,
            counts=[
                pb.CheckCount(kind=kind, outcome=outcome, count=count)
                for kind, outcomes in counts.items()
                for outcome, count in outcomes.items()
            ],
            reviews_open=reviews.open,
            reviews_opened=reviews.opened,
        )
        with telling(tools) as farm:
            farm.ask("NoteChecks", request)


def _handed_in(farm: Connection, handed: HandedSchedule, tools: BackendTools) -> str:
    settings = tools.settings
    messages = schedule_messages(handed, repository=settings.repo_name, source=settings.build_repo)
    return str(farm.ask("SubmitSchedule", messages, timeout_s=_SUBMITTING_S).said)


def _jobs(parts: Sequence[pb.ListJobsResponse | pb.PurgeJobsResponse]) -> tuple[Job, ...]:
    return tuple(parse_job(job) for part in parts for job in part.jobs)


def _in_parts(values: Sequence[Any]) -> list[Sequence[Any]]:
    """So few at a time that one request may name them; one part when there is nothing."""
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)] or [()]
