"""Values as messages of the build service, and back.

What a message lacks, or says in a way that no value of ours has, is a FormatError on the way back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.errors import FormatError
from ci_toolkit.formats.artifact_record import parse_artifact_record
from ci_toolkit.model.job import Job, JobState, Transition
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.worker import Worker, WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.model.artifact import Artifact

SERVICE = pb.DESCRIPTOR.services_by_name["BuildService"].full_name
_JOB_STATE, _WORKER_STATE, _WORKER_HEALTH = "JOB_STATE_", "WORKER_STATE_", "WORKER_HEALTH_"
_NEWER = "the other side may be newer: install the same version of ci-toolkit on both"


def state_name(state: JobState) -> str:
    """What the enumeration calls a state of a job."""
    return f"{_JOB_STATE}{state.name}"


def parse_state(value: int) -> JobState:
    """The state of a job; FormatError for one that nobody here knows."""
    for state in JobState:
        if pb.JobState.Value(state_name(state)) == value:
            return state
    raise FormatError("is no state of a job", got=str(value), hint=_NEWER)


def job_message(job: Job) -> pb.Job:
    """A job."""
    return pb.Job(
        number=job.number,
        package=job.pkgbase,
        state=state_name(job.state),
        reason=job.reason,
        request=job.request,
        commit=job.commit,
        builder_class=job.builder_class,
        queued_at_s=job.queued_at_s,
        started_at_s=job.started_at_s,
        ended_at_s=job.ended_at_s,
        waits_for=job.waits_for,
        version=job.version,
        phase=job.phase,
        status=job.status,
        phases=[pb.Phase(name=name, took_s=took_s) for name, took_s in job.phases],
        interference=job.interference,
        also_needs=job.also_needs,
        log_of=job.log_of,
        priority=job.priority,
        worker=job.worker,
        losses=job.losses,
        recipe=job.recipe,
        size_bytes=job.size_bytes,
    )


def parse_job(message: pb.Job) -> Job:
    """What `job_message` made."""

    def text(field: str) -> str | None:
        return getattr(message, field) if message.HasField(field) else None

    def whole(field: str) -> int | None:
        return getattr(message, field) if message.HasField(field) else None

    def seconds(field: str) -> float | None:
        return _seconds(getattr(message, field)) if message.HasField(field) else None

    needed = text("waits_for")
    return Job(
        number=message.number,
        pkgbase=Pkgbase(message.package),
        state=parse_state(message.state),
        reason=message.reason,
        request=message.request,
        commit=message.commit,
        builder_class=text("builder_class"),
        queued_at_s=_seconds(message.queued_at_s),
        started_at_s=seconds("started_at_s"),
        ended_at_s=seconds("ended_at_s"),
        waits_for=None if needed is None else Pkgbase(needed),
        version=text("version"),
        phase=text("phase"),
        status=whole("status"),
        phases=tuple((phase.name, _seconds(phase.took_s)) for phase in message.phases),
        interference=tuple(message.interference),
        also_needs=tuple(message.also_needs),
        log_of=whole("log_of"),
        priority=message.priority,
        worker=text("worker"),
        losses=message.losses,
        recipe=text("recipe"),
        size_bytes=whole("size_bytes"),
    )


def step_message(step: Transition) -> pb.Transition:
    """A step of a job."""
    old = None if step.old is None else state_name(step.old)
    return pb.Transition(at_s=step.at_s, old=old, new=state_name(step.new), reason=step.reason)


def parse_step(message: pb.Transition) -> Transition:
    """What `step_message` made."""
    return Transition(
        at_s=_seconds(message.at_s),
        old=parse_state(message.old) if message.HasField("old") else None,
        new=parse_state(message.new),
        reason=message.reason,
    )


def artifact_message(artifact: Artifact) -> pb.Artifact:
    """A file that a job made."""
    return pb.Artifact(
        file=artifact.file,
        name=artifact.name,
        version=artifact.version,
        architecture=artifact.arch,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
    )


def parse_artifact(message: pb.Artifact) -> Artifact:
    """What `artifact_message` made."""
    fields = ("file", "name", "version", "sha256", "size_bytes")
    return parse_artifact_record({**{key: getattr(message, key) for key in fields}, "arch": message.architecture})


def worker_message(worker: Worker) -> pb.Worker:
    """A machine of a farm."""
    return pb.Worker(
        name=worker.name,
        builder_class=worker.builder_class,
        slots=worker.slots,
        used=worker.used,
        free=worker.free,
        state=f"{_WORKER_STATE}{worker.state.name}",
        health=f"{_WORKER_HEALTH}{worker.state.health.name}",
        reason=worker.reason,
        since_s=worker.since_s,
        running=[pb.RunningJob(repository=repository, job=number) for repository, number in worker.running],
        version=worker.version,
        machine=worker.machine,
    )


def parse_worker(message: pb.Worker) -> Worker:
    """What `worker_message` made."""
    return Worker(
        name=message.name,
        builder_class=message.builder_class,
        slots=message.slots,
        state=_worker_state(message.state),
        reason=message.reason,
        since_s=_seconds(message.since_s),
        running=_running(message.running),
        version=message.version if message.HasField("version") else None,
        machine=message.machine if message.HasField("machine") else None,
    )


def _worker_state(value: int) -> WorkerState:
    for state in WorkerState:
        if pb.WorkerState.Value(f"{_WORKER_STATE}{state.name}") == value:
            return state
    raise FormatError("is no state of a worker", got=str(value), hint=_NEWER)


def _running(messages: Iterable[pb.RunningJob]) -> tuple[tuple[str, int], ...]:
    return tuple((one.repository, one.job) for one in messages)


def _seconds(value: float) -> float:
    if not math.isfinite(value):
        raise FormatError("is no time", got=str(value))
    return value
