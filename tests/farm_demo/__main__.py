"""The story of a farm, told by running it: `python -m tests.farm_demo [--postgres] [--only PACKAGE …] [--folder DIR]`.

The sample packages are built by the local backend, and by a master with two workers of which one is killed. Both publish
with one key and sign at one pinned time, so that every file and every entry of the databases has to be the same.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.model.job import JobState
from tests.demo.__main__ import TOP, Story, relative
from tests.demo.build_steps import TOOLS
from tests.farm_demo.database import foreground_postgres
from tests.farm_demo.machines import Machines
from tests.farm_demo.published import compare, read_published
from tests.farm_demo.watchers import Watchers
from tests.support.farm_stand import free_port
from tests.support.samples import lay_out
from tests.support.upstreams import Upstreams

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from ci_toolkit.model.job import Job

# Their classes and slots: one of the samples is for class 3 and higher.
WORKERS = {"one": ("2", "1"), "two": ("3", "2")}
VICTIM, OTHER = WORKERS
_NOBODYS_PACKAGES = (".ci", ".editorconfig", ".gitignore")
# Both sides sign at this moment, seconds since 1970, so that signatures are comparable, too.
_SIGNED_AT = 1_790_000_000
_GPG = '#!/bin/sh\nexec {gpg} --faked-system-time {time}! "$@"\n'
_GONE_S = 15.0
_ALERT = "FarmWorkerDied"


class FarmStory:
    """Two package repositories that are equal, one for each backend."""

    def __init__(self, folder: Path, options: Namespace) -> None:
        self.folder, self._options = folder, options
        self.local, programs = Story(folder / "local"), folder / "programs"
        self.farm = Story(folder / "farm", after=self.local)
        self._pin_signing_time(programs)
        self.killed: Job | None = None
        self._metrics_ports = {name: free_port() for name in WORKERS}

    def _pin_signing_time(self, programs: Path) -> None:
        programs.mkdir()
        (programs / "gpg").write_text(_GPG.format(gpg=shutil.which("gpg"), time=_SIGNED_AT))
        (programs / "gpg").chmod(0o755)
        for story in (self.local, self.farm):
            story.env["PATH"] = f"{programs}:{story.env['PATH']}"

    def tell(self, upstreams: Upstreams, machines: Machines, database: str | None) -> bool:
        """Every step of it; whether both published the same."""
        self._lay_out(upstreams)
        self._build_here()
        self._set_up(machines, database)
        watchers = self._watch(machines)
        self._build_there(machines)
        if watchers is not None:
            self._hear_alert(machines, watchers)
        self._end(machines)
        return self._compare()

    def _lay_out(self, upstreams: Upstreams) -> None:
        self.local.step(f"The same packages, twice, each with an origin of its own; upstreams are at {upstreams.url}.")
        files = self._chosen(lay_out(upstreams))
        for story in (self.local, self.farm):
            story.begin(files)
        self.farm.call("git", "log", "--format=%H %an: %s", "--shortstat")
        same = len({story.origin.refs()["refs/heads/main"] for story in (self.local, self.farm)}) == 1
        self.farm.expect("both are at the same commit", holds=same)

    def _chosen(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        wanted = {*_NOBODYS_PACKAGES, *self._options.only}
        return {path: text for path, text in files.items() if not self._options.only or path.split("/")[0] in wanted}

    def _build_here(self) -> None:
        self.local.step("The local backend: on-commit schedules all of it, and builds run builds and publishes here.")
        self.local.toolkit("on-commit")
        self.local.toolkit("builds", "run", "--demo-key")

    def _set_up(self, machines: Machines, database: str | None) -> None:
        story = self.farm
        story.step("A farm: a folder for the master, two workers, and a client, which is the CI of the packages.")
        story.toolkit("farm", "master", "create", "../master")
        key = self.folder / "local/home/.local/share/ci-toolkit/demo-key/demo-key.asc"
        text = machines.farm_file(key=key)
        (self.folder / "farm/master/farm.toml").write_text(text)
        if database is not None:
            write_file(self.folder / "farm/master/secrets/database-url", f"{database}\n".encode(), mode=0o600)
            print("   The URL of PostgreSQL, which may have a password in it, is in secrets/database-url.")
        print("   farm.toml, as somebody would fill it in; the key is the one that the local backend signed with:\n")
        print("".join(f"      {line}\n" for line in text.splitlines()), flush=True)
        for name, (number, slots) in WORKERS.items():
            story.toolkit("farm", "master", "add-worker", "../master", name, "--class", number, "--slots", slots)
            story.toolkit(
                *("farm", "worker", "create", f"../{name}", "--name", name),
                *("--master", f"tcp:127.0.0.1:{machines.workers_port}"),
                *("--password-file", f"../master/secrets/workers/{name}"),
                *("--metrics", f"tcp:{self._metrics_ports[name]}:interface=127.0.0.1"),
            )
        self._add_client()
        story.toolkit("farm", "check", "../master")
        story.toolkit("farm", "check", f"../{VICTIM}")

        story.step("It is started: ci-toolkit farm master run, and ci-toolkit farm worker run twice.")
        machines.start_master()
        for name in WORKERS:
            machines.start_worker(name)
        for name in ("master", *WORKERS):
            print(
                f"   {name:<8} process {machines.number(name)}, its log is {relative(self.folder / 'farm' / name)}.log"
            )
        story.env |= {"CI_BACKEND": "buildbot", "CI_FARM_URL": machines.url}

    def _add_client(self) -> None:
        words = ("farm", "master", "add-client", "../master", "ci", "--repository", "samples", "--source", "samples")
        print(f"   $ CI_FARM_TOKEN=$(ci-toolkit {' '.join(words)})", flush=True)
        story = self.farm
        done = subprocess.run(("ci-toolkit", *words), cwd=story.packages, env=story.env, check=True, stdout=-1)
        story.env["CI_FARM_TOKEN"] = done.stdout.decode().strip()

    def _watch(self, machines: Machines) -> Watchers | None:
        story = self.farm
        story.step("Who watches: the configuration of Prometheus and Alertmanager is rendered from stack.toml.")
        if missing := Watchers.missing():
            print(f"   left out: {', '.join(missing)} is not installed; README says what to install")
            return None
        watchers = Watchers(self.folder / "farm/stack", machines)
        watchers.top.mkdir()
        text = watchers.stack_file(self._metrics_ports)
        (watchers.top / "stack.toml").write_text(text)
        print("".join(f"      {line}\n" for line in text.splitlines()), flush=True)
        story.toolkit("stack", "render", "../stack")
        story.toolkit("stack", "status", "../stack")
        watchers.start()
        everybody = {"master", *WORKERS}
        machines.wait("Prometheus asks master and workers", lambda: watchers.healthy_targets() == everybody)
        print(f"   Prometheus asks {', '.join(sorted(everybody))}, and has answers", flush=True)
        return watchers

    def _hear_alert(self, machines: Machines, watchers: Watchers) -> None:
        machines.wait(f"Alertmanager is told of {VICTIM}", lambda: watchers.alert(_ALERT))
        alert = watchers.alert(_ALERT) or {}
        print(f"\n   Alertmanager was told: {alert['annotations']['summary']}", flush=True)
        self.farm.expect("it is about the worker that was killed", holds=alert["labels"]["worker"] == VICTIM)
        every = {"samples": float(len(machines.jobs()))}
        counted = 'ci_toolkit_farm_builds_total{outcome="succeeded"}'
        machines.wait("Prometheus has counted every build", lambda: watchers.asked(counted) == every)

    def _build_there(self, machines: Machines) -> None:
        story = self.farm
        story.step("The farm: on-commit hands the same schedule over by HTTP, and the workers build.")
        story.toolkit("on-commit", CI_BACKEND="buildbot", CI_FARM_URL=machines.url)
        progress = _Progress(machines)
        machines.wait("some are built", lambda: progress.done() >= len(progress.seen) // 3)
        while self.killed is None:
            machines.wait(f"{VICTIM} builds", lambda: progress.done() and progress.is_building(VICTIM))
            self.killed = machines.is_stopped_while_building(VICTIM)
        machines.end(VICTIM, signal.SIGKILL)
        print(
            f"\n   kill -9 {machines.number(VICTIM)}: worker {VICTIM}, which builds {self.killed.pkgbase}\n", flush=True
        )
        machines.wait("all are built", lambda: progress.done() == len(progress.seen))
        story.toolkit("builds", "list")
        job = machines.jobs()[self.killed.pkgbase]
        story.toolkit("builds", "show", str(job.number))
        story.expect("everything is built", holds={one.state for one in machines.jobs().values()} == _GOOD)
        story.expect("the lost build was made elsewhere", holds=(job.losses, job.worker) == (1, OTHER))

    def _end(self, machines: Machines) -> None:
        print(f"\n   worker {OTHER} is told to finish (SIGHUP), the master to stop (SIGTERM):")
        for name, number in ((OTHER, signal.SIGHUP), ("master", signal.SIGTERM)):
            print(f"   {name} ended with status {machines.end(name, number)}", flush=True)

    def _compare(self) -> bool:
        self.farm.step("What both published is compared, byte for byte.")
        print(f"   Both signed with one key, for which gpg was told that it is {_SIGNED_AT} s since 1970, always.\n")
        repository = f"repository/{os.uname().machine}"
        here = self.folder / "local/home/.local/share/ci-toolkit/builds/samples" / repository
        there = self.folder / "farm/master/repositories/samples" / repository
        same = True
        for kind, count, differing in compare(read_published(here, "samples"), read_published(there, "samples")):
            same = same and count > 0 and not differing
            said = "all the same" if not differing else f"DIFFERENT: {', '.join(differing)}"
            print(f"   {count:>4} {kind:<26} {said}")
        print(f"\n   {relative(here)}\n   {relative(there)}", flush=True)
        return same


_GOOD = {JobState.SUCCEEDED}


class _Progress:
    """Looks at the jobs and says what has changed."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self.seen: dict[str, Job] = {}
        self.done()

    def done(self) -> int:
        """How many are over."""
        for name, job in self._machines.jobs().items():
            before = self.seen.get(name)
            if before is not None and before.state is not job.state:
                where = f" on {job.worker}" if job.state is JobState.BUILDING else f": {job.reason}"
                print(f"   {name}: {job.state.value}{where}", flush=True)
            self.seen[name] = job
        return sum(job.state.is_over for job in self.seen.values())

    def is_building(self, worker: str) -> bool:
        """Whether a worker builds something, as far as was seen."""
        return any(job.state is JobState.BUILDING and job.worker == worker for job in self.seen.values())


def main() -> int:
    """Tell the story from the beginning."""
    options = _options()
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        print(f"{', '.join(missing)} is not installed; README says what to install", file=sys.stderr)
        return 1
    folder = _fresh(options.folder)
    started = time.monotonic()
    story = FarmStory(folder, options)
    with ExitStack() as open_:
        upstreams = open_.enter_context(Upstreams(folder / "upstreams", story.local.env))
        database = os.environ.get("FARM_DATABASE")
        if options.postgres:
            database = open_.enter_context(foreground_postgres())
        machines = open_.enter_context(Machines(folder / "farm", dict(story.farm.env)))
        same = story.tell(upstreams, machines, database)
    took = f"That took {time.monotonic() - started:.0f} s, with Buildbot's data in {_kind(database)}."
    if not same:
        print(f"\nThe farm has published something else than the local backend. {took}", file=sys.stderr)
        return 1
    print(f"\n{took} Worker one was killed, and the farm has published the same as the local backend.")
    print("Everything is still there to look around in, and every process is ended:\n")
    print(f"   {relative(folder / 'farm/master')}     the master: farm.toml, jobs, logs, store, what is published")
    print(f"   {relative(folder / 'farm/two')}        the worker that was left, beside the one that was killed")
    print(f"   {relative(folder / 'farm/packages')}   the package repository whose CI handed its schedule over")
    print(f"   {relative(folder / 'farm/stack')}      what was rendered for Prometheus, Alertmanager and others")
    print(f"   {relative(folder / 'local')}           the same with the local backend")
    return 0


def _options() -> Namespace:
    parser = ArgumentParser(prog="make farm-demo", description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="Buildbot's data in a PostgreSQL that is thrown away")
    parser.add_argument("--only", nargs="+", default=[], metavar="PACKAGE", help="these samples instead of all")
    parser.add_argument("--folder", type=Path, default=TOP / "farm-demo", metavar="DIR")
    return parser.parse_args()


def _fresh(folder: Path) -> Path:
    """An empty folder; builds of a run that was killed may take a moment to notice that."""
    end = time.monotonic() + _GONE_S
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=time.monotonic() < end)
    folder.mkdir(parents=True)
    return folder.resolve()


def _kind(database: str | None) -> str:
    return "SQLite" if database is None or database.startswith("sqlite") else "PostgreSQL"


if __name__ == "__main__":
    sys.exit(main())
