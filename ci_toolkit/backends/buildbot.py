"""A build farm: schedules go to its API, and it tells what becomes of them.

The farm runs Buildbot, of which nothing is needed here: what is spoken is the farm's own, `/api/openapi.json` there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

import zstandard

from ci_toolkit.backends.handed_schedule import HandedSchedule, format_handed
from ci_toolkit.effects.forge_answers import ForgeHttpError
from ci_toolkit.effects.forge_http import ForgeHttp, ForgeManners
from ci_toolkit.effects.token import FARM_VARIABLES, first_token
from ci_toolkit.errors import ConfigError, FormatError, HandOverError, NotReadyError, RefusedError, ToolkitError
from ci_toolkit.formats.artifact_record import parse_artifact_record
from ci_toolkit.formats.job_record import parse_job_record, parse_step_record
from ci_toolkit.formats.statistics_record import parse_statistics_record
from ci_toolkit.model.job import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ci_toolkit.backends.spec import BackendTools, FolderReader
    from ci_toolkit.effects.forge_answers import ForgeAnswer
    from ci_toolkit.effects.token import Token
    from ci_toolkit.model.artifact import Artifact
    from ci_toolkit.model.build_statistics import BuildStatistics
    from ci_toolkit.model.job import JobFilter, Transition
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.news import ReviewCounts
    from ci_toolkit.model.statistics_window import StatisticsWish
    from ci_toolkit.scheduling.schedule import Schedule

SCHEDULE_TYPE = "application/vnd.ci-toolkit.schedule+json"
_JSON = "application/json"
_AT_ONCE = 100  # packages or jobs that one URL names
_LOOK_S = 0.3
# A farm that is started anew is there again sooner; its builds go on meanwhile.
_ABSENCE_S = 120.0
_TOKEN_KEY = FARM_VARIABLES[0]


class BuildbotBackend:
    """Speaks to the farm at CI_FARM_URL, as the client whose token is in CI_FARM_TOKEN."""

    name: ClassVar[str] = "buildbot"
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
            with _connected(tools) as farm:
                answer = farm.ask(
                    "POST",
                    f"{_path(farm, tools)}/schedules?{urlencode({'source': tools.settings.build_repo})}",
                    zstandard.ZstdCompressor().compress(format_handed(handed)),
                    headers={"Content-Type": SCHEDULE_TYPE, "Content-Encoding": "zstd", "Accept": _JSON},
                    is_repeatable=True,
                )
                said = _record(answer).get("said")
                if not isinstance(said, str) or not said.isprintable():
                    raise FormatError("acknowledges nothing", key="the farm's answer")
                return said
        except ToolkitError as error:
            raise HandOverError(f"the farm did not take the schedule: {error.what}") from error

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:
        """The jobs that are meant, oldest first."""
        fixed = [("state", state.value) for state in sorted(wanted.states, key=str)]
        fixed += [("newest", "1")] if wanted.newest else []
        packages = [("package", str(name)) for name in sorted(wanted.packages)]
        numbers = [("number", str(number)) for number in sorted(wanted.numbers)]
        found: dict[int, Job] = {}
        with _telling(tools) as farm:
            for some_packages in _in_parts(packages):
                for some_numbers in _in_parts(numbers):
                    query = urlencode([*fixed, *some_packages, *some_numbers])
                    answer = farm.ask_json("GET", f"{_path(farm, tools)}/jobs?{query}")
                    records = _listed(_record(answer), "jobs")
                    found |= {job.number: job for job in map(parse_job_record, records)}
        return tuple(job for _, job in sorted(found.items()))

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:
        """Every step of a job."""
        with _telling(tools) as farm:
            record = _record(farm.ask_json("GET", f"{_path(farm, tools)}/jobs/{job.number}"))
            return tuple(map(parse_step_record, _listed(record, "transitions")))

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:
        """End a job: one that waits at once, one that is built within seconds."""
        with _telling(tools, job) as farm:
            farm.ask_json("POST", f"{_path(farm, tools)}/jobs/{job.number}/cancel", {"reason": reason})

    def retry(self, job: Job, tools: BackendTools) -> int:
        """The number of a new job for the same folder."""
        with _telling(tools, job) as farm:
            number = _record(farm.ask_json("POST", f"{_path(farm, tools)}/jobs/{job.number}/retry")).get("job")
            if not isinstance(number, int):
                raise FormatError("names no job", key="the farm's answer")
            return number

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:
        """The log in pieces, with `follow` until the job is over, also if the farm is started anew meanwhile."""
        with _telling(tools, job) as farm:
            path = f"{_path(farm, tools)}/jobs/{job.number}/log"
            following, absent_since = 0, None
            while True:
                try:
                    answer = farm.ask("GET", f"{path}?from={following}", kind="text")
                except ForgeHttpError as error:
                    now = tools.clock.monotonic()
                    absent_since = now if absent_since is None else absent_since
                    if not (follow and error.is_passing) or now - absent_since > _ABSENCE_S:
                        raise
                    tools.clock.sleep(_LOOK_S)
                    continue
                absent_since = None
                is_first, begin = following == 0, following
                following = _next(answer, following)
                if answer.body:
                    yield answer.body.decode()
                if answer.headers.get("Log-Complete") == "true":
                    return
                if not follow and following == begin:
                    if is_first:
                        raise _no_log(job, answer)
                    return
                if follow and not answer.body:
                    tools.clock.sleep(_LOOK_S)

    def statistics(self, wish: StatisticsWish, tools: BackendTools) -> BuildStatistics:
        """What the farm tells of a time, by its own clock where that has not ended."""
        if len(wish.packages) > _AT_ONCE:
            raise RefusedError(f"more than {_AT_ONCE} packages are named", hint="name fewer, or none for all of them")
        asked = [("since", _moment(wish.begin_s)), ("by", wish.by.value)]
        asked += [] if wish.end_s is None else [("until", _moment(wish.end_s))]
        asked += [("package", name) for name in sorted(wish.packages)]
        with _telling(tools) as farm:
            try:
                answer = farm.ask_json("GET", f"{_path(farm, tools)}/statistics?{urlencode(asked)}")
            except ForgeHttpError as error:
                if error.status != 400:
                    raise
                raise RefusedError(error.said, hint=error.hint) from error
            return parse_statistics_record(_record(answer))

    def artifacts(self, job: Job, tools: BackendTools) -> tuple[Artifact, ...]:
        """What a job made."""
        with _telling(tools, job) as farm:
            record = _record(farm.ask_json("GET", f"{_path(farm, tools)}/jobs/{job.number}/artifacts"))
            return tuple(map(parse_artifact_record, _listed(record, "artifacts")))

    # for those who look after the farm

    def purge(self, before_s: float, tools: BackendTools, *, dry_run: bool) -> tuple[Job, ...]:
        """Have the farm forget jobs, which takes the token of a client that operates it."""
        with _telling(tools) as farm:
            asked = {"before": _moment(before_s), "dry_run": dry_run}
            record = _record(farm.ask_json("POST", f"{_path(farm, tools)}/purge", asked))
            return tuple(map(parse_job_record, _listed(record, "jobs")))

    def workers(self, tools: BackendTools) -> list[dict[str, Any]]:
        """Every machine of the farm, as its API describes it."""
        with _telling(tools) as farm:
            return _listed(_record(farm.ask_json("GET", f"{farm.prefix}/api/workers")), "workers")

    def drain(self, worker: str, reason: str, tools: BackendTools) -> str:
        """Have a worker finish what it builds and take nothing more; what the farm says to that."""
        return self._order(worker, "drain", {"reason": reason}, tools)

    def resume(self, worker: str, tools: BackendTools) -> str:
        """Have a worker take builds again; what the farm says to that."""
        return self._order(worker, "resume", None, tools)

    def _order(self, worker: str, what: str, record: Mapping[str, str] | None, tools: BackendTools) -> str:
        with _telling(tools) as farm:
            path = f"{farm.prefix}/api/workers/{quote(worker, safe='')}/{what}"
            return str(_record(farm.ask_json("POST", path, record))["said"])

    def note_checks(self, counts: Mapping[str, Mapping[str, int]], reviews: ReviewCounts, tools: BackendTools) -> None:
        """Have the farm's metrics count them."""
        # Farms of before took no spaces in outcomes, and leave parameters alone that they do not know.
        words = {
            source: {outcome.replace(" ", "_"): count for outcome, count in outcomes.items()}
            for source, outcomes in counts.items()
        }
        asked = {"source": tools.settings.build_repo, "reviews_open": reviews.open, "reviews_opened": reviews.opened}
        with _telling(tools) as farm:
            farm.ask_json("POST", f"{_path(farm, tools)}/checks?{urlencode(asked)}", words)


@contextmanager
def _connected(tools: BackendTools) -> Iterator[ForgeHttp]:
    settings = tools.settings
    if settings.farm_url is None:
        raise ConfigError("is missing", key="CI_FARM_URL", hint="the address of the farm, such as https://host")
    token = _token(tools)
    manners = ForgeManners(
        attempts=5,
        backoff_s=0.5,
        limit_bytes=256 << 20,
        answer_limit_s=600.0,
        run_limit_s=30 * 86_400.0,  # a log is followed for as long as it grows
        unencrypted=settings.allow_local_upstreams,
    )
    try:
        farm = ForgeHttp(
            url=settings.farm_url,
            token=token,
            secret=token.header("Bearer"),
            ca=settings.farm_ca,
            clock=tools.clock,
            manners=manners,
            ca_key="CI_FARM_CA",
        )
    except ConfigError as error:
        raise error.located(
            key="CI_FARM_URL" if error.problem != "is no file of certificates" else "CI_FARM_CA"
        ) from None
    try:
        yield farm
    finally:
        farm.close()


@contextmanager
def _telling(tools: BackendTools, job: Job | None = None) -> Iterator[ForgeHttp]:
    """The farm, whose refusals are told as those of a backend."""
    try:
        with _connected(tools) as farm:
            yield farm
    except ForgeHttpError as error:
        package = job.pkgbase if job else None
        if error.status == 409:
            raise RefusedError(error.said, package=package, hint=error.hint) from error
        if error.status == 404 and job is not None:
            raise NotReadyError(error.said, package=package, hint=error.hint) from error
        raise NotReadyError(f"the farm: {error.problem}", hint=error.hint or _hint(error)) from error


def _token(tools: BackendTools) -> Token:
    try:
        token = first_token(tools.environ, FARM_VARIABLES)
    except ValueError:
        raise ConfigError("holds something that is no token", key=_TOKEN_KEY) from None
    if token is None:
        raise ConfigError("is missing", key=_TOKEN_KEY, hint="the farm's operator gives one to each repository")
    return token


def _path(farm: ForgeHttp, tools: BackendTools) -> str:
    return f"{farm.prefix}/api/repositories/{quote(tools.settings.repo_name, safe='')}"


def _record(answer: ForgeAnswer) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise FormatError("is no object", key="the farm's answer")
    return value


def _listed(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = record.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise FormatError(f"has no {key}", key="the farm's answer")
    return found


def _in_parts(pairs: Sequence[tuple[str, str]]) -> list[Sequence[tuple[str, str]]]:
    """So few at a time that a URL holds them; one part when there is nothing."""
    return [pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE)] or [()]


def _next(answer: ForgeAnswer, otherwise: int) -> int:
    text = answer.headers.get("Log-Next", "")
    if not (text.isascii() and text.isdigit()):
        raise FormatError("does not say where the log goes on", key="the farm's answer")
    return max(otherwise, int(text))


def _moment(at_s: float) -> str:
    """Seconds since 1970 in so many digits that a farm takes them for a time."""
    return f"{max(0.0, at_s):016.6f}"


def _no_log(job: Job, answer: ForgeAnswer) -> NotReadyError:
    state = answer.headers.get("Job-State", JobState.QUEUED.value)
    return NotReadyError(f"job {job.number} has no log: it is {state}", package=job.pkgbase)


def _hint(error: ForgeHttpError) -> str | None:
    return f"{_TOKEN_KEY} holds the token of this repository's client" if error.status in (401, 403) else None
