from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_WAITING: _ClassVar[JobState]
    JOB_STATE_BUILDING: _ClassVar[JobState]
    JOB_STATE_PUBLISHING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_SKIPPED: _ClassVar[JobState]
    JOB_STATE_ALREADY_BUILT: _ClassVar[JobState]
    JOB_STATE_TIMED_OUT: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]
    JOB_STATE_REPLACED: _ClassVar[JobState]

class WorkerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_STATE_UNSPECIFIED: _ClassVar[WorkerState]
    WORKER_STATE_IDLE: _ClassVar[WorkerState]
    WORKER_STATE_BUSY: _ClassVar[WorkerState]
    WORKER_STATE_DRAINING: _ClassVar[WorkerState]
    WORKER_STATE_QUARANTINED: _ClassVar[WorkerState]
    WORKER_STATE_UNFIT: _ClassVar[WorkerState]
    WORKER_STATE_AWAY: _ClassVar[WorkerState]

class WorkerHealth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_HEALTH_UNSPECIFIED: _ClassVar[WorkerHealth]
    WORKER_HEALTH_GOOD: _ClassVar[WorkerHealth]
    WORKER_HEALTH_RESTING: _ClassVar[WorkerHealth]
    WORKER_HEALTH_BAD: _ClassVar[WorkerHealth]

class GroupBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUP_BY_UNSPECIFIED: _ClassVar[GroupBy]
    GROUP_BY_PACKAGE: _ClassVar[GroupBy]
    GROUP_BY_RECIPE: _ClassVar[GroupBy]
    GROUP_BY_WORKER: _ClassVar[GroupBy]
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_WAITING: JobState
JOB_STATE_BUILDING: JobState
JOB_STATE_PUBLISHING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_SKIPPED: JobState
JOB_STATE_ALREADY_BUILT: JobState
JOB_STATE_TIMED_OUT: JobState
JOB_STATE_CANCELLED: JobState
JOB_STATE_REPLACED: JobState
WORKER_STATE_UNSPECIFIED: WorkerState
WORKER_STATE_IDLE: WorkerState
WORKER_STATE_BUSY: WorkerState
WORKER_STATE_DRAINING: WorkerState
WORKER_STATE_QUARANTINED: WorkerState
WORKER_STATE_UNFIT: WorkerState
WORKER_STATE_AWAY: WorkerState
WORKER_HEALTH_UNSPECIFIED: WorkerHealth
WORKER_HEALTH_GOOD: WorkerHealth
WORKER_HEALTH_RESTING: WorkerHealth
WORKER_HEALTH_BAD: WorkerHealth
GROUP_BY_UNSPECIFIED: GroupBy
GROUP_BY_PACKAGE: GroupBy
GROUP_BY_RECIPE: GroupBy
GROUP_BY_WORKER: GroupBy

class Job(_message.Message):
    __slots__ = ("number", "package", "state", "reason", "request", "commit", "builder_class", "queued_at_s", "started_at_s", "ended_at_s", "waits_for", "version", "phase", "status", "phases", "interference", "also_needs", "log_of", "priority", "worker", "losses", "recipe", "size_bytes")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    BUILDER_CLASS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_AT_S_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_S_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_S_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    INTERFERENCE_FIELD_NUMBER: _ClassVar[int]
    ALSO_NEEDS_FIELD_NUMBER: _ClassVar[int]
    LOG_OF_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    number: int
    package: str
    state: JobState
    reason: str
    request: str
    commit: str
    builder_class: str
    queued_at_s: float
    started_at_s: float
    ended_at_s: float
    waits_for: str
    version: str
    phase: str
    status: int
    phases: _containers.RepeatedCompositeFieldContainer[Phase]
    interference: _containers.RepeatedScalarFieldContainer[str]
    also_needs: _containers.RepeatedScalarFieldContainer[str]
    log_of: int
    priority: int
    worker: str
    losses: int
    recipe: str
    size_bytes: int
    def __init__(self, number: _Optional[int] = ..., package: _Optional[str] = ..., state: _Optional[_Union[JobState, str]] = ..., reason: _Optional[str] = ..., request: _Optional[str] = ..., commit: _Optional[str] = ..., builder_class: _Optional[str] = ..., queued_at_s: _Optional[float] = ..., started_at_s: _Optional[float] = ..., ended_at_s: _Optional[float] = ..., waits_for: _Optional[str] = ..., version: _Optional[str] = ..., phase: _Optional[str] = ..., status: _Optional[int] = ..., phases: _Optional[_Iterable[_Union[Phase, _Mapping]]] = ..., interference: _Optional[_Iterable[str]] = ..., also_needs: _Optional[_Iterable[str]] = ..., log_of: _Optional[int] = ..., priority: _Optional[int] = ..., worker: _Optional[str] = ..., losses: _Optional[int] = ..., recipe: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Phase(_message.Message):
    __slots__ = ("name", "took_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOOK_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    took_s: float
    def __init__(self, name: _Optional[str] = ..., took_s: _Optional[float] = ...) -> None: ...

class Transition(_message.Message):
    __slots__ = ("at_s", "old", "new", "reason")
    AT_S_FIELD_NUMBER: _ClassVar[int]
    OLD_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    at_s: float
    old: JobState
    new: JobState
    reason: str
    def __init__(self, at_s: _Optional[float] = ..., old: _Optional[_Union[JobState, str]] = ..., new: _Optional[_Union[JobState, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("file", "name", "version", "architecture", "sha256", "size_bytes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    file: str
    name: str
    version: str
    architecture: str
    sha256: str
    size_bytes: int
    def __init__(self, file: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., architecture: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class SubmitScheduleRequest(_message.Message):
    __slots__ = ("schedule", "file")
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    schedule: Schedule
    file: FilePart
    def __init__(self, schedule: _Optional[_Union[Schedule, _Mapping]] = ..., file: _Optional[_Union[FilePart, _Mapping]] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("repository", "source", "request", "commit", "made_at_s", "builds", "tree", "remaining", "priority")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_S_FIELD_NUMBER: _ClassVar[int]
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    repository: str
    source: str
    request: str
    commit: str
    made_at_s: float
    builds: _containers.RepeatedCompositeFieldContainer[Build]
    tree: _containers.RepeatedCompositeFieldContainer[PackageNeeds]
    remaining: RemainingPackages
    priority: int
    def __init__(self, repository: _Optional[str] = ..., source: _Optional[str] = ..., request: _Optional[str] = ..., commit: _Optional[str] = ..., made_at_s: _Optional[float] = ..., builds: _Optional[_Iterable[_Union[Build, _Mapping]]] = ..., tree: _Optional[_Iterable[_Union[PackageNeeds, _Mapping]]] = ..., remaining: _Optional[_Union[RemainingPackages, _Mapping]] = ..., priority: _Optional[int] = ...) -> None: ...

class Build(_message.Message):
    __slots__ = ("package", "builder_class", "tree", "changed_at_s")
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    BUILDER_CLASS_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_S_FIELD_NUMBER: _ClassVar[int]
    package: str
    builder_class: str
    tree: str
    changed_at_s: int
    def __init__(self, package: _Optional[str] = ..., builder_class: _Optional[str] = ..., tree: _Optional[str] = ..., changed_at_s: _Optional[int] = ...) -> None: ...

class PackageNeeds(_message.Message):
    __slots__ = ("package", "provides", "needs")
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    PROVIDES_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    package: str
    provides: _containers.RepeatedScalarFieldContainer[str]
    needs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, package: _Optional[str] = ..., provides: _Optional[_Iterable[str]] = ..., needs: _Optional[_Iterable[str]] = ...) -> None: ...

class RemainingPackages(_message.Message):
    __slots__ = ("packages",)
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    packages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, packages: _Optional[_Iterable[str]] = ...) -> None: ...

class FilePart(_message.Message):
    __slots__ = ("package", "path", "mode", "content")
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    package: str
    path: bytes
    mode: str
    content: bytes
    def __init__(self, package: _Optional[str] = ..., path: _Optional[bytes] = ..., mode: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class SubmitScheduleResponse(_message.Message):
    __slots__ = ("said", "jobs", "replaced", "taken_before")
    SAID_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    TAKEN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    said: str
    jobs: _containers.RepeatedScalarFieldContainer[int]
    replaced: int
    taken_before: bool
    def __init__(self, said: _Optional[str] = ..., jobs: _Optional[_Iterable[int]] = ..., replaced: _Optional[int] = ..., taken_before: _Optional[bool] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("repository", "packages", "states", "numbers", "newest")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    repository: str
    packages: _containers.RepeatedScalarFieldContainer[str]
    states: _containers.RepeatedScalarFieldContainer[JobState]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    newest: bool
    def __init__(self, repository: _Optional[str] = ..., packages: _Optional[_Iterable[str]] = ..., states: _Optional[_Iterable[_Union[JobState, str]]] = ..., numbers: _Optional[_Iterable[int]] = ..., newest: _Optional[bool] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("repository", "job")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ...) -> None: ...

class GetTransitionsRequest(_message.Message):
    __slots__ = ("repository", "job")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ...) -> None: ...

class GetTransitionsResponse(_message.Message):
    __slots__ = ("transitions",)
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    transitions: _containers.RepeatedCompositeFieldContainer[Transition]
    def __init__(self, transitions: _Optional[_Iterable[_Union[Transition, _Mapping]]] = ...) -> None: ...

class GetArtifactsRequest(_message.Message):
    __slots__ = ("repository", "job")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ...) -> None: ...

class GetArtifactsResponse(_message.Message):
    __slots__ = ("artifacts",)
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    def __init__(self, artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("repository", "job", "reason")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    reason: str
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("said",)
    SAID_FIELD_NUMBER: _ClassVar[int]
    said: str
    def __init__(self, said: _Optional[str] = ...) -> None: ...

class RetryJobRequest(_message.Message):
    __slots__ = ("repository", "job")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ...) -> None: ...

class RetryJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: int
    def __init__(self, job: _Optional[int] = ...) -> None: ...

class StreamLogRequest(_message.Message):
    __slots__ = ("repository", "job", "from_byte", "follow")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    FROM_BYTE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    from_byte: int
    follow: bool
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ..., from_byte: _Optional[int] = ..., follow: _Optional[bool] = ...) -> None: ...

class StreamLogResponse(_message.Message):
    __slots__ = ("text", "next_byte", "is_last", "state")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NEXT_BYTE_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    text: str
    next_byte: int
    is_last: bool
    state: JobState
    def __init__(self, text: _Optional[str] = ..., next_byte: _Optional[int] = ..., is_last: _Optional[bool] = ..., state: _Optional[_Union[JobState, str]] = ...) -> None: ...

class PurgeJobsRequest(_message.Message):
    __slots__ = ("repository", "before_s", "dry_run")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    BEFORE_S_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    repository: str
    before_s: float
    dry_run: bool
    def __init__(self, repository: _Optional[str] = ..., before_s: _Optional[float] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class PurgeJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("name", "builder_class", "slots", "used", "free", "state", "health", "reason", "since_s", "running", "version", "machine")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BUILDER_CLASS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    name: str
    builder_class: int
    slots: int
    used: int
    free: int
    state: WorkerState
    health: WorkerHealth
    reason: str
    since_s: float
    running: _containers.RepeatedCompositeFieldContainer[RunningJob]
    version: str
    machine: str
    def __init__(self, name: _Optional[str] = ..., builder_class: _Optional[int] = ..., slots: _Optional[int] = ..., used: _Optional[int] = ..., free: _Optional[int] = ..., state: _Optional[_Union[WorkerState, str]] = ..., health: _Optional[_Union[WorkerHealth, str]] = ..., reason: _Optional[str] = ..., since_s: _Optional[float] = ..., running: _Optional[_Iterable[_Union[RunningJob, _Mapping]]] = ..., version: _Optional[str] = ..., machine: _Optional[str] = ...) -> None: ...

class RunningJob(_message.Message):
    __slots__ = ("repository", "job")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    repository: str
    job: int
    def __init__(self, repository: _Optional[str] = ..., job: _Optional[int] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    def __init__(self, workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ...) -> None: ...

class DrainWorkerRequest(_message.Message):
    __slots__ = ("worker", "reason")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    worker: str
    reason: str
    def __init__(self, worker: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DrainWorkerResponse(_message.Message):
    __slots__ = ("said",)
    SAID_FIELD_NUMBER: _ClassVar[int]
    said: str
    def __init__(self, said: _Optional[str] = ...) -> None: ...

class ResumeWorkerRequest(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...

class ResumeWorkerResponse(_message.Message):
    __slots__ = ("said",)
    SAID_FIELD_NUMBER: _ClassVar[int]
    said: str
    def __init__(self, said: _Optional[str] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("repository", "since_s", "until_s", "by", "packages")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    repository: str
    since_s: float
    until_s: float
    by: GroupBy
    packages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, repository: _Optional[str] = ..., since_s: _Optional[float] = ..., until_s: _Optional[float] = ..., by: _Optional[_Union[GroupBy, str]] = ..., packages: _Optional[_Iterable[str]] = ...) -> None: ...

class Statistics(_message.Message):
    __slots__ = ("since_s", "until_s", "by", "queue", "total", "groups")
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    since_s: float
    until_s: float
    by: GroupBy
    queue: QueueFigures
    total: Figures
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    def __init__(self, since_s: _Optional[float] = ..., until_s: _Optional[float] = ..., by: _Optional[_Union[GroupBy, str]] = ..., queue: _Optional[_Union[QueueFigures, _Mapping]] = ..., total: _Optional[_Union[Figures, _Mapping]] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ...) -> None: ...

class QueueFigures(_message.Message):
    __slots__ = ("at_end", "mean", "most")
    AT_END_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    at_end: int
    mean: float
    most: int
    def __init__(self, at_end: _Optional[int] = ..., mean: _Optional[float] = ..., most: _Optional[int] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("name", "figures")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    name: str
    figures: Figures
    def __init__(self, name: _Optional[str] = ..., figures: _Optional[_Union[Figures, _Mapping]] = ...) -> None: ...

class Figures(_message.Message):
    __slots__ = ("outcomes", "duration_s", "wait_s", "size_bytes", "total_bytes", "sizes_unknown", "busy_s", "slots", "use")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZES_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    BUSY_S_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[Outcome]
    duration_s: Spread
    wait_s: Spread
    size_bytes: Spread
    total_bytes: int
    sizes_unknown: int
    busy_s: float
    slots: int
    use: float
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Outcome, _Mapping]]] = ..., duration_s: _Optional[_Union[Spread, _Mapping]] = ..., wait_s: _Optional[_Union[Spread, _Mapping]] = ..., size_bytes: _Optional[_Union[Spread, _Mapping]] = ..., total_bytes: _Optional[int] = ..., sizes_unknown: _Optional[int] = ..., busy_s: _Optional[float] = ..., slots: _Optional[int] = ..., use: _Optional[float] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("state", "count")
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    state: JobState
    count: int
    def __init__(self, state: _Optional[_Union[JobState, str]] = ..., count: _Optional[int] = ...) -> None: ...

class Spread(_message.Message):
    __slots__ = ("count", "mean", "p50", "p95", "most")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    P50_FIELD_NUMBER: _ClassVar[int]
    P95_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    count: int
    mean: float
    p50: float
    p95: float
    most: float
    def __init__(self, count: _Optional[int] = ..., mean: _Optional[float] = ..., p50: _Optional[float] = ..., p95: _Optional[float] = ..., most: _Optional[float] = ...) -> None: ...

class NoteChecksRequest(_message.Message):
    __slots__ = ("repository", "source", "counts", "reviews_open", "reviews_opened")
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_OPEN_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_OPENED_FIELD_NUMBER: _ClassVar[int]
    repository: str
    source: str
    counts: _containers.RepeatedCompositeFieldContainer[CheckCount]
    reviews_open: int
    reviews_opened: int
    def __init__(self, repository: _Optional[str] = ..., source: _Optional[str] = ..., counts: _Optional[_Iterable[_Union[CheckCount, _Mapping]]] = ..., reviews_open: _Optional[int] = ..., reviews_opened: _Optional[int] = ...) -> None: ...

class CheckCount(_message.Message):
    __slots__ = ("kind", "outcome", "count")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    outcome: str
    count: int
    def __init__(self, kind: _Optional[str] = ..., outcome: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class NoteChecksResponse(_message.Message):
    __slots__ = ("said",)
    SAID_FIELD_NUMBER: _ClassVar[int]
    said: str
    def __init__(self, said: _Optional[str] = ...) -> None: ...
