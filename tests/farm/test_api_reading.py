"""What the farm tells: its own API by its own description, the shapes of older consumers, logs, queues and metrics."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from ci_toolkit.backends.job_logs import JobLogs
from ci_toolkit.farm.web.app import all_routes
from ci_toolkit.farm.web.desk import MOST_FOLLOWERS
from ci_toolkit.model.job import JobFilter, JobState
from ci_toolkit.model.worker import WorkerState
from tests.support.jobs import schedule
from tests.support.quiet_farm import CANARY, OPERATOR, TOKEN, QuietFarm, ServedFarm, bearer, hand_in, handed, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.farm.web.route import Route
    from ci_toolkit.model.job import Job

ANSWERED = [route for route in all_routes() if not route.is_page]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFarm]:
    """One that builds, waits and has failed."""
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as running:
        farm = running.farm
        farm.add_worker("w1", WorkerState.BUSY, running=(("samples", 1),), machine="a large one", version="1.0")
        farm.add_worker("w2", WorkerState.IDLE, builder_class=2)
        hand_in(running.url, handed(schedule("r1", "a", "b", "c/9", "d", needs={"b": "a"})))
        a, _, _, d = jobs_of(farm)
        farm.write_log(a, "a is built\n")
        farm.bring(
            a, JobState.BUILDING, now_s=1_763_700_000.25, started_at=1_763_700_000.25, log_of=a.number, worker="w1"
        )
        farm.write_log(d, f"no {CANARY}\n")
        farm.bring(d, JobState.FAILED, phases='[["build", 12.5]]', log_of=d.number, status=4, phase="build")
        yield running


def jobs_of(farm: QuietFarm, repository: str = "samples") -> tuple[Job, ...]:
    with farm.database(repository) as database:
        return database.jobs(JobFilter())


def get(farm: ServedFarm, path: str, **query: Any) -> requests.Response:
    return requests.get(f"{farm.url}{path}", params=query, timeout=20)


# its description


def test_every_rule_is_described_and_every_description_has_a_rule(busy: ServedFarm) -> None:
    document = get(busy, "/api/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    ruled = {
        (method, rule.rule.replace("<int:", "<").replace("<", "{").replace(">", "}"))
        for rule in busy.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == ruled
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert document["servers"] == [{"url": busy.farm.url}]


def test_the_description_is_one_of_openapi(busy: ServedFarm) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(get(busy, "/api/openapi.json").json())


def filled(route: Route) -> str:
    values = {"<repository>": "samples", "<int:number>": "1", "<worker>": "w2", "<pkgbase>": "a"}
    values["<timestamp>"] = "1763700000250"
    path = route.rule
    for place, value in values.items():
        path = path.replace(place, value)
    return path


BODIES: dict[str, bytes] = {
    "submit": handed(schedule("r9", "zz")),
    "cancel": b'{"reason": "no need"}',
    "purge_finished": b'{"before": "1h"}',
    "drain": b'{"reason": "a new disk"}',
    "checks": b'{"aur": {"unchanged": 1}}',
}


@pytest.mark.parametrize("route", ANSWERED, ids=lambda route: str(route.name))
def test_answers_are_as_they_are_described(tmp_path_factory: pytest.TempPathFactory, route: Route) -> None:
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as farm:
        farm.farm.add_worker("w2")
        hand_in(farm.url, handed(schedule("r1", "a")))
        [job] = jobs_of(farm.farm)
        if route.name == "retry":
            farm.farm.bring(job, JobState.FAILED)
        else:
            farm.farm.write_log(job, "built\n")
            farm.farm.bring(
                job,
                JobState.FAILED if "package_log" in route.name else JobState.BUILDING,
                log_of=1,
                started_at=1_763_700_000.25,
            )
        document = get(farm, "/api/openapi.json").json()
        operation = document["paths"][route.path][route.method.lower()]
        kind = next(iter(operation["requestBody"]["content"])) if "requestBody" in operation else ""
        headers = {**bearer(OPERATOR), **({"Content-Type": kind} if kind else {})}

        def checked(path: str, wanted: range, headers: dict[str, str]) -> None:
            answer = requests.request(
                route.method,
                f"{farm.url}{path}",
                params={"source": "samples"} if route.name == "submit" else {},
                data=BODIES.get(route.name),
                headers=headers,
                timeout=20,
            )
            assert answer.status_code in wanted, answer.text
            response = operation["responses"][str(answer.status_code)]
            content_type, described = next(iter(response["content"].items()))
            assert answer.headers["Content-Type"].partition(";")[0] == content_type
            assert set(response.get("headers", {})) <= set(answer.headers)
            if described["schema"] != {"type": "string"}:
                schema = {**described["schema"], "components": document["components"]}
                jsonschema.Draft202012Validator(schema).validate(answer.json())

        checked(filled(route), range(200, 202), headers)
        if route.access.needs_client:
            checked(filled(route), range(401, 402), {**headers, **bearer("wrong")})
        if route.places:
            missing = filled(route).replace("samples", "none").replace("w2", "none").replace("/logs/a", "/logs/none")
            checked(missing, range(404, 405), headers)


def test_other_methods_and_paths_are_refused_in_json(busy: ServedFarm) -> None:
    answer = requests.delete(f"{busy.url}/api/workers", timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (405, "method not allowed")
    assert "GET" in answer.headers["Allow"]
    for path in (
        "/api/repositories/samples/jobs/99999999999999999999999",
        "/api/none",
        "/api/repositories/sample/jobs",
    ):
        answer = get(busy, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert get(busy, "/api/repositories/sample/jobs").json()["hint"] == "did you mean samples?"


@pytest.mark.parametrize(("key", "value"), [("state", "none"), ("number", "x"), ("number", "-1"), ("number", "9" * 40)])
def test_a_question_that_cannot_be_is_not_answered(busy: ServedFarm, key: str, value: str) -> None:
    assert get(busy, "/api/repositories/samples/jobs", **{key: value}).status_code == 400


# consumers of a chaotic-manager


def test_the_queue_is_told_as_a_chaotic_manager_tells_it(busy: ServedFarm) -> None:
    answer = get(busy, "/api/queue/stats")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    link = f"{busy.farm.url}/jobs/samples/1"
    assert json.loads(answer.text) == {
        "active": {
            "count": 1,
            "packages": [{"name": "samples/x86_64/a", "node": "w1", "build_class": 1, "liveLog": link}],
        },
        "waiting": {
            "count": 2,
            "packages": [
                {"name": "samples/x86_64/b", "build_class": 1},
                {"name": "samples/x86_64/c", "build_class": 9},
            ],
        },
        "idle": {"count": 1, "nodes": [{"name": "w2", "build_class": 2}]},
    }
    # The link works: what is behind the farm's own address is served here.
    page = get(busy, urlsplit(link).path)
    assert (page.status_code, "a is built" in page.text) == (200, True)


def test_logs_are_had_by_name_and_by_the_time_that_a_build_began(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as farm:
        for repository, began_s in (("samples", 1_763_700_000.25), ("other", 1_763_800_000.0)):
            hand_in(farm.url, handed(schedule("r1", "a")), token=OPERATOR, repository=repository, source=repository)
            [job] = jobs_of(farm.farm, repository)
            farm.farm.write_log(job, f"of {repository}\n", repository=repository)
            over = farm.farm.bring(job, JobState.FAILED, repository=repository, started_at=began_s, log_of=job.number)
            JobLogs(folder=farm.farm.repositories[repository].place.logs).pack(over.pkgbase, over.number)
        assert get(farm, "/api/logs/a").text == "of other\n"
        for timestamp in ("1763700000250", "1763700000"):
            assert get(farm, f"/api/logs/a/{timestamp}").text == "of samples\n"
        assert get(farm, "/api/logs/a/1763700000251").status_code == 404
        assert get(farm, "/api/logs/none").status_code == 404
        for path in ("/api/logs/..%2f..%2fetc", "/api/logs/a/soon", "/api/logs/-a", "/api/logs/%24(x)"):
            assert get(farm, path).status_code in (400, 404)


@pytest.mark.parametrize("path", ["/api/logs/a", "/api/repositories/samples/jobs/1/log?follow=1"])
def test_a_log_is_sent_as_it_grows(farm: ServedFarm, path: str) -> None:
    hand_in(farm.url, handed(schedule("r1", "a")))
    [job] = jobs_of(farm.farm)
    farm.farm.write_log(job, "one\n")
    building = farm.farm.bring(job, JobState.BUILDING, log_of=1)
    with requests.get(f"{farm.url}{path}", stream=True, timeout=20) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        pieces = answer.iter_content(None, decode_unicode=True)
        assert next(pieces) == "one\n"
        farm.farm.write_log(job, "two\n")
        assert next(pieces) == "two\n"
        with farm.farm.database() as database:
            database.move(building, JobState.FAILED, "it does not build", now_s=300.0)
        assert list(pieces) == []


def test_those_who_follow_are_few_and_all_others_still_read(farm: ServedFarm) -> None:
    hand_in(farm.url, handed(schedule("r1", "a")))
    [job] = jobs_of(farm.farm)
    farm.farm.write_log(job, "one\n")
    farm.farm.bring(job, JobState.BUILDING, log_of=1)
    url = f"{farm.url}/api/repositories/samples/jobs/1/log"
    followers = [requests.get(f"{url}?follow=1", stream=True, timeout=20) for _ in range(MOST_FOLLOWERS)]
    try:
        refused = requests.get(f"{url}?follow=1", timeout=20)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert requests.get(url, timeout=20).text == "one\n"
        assert requests.get(f"{farm.url}/api/logs/a", timeout=20).text == "one\n"
    finally:
        for follower in followers:
            follower.close()
    # A place is free again soon after a reader has gone.
    end = time.monotonic() + 10
    while requests.get(f"{url}?follow=1", stream=True, timeout=20).status_code == 429:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_log_is_given_from_a_byte_on_in_whole_lines(farm: ServedFarm) -> None:
    hand_in(farm.url, handed(schedule("r1", "a")))
    [job] = jobs_of(farm.farm)
    url = "/api/repositories/samples/jobs/1/log"
    waiting = get(farm, url)
    assert (waiting.status_code, waiting.text, waiting.headers["Log-Complete"]) == (200, "", "false")
    path = farm.farm.write_log(job, "one\ntw\N{SNOWMAN}")
    farm.farm.bring(job, JobState.BUILDING, log_of=1)
    first = get(farm, url)
    assert (first.text, first.headers["Log-Next"]) == ("one\n", "4")
    # Nothing came for a while: what there is of the line is shown, but not half a character.
    path.write_bytes("one\ntw\N{SNOWMAN}".encode()[:-1])
    os.utime(path, (time.time() - 60, time.time() - 60))
    second = get(farm, url, **{"from": 4})
    assert (second.text, second.headers["Log-Next"]) == ("tw", "6")
    assert get(farm, url, **{"from": 10_000}).headers["Log-Next"] == str(path.stat().st_size)
    assert get(farm, url, **{"from": "-1"}).status_code == 400


def test_secrets_of_the_farms_own_environment_are_shown_nowhere(busy: ServedFarm) -> None:
    assert get(busy, "/api/repositories/samples/jobs/4/log").text == "no [hidden]\n"
    for path in ("/api/logs/d", "/jobs/samples/4", "/", "/jobs/samples/4/log"):
        assert CANARY not in get(busy, path).text


# the queue


def test_the_queue_says_why_and_when(busy: ServedFarm) -> None:
    record = get(busy, "/api/repositories/samples/queue").json()
    found = {place["job"]["package"]: place for place in record["places"]}
    assert (record["slots"], record["free"]) == (2, 1)
    assert [(name, place["position"]) for name, place in found.items()] == [("a", None), ("c", 1), ("b", 2)]
    assert found["c"]["reason"] == "no worker of class 9"
    assert (found["b"]["starts_at"], found["b"]["ends_at"]) == (None, None), "nothing is known of what it waits for"


# metrics


def test_metrics_are_what_prometheus_reads(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as farm:
        farm.farm.add_worker("w1", WorkerState.BUSY, running=(("samples", 1),), slots=4)
        hand_in(farm.url, handed(schedule("r1", "a", "b")))
        hand_in(farm.url, b"nonsense")
        hand_in(farm.url, b"nonsense", token="wrong")
        hand_in(farm.url, handed(schedule("r1", "a")), source="none")
        a, b = jobs_of(farm.farm)
        for losses in (1, 2, 2):
            farm.metrics.moved("samples", replace(a, losses=losses))
        over = farm.farm.bring(b, JobState.FAILED, phases='[["build", 12.5]]', log_of=b.number)
        farm.metrics.moved("samples", over)
        farm.metrics.published("samples", "done")
        for _ in range(2):
            answer = requests.post(
                f"{farm.url}/api/repositories/samples/checks",
                json={"aur": {"unchanged": 2100, "failed": 2}},
                headers=bearer(TOKEN),
                timeout=20,
            )
            assert answer.status_code == 200
        text = get(farm, "/metrics").text
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            found[sample.name.removeprefix("ci_toolkit_farm_"), tuple(sorted(sample.labels.values()))] = sample.value
    assert found["builds_total", ("failed", "samples")] == 1
    assert found["build_duration_seconds_sum", ("samples",)] == 12.5
    assert found["build_duration_seconds_bucket", ("30.0", "samples")] == 1
    assert found["losses_total", ("samples",)] == 2
    assert found["jobs", ("queued", "samples")] == 1
    assert found["jobs", ("building", "samples")] == 0
    assert 0 <= found["oldest_job_age_seconds", ("queued", "samples")] < 60
    assert found["workers", ("busy",)] == 1
    assert found["workers", ("quarantined",)] == 0
    assert found["slots", ("free",)] == 3
    assert found["publications_total", ("done", "samples")] == 1
    assert found["upstream_checks_total", ("aur", "samples", "unchanged")] == 4200
    assert found["submissions_total", ("taken",)] == 1
    assert found["submissions_total", ("malformed",)] == 1
    assert found["submissions_total", ("denied",)] == 2
    assert found["repository_fault", ("samples",)] == 0


def test_words_of_pipelines_do_not_fill_the_metrics(farm: ServedFarm) -> None:
    url = f"{farm.url}/api/repositories/samples/checks"
    for number in range(20):
        counts = {f"source-{number}-{other}": {f"outcome-{third}": 1 for third in range(10)} for other in range(10)}
        assert requests.post(url, json=counts, headers=bearer(TOKEN), timeout=20).status_code == 200
    assert len(farm.metrics.text().splitlines()) < 600
    wrong: Any
    for wrong in ({"a b": {"x": 1}}, {"a": {"x": -1}}, {"a": {"x": True}}, {"a": 1}, [], {"a": {"x" * 99: 1}}):
        assert requests.post(url, json=wrong, headers=bearer(TOKEN), timeout=20).status_code == 400


def test_a_farm_ends_although_somebody_follows(tmp_path_factory: pytest.TempPathFactory) -> None:
    rest: list[str] = []
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as farm:
        hand_in(farm.url, handed(schedule("r1", "a")))
        [job] = jobs_of(farm.farm)
        farm.farm.write_log(job, "one\n")
        farm.farm.bring(job, JobState.BUILDING, log_of=1)
        answer = requests.get(f"{farm.url}/api/logs/a", stream=True, timeout=20)

        def read() -> None:
            try:
                rest.extend(answer.iter_content(None, decode_unicode=True))
            except requests.RequestException:
                rest.append("cut off")

        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    thread.join(10)
    assert rest[0] == "one\n"


def test_a_farm_ends_in_the_middle_of_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    is_over = threading.Event()
    with served(QuietFarm(tmp_path_factory.mktemp("farm"))) as farm:
        hand_in(farm.url, handed(schedule("r1", "a")))
        [job] = jobs_of(farm.farm)
        farm.farm.write_log(job, "a line of a log\n" * 200_000)
        farm.farm.bring(job, JobState.FAILED, log_of=1)

        def read() -> None:
            while not is_over.is_set():
                try:
                    get(farm, "/api/logs/a")
                except requests.RequestException:
                    return

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    is_over.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
