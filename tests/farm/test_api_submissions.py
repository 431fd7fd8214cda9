"""Schedules over the network: many at once, the same twice, and hostile ones."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zstandard

from ci_toolkit.formats.git_objects import ObjectDraft
from ci_toolkit.formats.packed_folder import format_folder
from ci_toolkit.model.observation import UpstreamFile
from tests.support.jobs import folder, schedule
from tests.support.quiet_farm import OPERATOR, TOKEN, ServedFarm, bearer, hand_in, handed

if TYPE_CHECKING:
    from collections.abc import Mapping


def jobs(farm: ServedFarm) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{farm.url}/api/repositories/samples/jobs", timeout=20).json()["jobs"]
    return found


def test_a_schedule_is_acknowledged_with_its_jobs_and_the_farm_is_woken(farm: ServedFarm) -> None:
    answer = hand_in(farm.url, handed(schedule("r1", "a", "b/2")))
    assert answer.status_code == 201
    assert answer.json() == {
        "said": "2 builds queued on the farm",
        "jobs": [1, 2],
        "replaced": 0,
        "taken_before": False,
    }
    assert farm.farm.woken == ["samples"]
    with farm.farm.database() as database:
        assert database.folder(1) == folder("a")
        assert database.source_of(1) == "samples"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress), ("identity", bytes)],
)
def test_it_may_be_packed(farm: ServedFarm, encoding: str, pack: Any) -> None:
    assert hand_in(farm.url, pack(handed(schedule("r1", "a"))), Content_Encoding=encoding).status_code == 201


def test_500_schedules_at_once_are_all_taken_and_none_twice(farm: ServedFarm) -> None:
    contents = [handed(schedule(f"r{number}", f"package-{number}")) for number in range(500)]

    def send(content: bytes) -> tuple[int, list[int]]:
        answer = hand_in(farm.url, content)
        return answer.status_code, answer.json()["jobs"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, contents))
    assert {status for status, _ in answers} == {201}
    found = jobs(farm)
    assert sorted(job["package"] for job in found) == sorted(f"package-{number}" for number in range(500))
    assert sorted(number for _, numbers in answers for number in numbers) == [job["job"] for job in found]
    assert 'submissions_total{outcome="taken"} 500.0' in farm.metrics.text().decode()


def test_the_same_schedule_many_times_at_once_is_taken_once(farm: ServedFarm) -> None:
    content = handed(schedule("r1", "a", "b"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hand_in(farm.url, content), range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
    assert len(jobs(farm)) == 2
    again = next(answer.json() for answer in answers if answer.status_code == 200)
    assert again == {"said": "the farm has this schedule already", "jobs": [], "replaced": 0, "taken_before": True}


def test_one_repository_does_not_answer_for_anothers_schedule(farm: ServedFarm) -> None:
    assert hand_in(farm.url, handed(schedule("r1", "a")), source="more").status_code == 201
    answer = hand_in(farm.url, handed(schedule("r1", "a")), source="samples")
    assert (answer.status_code, answer.json()["error"]) == (409, "schedule r1 is one of more, and not of samples")


def test_a_job_is_cancelled_and_retried_for_the_source_that_asked_for_it(farm: ServedFarm) -> None:
    hand_in(farm.url, handed(schedule("r1", "a")))
    url = f"{farm.url}/api/repositories/samples/jobs/1"
    for body in (b"", b"{}", b'{"reason": 3}', b'{"reason": ""}', b'{"reason": "two\\nlines"}', b"[", b"[" * 60_000):
        headers = {**bearer(TOKEN), "Content-Type": "application/json"}
        assert requests.post(f"{url}/cancel", data=body, headers=headers, timeout=20).status_code in (400, 415)
    done = requests.post(f"{url}/cancel", json={"reason": "no need"}, headers=bearer(TOKEN), timeout=20)
    assert done.status_code == 200
    again = requests.post(f"{url}/cancel", json={"reason": "no need"}, headers=bearer(TOKEN), timeout=20)
    assert (again.status_code, again.json()["error"]) == (409, "job 1 is cancelled")
    new = requests.post(f"{url}/retry", headers=bearer(OPERATOR), timeout=20)
    assert (new.status_code, new.json()) == (201, {"job": 2})
    record = requests.get(url, timeout=20).json()
    assert (record["state"], record["transitions"][-1]["reason"]) == ("cancelled", "no need")


def test_workers_are_drained_and_resumed_by_who_operates(farm: ServedFarm) -> None:
    farm.farm.add_worker("w1")
    url = f"{farm.url}/api/workers"
    drain = requests.post(f"{url}/w1/drain", json={"reason": "a new disk"}, headers=bearer(OPERATOR), timeout=20)
    assert drain.status_code == 200
    [worker] = requests.get(url, timeout=20).json()["workers"]
    assert (worker["state"], worker["reason"], worker["free"]) == ("draining", "a new disk", 0)
    assert requests.post(f"{url}/w1/resume", headers=bearer(OPERATOR), timeout=20).status_code == 200
    assert requests.post(f"{url}/w1/resume", headers=bearer(TOKEN), timeout=20).status_code == 403
    assert requests.post(f"{url}/w9/resume", headers=bearer(OPERATOR), timeout=20).status_code == 404


# hostile ones

GOOD: dict[str, Any] = json.loads(handed(schedule("r1", "a", there=("b",))))


def packed(files: Mapping[str, tuple[str, bytes]]) -> dict[str, Any]:
    """A folder of these files, under the name that git has for it as far as that can be made."""
    draft = ObjectDraft()
    tree = draft.add_folder({path: (mode, draft.add("blob", content)) for path, (mode, content) in files.items()})
    content = format_folder({path: UpstreamFile(mode=mode, content=body) for path, (mode, body) in files.items()})
    return {"tree": tree, "epoch": 1, "files": base64.b64encode(content).decode()}


def one_file(path: str, mode: str = "100644") -> dict[str, Any]:
    return {"folders": {"a": packed({"PKGBUILD": ("100644", b""), path: (mode, b"x")})}}


def bomb() -> str:
    """A few bytes that say they are 4 GiB."""
    writer = zstandard.ZstdCompressor(write_content_size=True).compressobj(size=4 << 30)
    return base64.b64encode(writer.compress(bytes(1 << 22)) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)).decode()


HOSTILE: dict[str, dict[str, Any]] = {
    "shell": {"builds": [["$(reboot)", None]], "deptree": "$(reboot):a:"},
    "newline": {"builds": [["a\nb", None]]},
    "option": {"builds": [["--help", None]]},
    "path": {"builds": [["../../etc", None]]},
    "twice": {"builds": [["a", None], ["a", None]]},
    "class": {"builds": [["a", "; reboot"]]},
    "false-class": {"builds": [["a", False]]},
    "not-in-the-tree": {"deptree": "b:b:"},
    "no-folder": {"folders": {}},
    "more-folders": {"folders": {**GOOD["folders"], "b": GOOD["folders"]["a"]}},
    "request-with-blanks": {"request": "r 1"},
    "request-of-markup": {"request": "<script>"},
    "request-is-a-list": {"request": ["r1"]},
    "request-is-long": {"request": "r" * 200},
    "commit": {"commit": "HEAD"},
    "priority": {"priority": 10**30},
    "high-priority": {"priority": 2},
    "epoch": {"folders": {"a": {**GOOD["folders"]["a"], "epoch": -1}}},
    "infinite": {"at": "Infinity"},
    "other-tree": {"folders": {"a": {**GOOD["folders"]["a"], "tree": "0" * 40}}},
    "outside": one_file("../x"),
    "absolute": one_file("/etc/x"),
    "git": one_file("sub/.GIT/config"),
    "device": one_file("x", "020644"),
    "below-a-link": {
        "folders": {"a": packed({"PKGBUILD": ("100644", b""), "x": ("120000", b"/etc"), "x/y": ("100644", b"")})}
    },
    "bomb-in-a-folder": {"folders": {"a": {**GOOD["folders"]["a"], "files": bomb()}}},
    "form": {"form": 99},
    "remaining": {"remaining": ["$x"]},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_schedule_that_says_what_must_not_be_is_refused_whole(farm: ServedFarm, change: dict[str, Any]) -> None:
    answer = hand_in(farm.url, json.dumps({**GOOD, **change}).encode())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the schedule")
    assert jobs(farm) == []
    assert farm.farm.woken == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"\x00" * 1000, 400),
        (b"[" * 5_000_000, 400),
        (b'{"form": ' + b"9" * 5_000_000 + b"}", 400),
        (json.dumps({**GOOD, "builds": [[f"n{number}" * 20, None] for number in range(100_000)]}).encode(), 400),
        (json.dumps({**GOOD, "deptree": ";".join(f"n{number}:n:" for number in range(30_000))}).encode(), 400),
        (json.dumps({**GOOD, "remaining": ["x" * 10_000_000]}).encode(), 400),
    ],
    ids=["empty", "zeros", "deep", "long-number", "10-mb-of-names", "many-packages", "a-name-of-10-mb"],
)
def test_what_is_no_schedule_is_refused(farm: ServedFarm, content: bytes, status: int) -> None:
    assert hand_in(farm.url, content).status_code == status
    assert jobs(farm) == []


def test_few_bytes_that_unpack_to_many_are_refused_before_they_do(farm: ServedFarm) -> None:
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(bytes(1 << 24)) for _ in range(20)]
    for encoding, content in (
        ("gzip", b"".join([*pieces, packer.flush()])),
        ("zstd", zstandard.ZstdCompressor().compress(bytes(320 << 20))),
    ):
        assert len(content) < 1 << 20
        assert hand_in(farm.url, content, Content_Encoding=encoding).status_code == 413
    assert hand_in(farm.url, b"x", Content_Encoding="br").status_code == 415
    for encoding in ("gzip", "zstd"):
        assert hand_in(farm.url, handed(schedule("r1", "a")), Content_Encoding=encoding).status_code == 400
    assert jobs(farm) == []


def test_what_packages_need_may_be_called_anything(farm: ServedFarm) -> None:
    tree = "a:a,$(x):perl(Foo::Bar),<b>"
    answer = hand_in(farm.url, json.dumps({**GOOD, "deptree": tree.replace("::", "-")}).encode())
    assert answer.status_code == 201


def test_a_farm_that_cannot_store_takes_nothing_and_says_it_is_not_ready(farm: ServedFarm) -> None:
    place = farm.farm.repositories["other"].place
    place.jobs.mkdir(parents=True)
    answer = hand_in(farm.url, handed(schedule("r1", "a")), token=OPERATOR, repository="other", source="other")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    ready = requests.get(f"{farm.url}/readyz", timeout=20)
    assert (ready.status_code, list(ready.json()["faults"])) == (503, ["other"])
    assert requests.get(f"{farm.url}/healthz", timeout=20).status_code == 200
    assert 'repository_fault{repository="other"} 1.0' in requests.get(f"{farm.url}/metrics", timeout=20).text
