"""The build service as any client of gRPC meets it: who is let in, what there is, how it is, and who goes away."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from ci_toolkit.backends.build_service import build_service_pb2 as pb
from ci_toolkit.backends.build_service.messages import SERVICE
from ci_toolkit.errors import MachineError
from ci_toolkit.farm.build_service import servicer
from ci_toolkit.farm.build_service.calls import MOST_FOLLOWERS
from ci_toolkit.farm.build_service.server import MOST_MESSAGE_BYTES, BuildServiceServer
from ci_toolkit.farm.web.access import Access
from ci_toolkit.farm.web.app import desk_of
from ci_toolkit.model.job import JobFilter, JobState
from tests.support.grpc_farm import GrpcFarm, bearing, grpc_farm, schedule_parts, stub_of
from tests.support.jobs import schedule
from tests.support.quiet_farm import CANARY, STRANGER, TOKEN, QuietFarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.model.job import Job

Code = grpc.StatusCode
ASK: dict[str, Any] = {"repository": "samples", "job": 1}
UNKNOWN: Any = 99


@dataclass(frozen=True)
class Method:
    """A method, who may call it, and a request that is answered."""

    name: str
    access: Access
    request: Any

    def call(self, stub: Any, token: str | None = None, **more: Any) -> Any:
        """The answer; the parts of one that has some."""
        sent = iter(self.request) if isinstance(self.request, list) else self.request
        answer = getattr(stub, self.name)(sent, metadata=bearing(token), timeout=20, **more)
        return list(answer) if self.name in ("ListJobs", "StreamLog", "PurgeJobs") else answer


METHODS = (
    Method("SubmitSchedule", Access.WRITE, schedule_parts(schedule("r1", "a", "b"))),
    Method("ListJobs", Access.READ, pb.ListJobsRequest(repository="samples")),
    Method("GetJob", Access.READ, pb.GetJobRequest(**ASK)),
    Method("GetTransitions", Access.READ, pb.GetTransitionsRequest(**ASK)),
    Method("GetArtifacts", Access.READ, pb.GetArtifactsRequest(**ASK)),
    Method("CancelJob", Access.WRITE, pb.CancelJobRequest(**ASK, reason="no need")),
    Method("RetryJob", Access.WRITE, pb.RetryJobRequest(**ASK)),
    Method("StreamLog", Access.READ, pb.StreamLogRequest(**ASK)),
    Method("PurgeJobs", Access.OPERATE, pb.PurgeJobsRequest(repository="samples", before_s=1.0)),
    Method("ListWorkers", Access.READ, pb.ListWorkersRequest()),
    Method("DrainWorker", Access.OPERATE, pb.DrainWorkerRequest(worker="w1", reason="a new disk")),
    Method("ResumeWorker", Access.OPERATE, pb.ResumeWorkerRequest(worker="w1")),
    Method("GetStatistics", Access.READ, pb.GetStatisticsRequest(repository="samples", since_s=time.time() - 3_600)),
    Method("NoteChecks", Access.WRITE, pb.NoteChecksRequest(repository="samples", source="samples")),
)
WRONG = ("no-such-token", "", TOKEN[:-1], f"{TOKEN}x", "x" * 2_000)


@pytest.fixture(scope="module", params=[True, False], ids=["public", "private"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcFarm]:
    """One that is only looked at, with a job that waits."""
    with grpc_farm(QuietFarm(tmp_path_factory.mktemp("farm"), is_public=request.param)) as running:
        running.farm.add_worker("w1")
        with stub_of(running) as stub:
            METHODS[0].call(stub, TOKEN)
        yield running


@pytest.fixture
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcFarm]:
    with grpc_farm(QuietFarm(tmp_path_factory.mktemp("farm"))) as running:
        yield running


@pytest.fixture
def stub(farm: GrpcFarm) -> Iterator[Any]:
    with stub_of(farm) as found:
        yield found


def refusal(call: Any) -> grpc.Call:
    """What a call was refused with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert isinstance(caught.value, grpc.Call)
    return caught.value


def hint_of(refused: grpc.Call) -> str:
    """What it says that can be done."""
    sent = dict(refused.trailing_metadata() or ()).get("hint-bin", b"")
    return sent.decode() if isinstance(sent, bytes) else sent


def health_stub(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


def reflection_stub(channel: grpc.Channel) -> Any:
    return reflection_pb2_grpc.ServerReflectionStub(channel)


def first_job(farm: GrpcFarm) -> Job:
    with farm.farm.database() as database:
        return database.jobs(JobFilter())[0]


def soon(holds: Any, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# who is let in


def test_every_method_is_tried_here() -> None:
    assert [method.name for method in METHODS] == [
        method.name for method in pb.DESCRIPTOR.services_by_name["BuildService"].methods
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
def test_nobody_without_a_right_token_is_let_in(either: GrpcFarm, method: Method) -> None:
    with stub_of(either) as stub:
        refused = [refusal(lambda token=token: method.call(stub, token)) for token in WRONG]
        if method.access is not Access.READ or not either.farm.is_public:
            refused.append(refusal(lambda: method.call(stub)))
    assert {one.code() for one in refused} == {Code.UNAUTHENTICATED}
    assert len({one.details() for one in refused}) == 1, "a wrong token is answered like a missing one"
    assert "CI_FARM_TOKEN" in (refused[0].details() or "")
    assert either.farm.machines["w1"].state.value == "idle"
    assert first_job(either).state is JobState.QUEUED


@pytest.mark.parametrize("method", [one for one in METHODS if one.access is not Access.READ], ids=lambda one: one.name)
def test_a_client_of_something_else_changes_nothing_and_is_told_whom_to_ask(either: GrpcFarm, method: Method) -> None:
    with stub_of(either) as stub:
        refused = [refusal(lambda: method.call(stub, STRANGER))]
        if method.access is Access.OPERATE:
            refused.append(refusal(lambda: method.call(stub, TOKEN)))
    for one in refused:
        assert one.code() is Code.PERMISSION_DENIED
        assert "farm.toml" in hint_of(one)
        assert "farm.toml" in (one.details() or "")
    assert either.farm.machines["w1"].state.value == "idle"
    assert first_job(either).state is JobState.QUEUED


@pytest.mark.parametrize("method", [one for one in METHODS if one.access is Access.READ], ids=lambda one: one.name)
def test_every_client_reads(either: GrpcFarm, method: Method) -> None:
    with stub_of(either) as stub:
        for token in (TOKEN, STRANGER, *([None] if either.farm.is_public else [])):
            assert method.call(stub, token) is not None


def test_health_is_for_anybody_and_the_rest_for_whom_the_farm_shows_anything(either: GrpcFarm) -> None:
    with grpc.insecure_channel(either.address) as channel:
        health = health_stub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == 1
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        for token, is_told in ((None, either.farm.is_public), (TOKEN, True), ("wrong", False)):
            reflected = reflection_stub(channel).ServerReflectionInfo
            call = reflected(iter((asked,)), metadata=bearing(token), timeout=20)
            if is_told:
                assert SERVICE in {one.name for one in next(call).list_services_response.service}
            else:
                assert refusal(lambda call=call: next(call)).code() is Code.UNAUTHENTICATED


# what there is, and how it is


def test_reflection_tells_what_the_proto_says(farm: GrpcFarm) -> None:
    with grpc.insecure_channel(farm.address) as channel:
        told = ProtoReflectionDescriptorDatabase(channel)
        assert set(told.get_services()) >= {SERVICE, "grpc.health.v1.Health"}
        methods = DescriptorPool(told).FindServiceByName(SERVICE).methods
        described = descriptor_pb2.FileDescriptorProto()
        methods[0].containing_service.file.CopyToProto(described)
    assert described == descriptor_pb2.FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)


def test_health_turns_when_the_farm_cannot_build_and_when_it_stops(farm: GrpcFarm) -> None:
    states: list[int] = []
    with grpc.insecure_channel(farm.address) as channel:
        watching = health_stub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))

        def watch() -> None:
            try:
                states.extend(answer.status for answer in watching)
            except grpc.RpcError:
                return

        thread = threading.Thread(target=watch)
        thread.start()
        soon(lambda: states == [1])
        farm.farm.broken["samples"] = "the disk is full"
        soon(lambda: states == [1, 2])
        farm.farm.broken.clear()
        soon(lambda: states == [1, 2, 1])
        farm.server.stop()
        thread.join(10)
        assert states == [1, 2, 1, 2]
        assert not thread.is_alive()


# logs


def test_a_log_comes_while_it_is_written_and_whoever_goes_away_leaves_nothing(farm: GrpcFarm, stub: Any) -> None:
    METHODS[0].call(stub, TOKEN)
    job = first_job(farm)
    farm.farm.write_log(job, f"begun with {CANARY}\n")
    farm.farm.bring(job, JobState.BUILDING, log_of=job.number)
    threads = threading.active_count()
    calls = [stub.StreamLog(pb.StreamLogRequest(**ASK, follow=True)) for _ in range(MOST_FOLLOWERS)]
    firsts = [next(call) for call in calls]
    assert {first.text for first in firsts} == {"begun with [hidden]\n"}
    assert {first.state for first in firsts} == {pb.JobState.JOB_STATE_BUILDING}
    assert threading.active_count() - threads <= 10, "nobody who follows holds a thread"
    farm.farm.write_log(job, "one\n")
    more = next(calls[0])
    assert (more.text, more.next_byte, more.is_last) == ("one\n", firsts[0].next_byte + 4, False)
    full = refusal(lambda: list(stub.StreamLog(pb.StreamLogRequest(**ASK, follow=True))))
    assert (full.code(), "without `follow`" in (full.details() or "")) == (Code.RESOURCE_EXHAUSTED, True)
    assert "one\n" in "".join(part.text for part in stub.StreamLog(pb.StreamLogRequest(**ASK)))
    for call in calls:
        call.cancel()

    def is_free() -> bool:
        call = stub.StreamLog(pb.StreamLogRequest(**ASK, follow=True), timeout=5)
        try:
            next(call)
        except grpc.RpcError:
            return False
        call.cancel()
        return True

    soon(is_free)


def test_a_deadline_ends_a_call_that_follows(farm: GrpcFarm, stub: Any) -> None:
    METHODS[0].call(stub, TOKEN)
    farm.farm.bring(first_job(farm), JobState.BUILDING, log_of=1)
    ended = refusal(lambda: list(stub.StreamLog(pb.StreamLogRequest(**ASK, follow=True), timeout=0.3)))
    assert ended.code() is Code.DEADLINE_EXCEEDED


# what must not be


def test_a_message_that_is_too_large_is_refused(farm: GrpcFarm, stub: Any) -> None:
    head, _ = schedule_parts(schedule("r1", "a"))
    large = pb.SubmitScheduleRequest(file=pb.FilePart(package="a", content=bytes(MOST_MESSAGE_BYTES + 1)))
    refused = refusal(lambda: Method("SubmitSchedule", Access.WRITE, [head, large]).call(stub, TOKEN))
    assert refused.code() is Code.RESOURCE_EXHAUSTED
    with farm.farm.database() as database:
        assert database.jobs(JobFilter()) == ()


def test_a_schedule_that_is_too_large_in_all_is_refused_before_all_of_it_is_there(
    farm: GrpcFarm, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "MOST_BYTES", 3 << 20)
    head, _ = schedule_parts(schedule("r1", "a"))
    sent: list[int] = []

    def parts() -> Iterator[pb.SubmitScheduleRequest]:
        yield head
        for number in range(1_000):
            sent.append(number)
            more = pb.FilePart(package="a", path=b"x", mode="100644", content=bytes(1 << 20))
            yield pb.SubmitScheduleRequest(file=more)

    refused = refusal(lambda: stub.SubmitSchedule(parts(), metadata=bearing(TOKEN), timeout=20))
    assert refused.code() is Code.RESOURCE_EXHAUSTED
    assert "submit fewer packages" in (refused.details() or "")
    assert len(sent) < 100
    assert 'submissions_total{outcome="too large"} 1.0' in farm.metrics.text().decode()


def test_who_sends_nothing_more_of_a_schedule_holds_up_nobody(
    farm: GrpcFarm, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "_SILENCE_S", 0.3)
    head, *files = schedule_parts(schedule("r1", "a"))
    goes_on = threading.Event()

    def stalling() -> Iterator[pb.SubmitScheduleRequest]:
        yield head
        goes_on.wait(20)

    stalled = [stub.SubmitSchedule.future(stalling(), metadata=bearing(TOKEN), timeout=20) for _ in range(3)]
    try:
        done = stub.SubmitSchedule(iter([head, *files]), metadata=bearing(TOKEN), timeout=20)
        assert list(done.jobs) == [1]
        assert {call.code() for call in stalled} == {Code.DEADLINE_EXCEEDED}
        assert all("submit it again" in call.details() for call in stalled)
    finally:
        goes_on.set()


def test_a_port_that_somebody_has_is_named(farm: GrpcFarm) -> None:
    other = BuildServiceServer(desk_of(farm.app), farm.address, None)
    with pytest.raises(
        MachineError, match=r"grpc\.listen cannot be listened on: .*'127\.0\.0\.1:[0-9]+' \(see who listens"
    ):
        other.start()
    other.stop()


HOSTILE: dict[str, Any] = {
    "nothing": lambda head, files: [],
    "no-head": lambda head, files: files,
    "two-heads": lambda head, files: [head, head],
    "shell": lambda head, files: [changed(head, "$(reboot)"), *files],
    "newline": lambda head, files: [changed(head, "a\nb"), *files],
    "option": lambda head, files: [changed(head, "--help"), *files],
    "path": lambda head, files: [changed(head, "../../etc"), *files],
    "no-folder": lambda head, files: [head],
    "other-package": lambda head, files: [head, part(package="b")],
    "outside": lambda head, files: [head, *files, part(path=b"../x")],
    "absolute": lambda head, files: [head, *files, part(path=b"/etc/x")],
    "git": lambda head, files: [head, *files, part(path=b"sub/.GIT/config")],
    "device": lambda head, files: [head, *files, part(path=b"x", mode="020644")],
    "two-modes": lambda head, files: [head, *files, part(path=b"PKGBUILD", mode="120000")],
    "request": lambda head, files: [with_head(head, request="r 1"), *files],
    "commit": lambda head, files: [with_head(head, commit="HEAD"), *files],
    "priority": lambda head, files: [with_head(head, priority=2), *files],
    "endless": lambda head, files: [with_head(head, made_at_s=float("inf")), *files],
    "tree-of-two": lambda head, files: [tree(head, "a;b:b:"), *files],
    "tree-with-more": lambda head, files: [tree(head, "a,b"), *files],
    "remaining": lambda head, files: [with_head(head, remaining=pb.RemainingPackages(packages=["$x"])), *files],
}


def with_head(head: pb.SubmitScheduleRequest, **fields: Any) -> pb.SubmitScheduleRequest:
    made = pb.SubmitScheduleRequest()
    made.CopyFrom(head)
    made.schedule.MergeFrom(pb.Schedule(**fields))
    return made


def changed(head: pb.SubmitScheduleRequest, package: str) -> pb.SubmitScheduleRequest:
    made = with_head(head)
    made.schedule.builds[0].package = package
    return made


def tree(head: pb.SubmitScheduleRequest, name: str) -> pb.SubmitScheduleRequest:
    made = with_head(head)
    made.schedule.tree[0].provides[0] = name
    return made


def part(*, package: str = "a", path: bytes = b"x", mode: str = "100644") -> pb.SubmitScheduleRequest:
    return pb.SubmitScheduleRequest(file=pb.FilePart(package=package, path=path, mode=mode, content=b"x"))


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_schedule_that_says_what_must_not_be_is_refused_whole(either: GrpcFarm, change: Any) -> None:
    head, *files = schedule_parts(schedule("r9", "a"))
    before = first_job(either)
    either.farm.woken.clear()
    with stub_of(either) as stub:
        refused = refusal(lambda: Method("SubmitSchedule", Access.WRITE, change(head, files)).call(stub, TOKEN))
    assert refused.code() is Code.INVALID_ARGUMENT, refused.details()
    assert first_job(either) == before
    assert either.farm.woken == []


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetJob", pb.GetJobRequest(repository="sample", job=1)),
        ("GetJob", pb.GetJobRequest(repository="samples", job=99)),
        ("GetJob", pb.GetJobRequest(repository="samples", job=-1)),
        ("ListJobs", pb.ListJobsRequest(repository="samples", numbers=[-1])),
        ("ListJobs", pb.ListJobsRequest(repository="samples", states=[UNKNOWN])),
        ("ListJobs", pb.ListJobsRequest(repository="samples", packages=["a"] * 1_001)),
        ("GetStatistics", pb.GetStatisticsRequest(repository="samples", since_s=float("nan"))),
        ("GetStatistics", pb.GetStatisticsRequest(repository="samples", since_s=1.0, by=UNKNOWN)),
        ("GetStatistics", pb.GetStatisticsRequest(repository="samples", since_s=1.0, packages=["a b"])),
        ("StreamLog", pb.StreamLogRequest(repository="samples", job=99)),
    ],
)
def test_a_question_that_cannot_be_is_answered_with_what_to_do(either: GrpcFarm, method: str, request_: Any) -> None:
    with stub_of(either) as stub:
        refused = refusal(lambda: Method(method, Access.READ, request_).call(stub, TOKEN))
    assert refused.code() in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)
    assert hint_of(refused), refused.details()


def test_a_mistake_of_the_farm_is_in_its_log_and_no_traceback_is_sent(
    farm: GrpcFarm, stub: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("a secret of the farm")

    with monkeypatch.context() as patched:
        patched.setattr(farm.farm, "workers", broken)
        refused = refusal(lambda: stub.ListWorkers(pb.ListWorkersRequest(), timeout=20))
    assert refused.code() is Code.INTERNAL
    assert (refused.details() or "").startswith("the farm has made a mistake, which is in its log (its operator")
    assert "a secret of the farm" in caplog.text
    assert f'method="gRPC",route="/{SERVICE}/ListWorkers",status="500"' in farm.metrics.text().decode()
