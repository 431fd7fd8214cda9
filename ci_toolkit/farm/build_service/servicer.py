"""The methods of the build service: messages in, one call of what the farm's API calls, too, messages out."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.backends.build_service import build_service_pb2_grpc as rpc
from ci_toolkit.backends.build_service.messages import (
    artifact_message,
    job_message,
    parse_state,
    state_name,
    step_message,
    worker_message,
)
from ci_toolkit.backends.build_service.schedule_parts import ScheduleReader
from ci_toolkit.backends.build_service.statistics_messages import parse_group, statistics_message
from ci_toolkit.farm.web.access import Access
from ci_toolkit.farm.web.answers import RequestError
from ci_toolkit.farm.web.asking import (
    artifacts_of,
    job_of,
    jobs_of,
    require_few,
    statistics_for,
    steps_of,
    workers_of,
)
from ci_toolkit.farm.web.intake import MOST_BYTES, SMALLER, checked_schedule
from ci_toolkit.farm.web.log_reading import passage
from ci_toolkit.farm.web.orders import (
    cancel_job,
    counting_refusals,
    drain_worker,
    note_checks,
    purge,
    require_submission,
    resume_worker,
    retry_job,
    take_schedule,
)
from ci_toolkit.model.job import JobFilter
from ci_toolkit.model.news import ReviewCounts
from ci_toolkit.model.statistics_window import StatisticsWish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from ci_toolkit.farm.build_service.calls import Calls, Context
    from ci_toolkit.farm.spec import Client
    from ci_toolkit.farm.web.orders import Acknowledgement
    from ci_toolkit.model.job import Job

_JOBS_AT_ONCE = 500
_COLLECTED_AT_ONCE = 2
_COLLECTING_S, _SILENCE_S = 600.0, 60.0
_LOOK_S = 0.3


class BuildServiceServicer(rpc.BuildServiceServicer):
    """One farm's; every method is what the `.proto` says of it."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._desk = calls.desk
        # What is handed in is held in memory until all of it is there.
        self._collecting = asyncio.Semaphore(_COLLECTED_AT_ONCE)

    # schedules and jobs

    async def SubmitSchedule(
        self, requests: AsyncIterator[pb.SubmitScheduleRequest], context: Context
    ) -> pb.SubmitScheduleResponse:
        """Take a schedule; once it is answered, it is on disk."""
        async with self._calls.answering("SubmitSchedule", context, Access.WRITE) as client:
            taken = await self._submitted(client, requests)
        return pb.SubmitScheduleResponse(
            said=taken.said,
            jobs=taken.done.jobs,
            replaced=taken.done.replaced,
            taken_before=taken.done.taken_before,
        )

    async def _submitted(
        self, client: Client | None, requests: AsyncIterator[pb.SubmitScheduleRequest]
    ) -> Acknowledgement:
        async with self._collecting:
            with counting_refusals(self._desk):
                reader = await self._collected(client, requests)
            head = reader.head
            return await self._calls.in_thread(
                lambda: take_schedule(
                    self._desk, client, head.repository, head.source, lambda: checked_schedule(reader.handed())
                )
            )

    async def _collected(
        self, client: Client | None, requests: AsyncIterator[pb.SubmitScheduleRequest]
    ) -> ScheduleReader:
        """All of what is sent, as long as it is for somebody who may send it, and no more than is allowed."""
        try:
            # Nobody holds up others by sending nothing, or too slowly for it ever to end.
            async with asyncio.timeout(_COLLECTING_S), asyncio.timeout(_SILENCE_S) as silence:
                first = await anext(aiter(requests), None)
                if first is None or first.WhichOneof("part") != "schedule":
                    raise RequestError(400, "the first message has no schedule", hint="send it before its files")
                head = first.schedule
                await self._calls.in_thread(
                    lambda: require_submission(self._desk, client, head.repository, head.source)
                )
                reader = ScheduleReader(head)
                async for request in requests:
                    silence.reschedule(asyncio.get_running_loop().time() + _SILENCE_S)
                    reader.add(request)
                    if reader.size_bytes > MOST_BYTES:
                        raise RequestError(413, f"the schedule has more than {MOST_BYTES >> 20} MiB", hint=SMALLER)
                return reader
        except TimeoutError:
            hint = "submit it again; the same schedule is taken once"
            problem = f"the schedule did not come within {_COLLECTING_S:g} s, or nothing of it for {_SILENCE_S:g} s"
            raise RequestError(408, problem, hint=hint) from None

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> AsyncIterator[pb.ListJobsResponse]:
        """Jobs, in parts."""
        found: tuple[Job, ...] = ()
        async with self._calls.answering("ListJobs", context, Access.READ):
            for chosen in (request.packages, request.numbers):
                require_few(chosen)
            wanted = JobFilter(
                packages=frozenset(request.packages),
                states=frozenset(map(parse_state, request.states)),
                numbers=frozenset(request.numbers),
                newest=request.newest,
            )
            found = await self._calls.in_thread(lambda: jobs_of(self._desk, request.repository, wanted))
        for part in _parts(found):
            yield pb.ListJobsResponse(jobs=part)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        """One job."""
        async with self._calls.answering("GetJob", context, Access.READ):
            found = await self._calls.in_thread(lambda: job_of(self._desk, request.repository, request.job))
        return job_message(found)

    async def GetTransitions(self, request: pb.GetTransitionsRequest, context: Context) -> pb.GetTransitionsResponse:
        """How a job came to be where it is."""
        async with self._calls.answering("GetTransitions", context, Access.READ):
            steps = await self._calls.in_thread(lambda: steps_of(self._desk, request.repository, request.job))
        return pb.GetTransitionsResponse(transitions=map(step_message, steps))

    async def GetArtifacts(self, request: pb.GetArtifactsRequest, context: Context) -> pb.GetArtifactsResponse:
        """What a job made."""
        async with self._calls.answering("GetArtifacts", context, Access.READ):
            found = await self._calls.in_thread(lambda: artifacts_of(self._desk, request.repository, request.job))
        return pb.GetArtifactsResponse(artifacts=map(artifact_message, found))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        """End a job."""
        async with self._calls.answering("CancelJob", context, Access.WRITE) as client:
            said = await self._calls.in_thread(
                lambda: cancel_job(self._desk, client, request.repository, request.job, request.reason)
            )
        return pb.CancelJobResponse(said=said)

    async def RetryJob(self, request: pb.RetryJobRequest, context: Context) -> pb.RetryJobResponse:
        """Try a job again."""
        async with self._calls.answering("RetryJob", context, Access.WRITE) as client:
            new = await self._calls.in_thread(lambda: retry_job(self._desk, client, request.repository, request.job))
        return pb.RetryJobResponse(job=new)

    async def StreamLog(self, request: pb.StreamLogRequest, context: Context) -> AsyncIterator[pb.StreamLogResponse]:
        """A job's log; one that is followed ends with the job, with the farm, or when the caller is gone."""
        async with self._calls.answering("StreamLog", context, Access.READ):
            part = await self._passage(request, max(0, request.from_byte))
            # Not entered where that fails, so that it is left exactly once.
            if request.follow and not self._calls.followers.acquire(blocking=False):
                hint = "ask without `follow` from `next_byte` on, again and again"
                raise RequestError(429, "too many follow logs at the moment", hint=hint)
        try:
            yield part
            while not part.is_last and not self._desk.ends.is_set():
                before = part
                async with self._calls.going_on("StreamLog", context):
                    part = await self._passage(request, before.next_byte)
                if part.text or part.is_last or part.state != before.state:
                    yield part
                elif request.follow:
                    await asyncio.sleep(_LOOK_S)
                else:
                    return
        finally:
            if request.follow:
                self._calls.followers.release()

    async def _passage(self, request: pb.StreamLogRequest, start: int) -> pb.StreamLogResponse:
        def read() -> pb.StreamLogResponse:
            place = self._desk.repository(request.repository)
            job = self._desk.job(place, request.job)
            found = passage(self._desk, place, job, start=start)
            state = state_name(job.state)
            return pb.StreamLogResponse(text=found.text, next_byte=found.following, is_last=found.is_last, state=state)

        return await self._calls.in_thread(read)

    # for those who look after the farm

    async def PurgeJobs(self, request: pb.PurgeJobsRequest, context: Context) -> AsyncIterator[pb.PurgeJobsResponse]:
        """Forget jobs that ended before a time."""
        gone: tuple[Job, ...] = ()
        async with self._calls.answering("PurgeJobs", context, Access.OPERATE) as client:
            before_s = _moment(request.before_s, "before_s")
            gone = await self._calls.in_thread(
                lambda: purge(self._desk, client, request.repository, before_s, dry_run=request.dry_run)
            )
        for part in _parts(gone):
            yield pb.PurgeJobsResponse(jobs=part)

    async def ListWorkers(self, request: pb.ListWorkersRequest, context: Context) -> pb.ListWorkersResponse:  # noqa: ARG002 - it says nothing
        """Every machine."""
        async with self._calls.answering("ListWorkers", context, Access.READ):
            found = workers_of(self._desk)
        return pb.ListWorkersResponse(workers=map(worker_message, found))

    async def DrainWorker(self, request: pb.DrainWorkerRequest, context: Context) -> pb.DrainWorkerResponse:
        """Have a worker take nothing more."""
        async with self._calls.answering("DrainWorker", context, Access.OPERATE):
            said = await self._calls.in_thread(lambda: drain_worker(self._desk, request.worker, request.reason))
        return pb.DrainWorkerResponse(said=said)

    async def ResumeWorker(self, request: pb.ResumeWorkerRequest, context: Context) -> pb.ResumeWorkerResponse:
        """Have a worker take builds again."""
        async with self._calls.answering("ResumeWorker", context, Access.OPERATE):
            said = await self._calls.in_thread(lambda: resume_worker(self._desk, request.worker))
        return pb.ResumeWorkerResponse(said=said)

    async def GetStatistics(self, request: pb.GetStatisticsRequest, context: Context) -> pb.Statistics:
        """How builds fared."""
        async with self._calls.answering("GetStatistics", context, Access.READ):
            require_few(request.packages)
            wish = StatisticsWish(
                begin_s=_moment(request.since_s, "since_s"),
                end_s=_moment(request.until_s, "until_s") if request.HasField("until_s") else None,
                by=parse_group(request.by),
                packages=frozenset(request.packages),
            )
            found = await self._calls.in_thread(lambda: statistics_for(self._desk, request.repository, wish))
        return statistics_message(found)

    async def NoteChecks(self, request: pb.NoteChecksRequest, context: Context) -> pb.NoteChecksResponse:
        """Count what a pipeline has asked its upstreams."""
        async with self._calls.answering("NoteChecks", context, Access.WRITE) as client:
            counts: dict[str, dict[str, int]] = {}
            for one in request.counts:
                counts.setdefault(one.kind, {})[one.outcome] = one.count
            reviews = ReviewCounts(open=request.reviews_open, opened=request.reviews_opened)
            said = await self._calls.in_thread(
                lambda: note_checks(
                    self._desk, client, request.repository, counts, source=request.source, reviews=reviews
                )
            )
        return pb.NoteChecksResponse(said=said)


def _parts(jobs: Sequence[Job]) -> Iterator[list[pb.Job]]:
    for start in range(0, len(jobs), _JOBS_AT_ONCE):
        yield [job_message(job) for job in jobs[start : start + _JOBS_AT_ONCE]]


def _moment(at_s: float, key: str) -> float:
    if not math.isfinite(at_s):
        raise RequestError(400, f"{key} is no time", hint="seconds since 1970")
    return at_s
