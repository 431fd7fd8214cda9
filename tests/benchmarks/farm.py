"""A farm beside plain Buildbot: `python -m tests.benchmarks.farm --jobs 500 --workers 2 8`.

Every build is a shell script that takes a millisecond. Plain Buildbot is given as many requests, in no order, for one
builder whose steps send a file, run the script and fetch a file, which is what the farm does for each build, too; its
requests are added inside its master, which is the fastest way there is. The farm gets one schedule over HTTP and keeps
the order of a graph like the largest real repository's, or of chains of ten. A line of the script's own tells when it
ran: from that come the time between two builds of a worker, and how often one ran before what it needs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_toolkit.backends.buildbot import BuildbotBackend
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.farm.worker_facts import INFO_FILE
from ci_toolkit.formats.deptree import DeptreeRecord
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.state import PendingBuild
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.scheduling.schedule import Schedule
from tests.support.farm_stand import FarmStand, free_port, package_folder
from tests.support.jobs import COMMIT
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHAIN = 10
_DEADLINE_S = 3600.0
_STUB = """\
read -r order < order.json
field() { rest=${order#*\\"$1\\": \\"}; value=${rest%%\\"*}; }
field attempt; attempt=$value; field pkgbase; name=$value; field tree; tree=$value
began=$(date +%s%N)
printf '{"form": 1, "attempt": "%s", "pkgbase": "%s", "tree": "%s", "phases": [], "interference": [], "root": null,' \\
  "$attempt" "$name" "$tree" > result.json
printf '"installed": [], "outcome": {"kind": "skipped", "reason": "a stub"}}\\n' >> result.json
echo "$name $began $(date +%s%N)" >> TIMES
"""
_PLAIN = """\
import json, time
from buildbot.config import BuilderConfig
from buildbot.plugins import schedulers, steps, util, worker
from buildbot.process.properties import Property
from twisted.internet import defer
from buildbot.util.service import BuildbotService

JOBS, WORKERS, PORT, TOP = {jobs}, {workers}, {port}, {top!r}


class Bench(BuildbotService):
    name = "bench"

    def startService(self):
        self.left = JOBS
        d = super().startService()
        self.master.reactor.callLater({wait}, lambda: defer.ensureDeferred(self.submit()))
        return d

    async def submit(self):
        await self.master.mq.startConsuming(self.ended, ("builds", None, "finished"))
        builder = await self.master.data.updates.findBuilderId("plain")
        self.times = dict(began=time.time())
        for number in range(JOBS):
            await self.master.data.updates.addBuildset(
                waited_for=False, scheduler="plain", reason="", builderids=[builder], properties=dict(number=(number, "bench")),
                sourcestamps=[dict(codebase="", repository="", branch=None, revision="c" * 40, project="")])
        self.times["submitted"] = time.time()

    def ended(self, key, message):
        self.left -= 1
        if not self.left:
            self.times["ended"] = time.time()
            json.dump(self.times, open(TOP + "/times.json", "w"))


factory = util.BuildFactory([
    steps.StringDownload({order!r}, workerdest="order.json"),
    steps.ShellCommand(command=["/bin/sh", TOP + "/stub.sh"], logEnviron=False),
    steps.FileUpload(workersrc="result.json", masterdest=util.Interpolate(TOP + "/landed/%(prop:number)s")),
])
names = ["w%d" % number for number in range(WORKERS)]
c = BuildmasterConfig = dict(
    workers=[worker.Worker(name, "password", max_builds=1) for name in names],
    builders=[BuilderConfig(name="plain", workernames=names, factory=factory)],
    schedulers=[schedulers.Triggerable(name="plain", builderNames=["plain"])],
    services=[Bench()], protocols=dict(pb=dict(port="tcp:%d:interface=127.0.0.1" % PORT)),
    db=dict(db_url="sqlite:///state.sqlite"), buildbotNetUsageData=None, collapseRequests=False,
)
"""
_PLAIN_TAC = """\
import os
from twisted.application import service
from buildbot.master import BuildMaster
basedir = os.path.dirname(os.path.abspath(__file__))
configfile = 'master.cfg'
application = service.Application('buildmaster')
BuildMaster(basedir, configfile).setServiceParent(application)
"""
_PLAIN_WORKER = """\
import os
from twisted.application import service
from buildbot_worker.bot import Worker
application = service.Application("worker")
Worker("127.0.0.1", {port}, {name!r}, "password", os.path.dirname(os.path.abspath(__file__)), 600).setServiceParent(application)
"""
_TWISTD = "from twisted.scripts.twistd import run; run()"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run: `gap_ms` lies between two builds of a worker, `violations` ran before what they need."""

    name: str
    jobs: int
    workers: int
    submit_s: float
    drain_s: float
    cpu_s: float
    peak_mb: float
    gaps_ms: tuple[float, ...] = ()
    violations: int | None = None

    def shown(self) -> str:
        gap = f"{statistics.median(self.gaps_ms):.0f} ms" if self.gaps_ms else "–"
        violations = "–" if self.violations is None else str(self.violations)
        return (
            f"| {self.name} | {self.workers} | {self.jobs:,} | {self.submit_s:.2f} s | {self.drain_s:.1f} s"
            f" | {self.jobs / self.drain_s:.1f} | {gap} | {violations} | {self.cpu_s:.0f} s | {self.peak_mb:.0f} MB |"
        )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--runs", nargs="+", choices=_RUNS, default=list(_RUNS))
    options = parser.parse_args()
    print("| | workers | jobs | submit | submit and drain | jobs/s | between builds | violations | CPU | memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for workers in options.workers:
        for run in options.runs:
            with tempfile.TemporaryDirectory(prefix="farm-bench-") as folder:
                print(_RUNS[run](Path(folder), options.jobs, workers).shown(), flush=True)


def graph_of_a_repository(top: Path, jobs: int, workers: int) -> Row:
    """About as connected as the largest: 2.4 needs each, half of them a few libraries."""
    chance = random.Random(1)
    needs: dict[str, set[str]] = {f"p{number}": set() for number in range(jobs)}
    for _ in range(int(2.4 * jobs)):
        user = chance.randrange(1, jobs)
        needed = chance.randrange(min(user, 20)) if chance.random() < 0.5 else chance.randrange(user)
        needs[f"p{user}"].add(f"p{needed}")
    return farm(top, "farm, as a repository", needs, workers)


def chains(top: Path, jobs: int, workers: int) -> Row:
    """Each needs the one before, ten times."""
    needs = {f"p{number}": {f"p{number - 1}"} if number % _CHAIN else set[str]() for number in range(jobs)}
    return farm(top, "farm, chains of ten", needs, workers)


def farm(top: Path, name: str, needs: Mapping[str, Iterable[str]], workers: int) -> Row:
    """One farm, one schedule."""
    names = [f"w{number}" for number in range(workers)]
    stand = FarmStand(top=top / "master", workers=dict.fromkeys(names, "class 1 slots 1"), deadline_s=9)
    try:
        stand.start_master()
        for worker in names:
            stand.start_worker(worker)
            _have_run_stub(stand, worker)
        time.sleep(8)  # until the master has heard what they run
        settings = parse_settings(
            KeyValueFile.parse(
                f"REPO_NAME=samples\nBUILD_REPO=samples\nCI_FARM_URL=http://127.0.0.1:{stand.web_port}\n".encode(),
                file="config",
            ),
            {},
        )
        tools = BackendTools(top=top, environ={"CI_FARM_TOKEN": stand.token}, settings=settings, clock=SystemClock())
        folders = {Pkgbase(one): package_folder(Tiny(name=one)) for one in needs}
        schedule = Schedule(
            request="bench",
            commit=COMMIT,
            builds=tuple(PendingBuild(pkgbase=Pkgbase(one), builder_class=None) for one in needs),
            deptree=tuple(
                DeptreeRecord(pkgbase=Pkgbase(one), names=(one,), dependencies=tuple(sorted(others)))
                for one, others in sorted(needs.items())
            ),
        )
        cpu_s = _cpu_s(stand.processes["master"].pid)
        began = time.time()
        BuildbotBackend().submit(schedule, lambda packages: {one: folders[one] for one in packages}, tools)
        submitted = time.time()
        stand.wait(lambda: all(job.state.is_over for job in stand.jobs().values()), within_s=_DEADLINE_S)
        ended = max(job.ended_at_s or 0.0 for job in stand.jobs().values())
        pid = stand.processes["master"].pid
        gaps, violations = _looked_at(stand, names, needs)
        return Row(
            name=name,
            jobs=len(needs),
            workers=workers,
            submit_s=submitted - began,
            drain_s=ended - began,
            cpu_s=_cpu_s(pid) - cpu_s,
            peak_mb=_peak_mb(pid),
            gaps_ms=gaps,
            violations=violations,
        )
    finally:
        stand.end()


def _have_run_stub(stand: FarmStand, worker: str) -> None:
    """From when the master asks it next."""
    folder = stand.worker_folder(worker)
    script = folder / "stub.sh"
    script.write_text(_STUB.replace("TIMES", str(folder / "times")))
    info = folder / "info" / INFO_FILE
    info.write_text(json.dumps({**json.loads(info.read_text()), "program": ["/bin/sh", str(script)]}))


def _looked_at(
    stand: FarmStand, workers: Iterable[str], needs: Mapping[str, Iterable[str]]
) -> tuple[tuple[float, ...], int]:
    times, gaps = dict[str, tuple[int, int]](), list[float]()
    for worker in workers:
        rows = [line.split() for line in (stand.worker_folder(worker) / "times").read_text().splitlines()]
        spans = sorted((int(began), int(ended), name) for name, began, ended in rows)
        gaps += [(later[0] - earlier[1]) / 1e6 for earlier, later in itertools.pairwise(spans)]
        times |= {name: (began, ended) for began, ended, name in spans}
    violations = sum(times[name][0] < times[other][1] for name, others in needs.items() for other in others)
    return tuple(gaps), violations


def plain(top: Path, jobs: int, workers: int) -> Row:
    """Buildbot alone."""
    port = free_port()
    (top / "stub.sh").write_text(_STUB.replace("TIMES", str(top / "ran")))
    order = json.dumps({"attempt": "a" * 32, "pkgbase": "p", "tree": "b" * 40}) + "\n"
    (top / "master.cfg").write_text(
        _PLAIN.format(jobs=jobs, workers=workers, port=port, top=str(top), order=order, wait=8)
    )
    (top / "buildbot.tac").write_text(_PLAIN_TAC)
    _upgrade(top)
    processes = [_twistd(top)]
    try:
        for number in range(workers):
            folder = top / f"w{number}"
            (folder / "info").mkdir(parents=True)
            (folder / "buildbot.tac").write_text(_PLAIN_WORKER.format(port=port, name=f"w{number}"))
            processes.append(_twistd(folder))
        end = time.monotonic() + _DEADLINE_S
        while not (top / "times.json").exists() or not (top / "times.json").stat().st_size:
            assert time.monotonic() < end
            time.sleep(0.2)
        times: dict[str, Any] = json.loads((top / "times.json").read_text())
        pid = processes[0].pid
        return Row(
            name="plain Buildbot, no order",
            jobs=jobs,
            workers=workers,
            submit_s=times["submitted"] - times["began"],
            drain_s=times["ended"] - times["began"],
            cpu_s=_cpu_s(pid),
            peak_mb=_peak_mb(pid),
        )
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _upgrade(top: Path) -> None:
    code = "import sys; from buildbot.scripts.upgrade_master import upgradeMaster as f; sys.exit(f({'basedir': sys.argv[1], 'quiet': True}))"
    subprocess.run([sys.executable, "-c", code, str(top)], check=True, capture_output=True)


def _twistd(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        words = ("-c", _TWISTD, "--nodaemon", "--no_save", "--logfile=-", "--pidfile=", "--python=buildbot.tac")
        return subprocess.Popen((sys.executable, *words), cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


_RUNS = {"plain": plain, "repository": graph_of_a_repository, "chains": chains}


if __name__ == "__main__":
    main()
