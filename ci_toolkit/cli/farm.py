"""`ci-toolkit farm`."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, NotReadyError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ci_toolkit.cli.surface import Terminal

NAME = "farm"
HELP = "have many machines build for one: a master, its workers, and what is needed to set them up"
_TWISTD = "from twisted.scripts.twistd import run; run()"  # its script may not be on PATH
_HINT = "pip install 'ci-toolkit[farm]'"


def declare(parser: ArgumentParser) -> None:
    """Add arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    master = verbs.add_parser("master", help="the machine that decides, signs and publishes")
    steps = master.add_subparsers(dest="step", required=True, metavar="STEP")
    create = steps.add_parser("create", help="make a folder for a master, to be filled in")
    run = steps.add_parser("run", help="serve until it is ended")
    worker_entry = steps.add_parser("add-worker", help="enter a worker, and make a password for it")
    client_entry = steps.add_parser("add-client", help="enter one who may submit, and print its token this once")
    for step in (create, run, worker_entry, client_entry):
        step.add_argument("folder", metavar="DIR", type=Path, help="the master's folder")
    for step in (worker_entry, client_entry):
        step.add_argument("name", metavar="NAME")
    worker_entry.add_argument("--class", dest="builder_class", type=int, default=1, help="1 or higher (%(default)s)")
    worker_entry.add_argument("--slots", type=int, default=1, help="builds at once (%(default)s)")
    client_entry.add_argument("--repository", action="append", default=[], help="that it may submit to")
    client_entry.add_argument("--source", action="append", default=[], help="BUILD_REPO that it may submit for")
    client_entry.add_argument(
        "--operates", action="store_true", help="it may drain and resume workers and purge jobs, too"
    )
    worker = verbs.add_parser("worker", help="a machine that builds")
    steps = worker.add_subparsers(dest="step", required=True, metavar="STEP")
    create = steps.add_parser("create", help="make a folder for a worker")
    create.add_argument("--name", required=True, help="as the master calls it")
    create.add_argument("--master", required=True, help="where: tls:farm.example.org:9989, or tcp:127.0.0.1:9989")
    create.add_argument("--password-file", required=True, type=Path, help="that `add-worker` made; - for stdin")
    create.add_argument("--metrics", metavar="ENDPOINT", help="serve metrics there: tcp:9990:interface=127.0.0.1")
    run = steps.add_parser("run", help="serve until it is ended; with SIGHUP, until what it builds is finished")
    for step in (create, run):
        step.add_argument("folder", metavar="DIR", type=Path, help="the worker's folder")
    workers = verbs.add_parser("workers", help="the machines of the farm at CI_FARM_URL, with what they do")
    workers.add_argument("--json", action="store_true", help="print JSON on stdout")
    drain = verbs.add_parser("drain", help="have a worker finish what it builds and take nothing more")
    drain.add_argument("--reason", default="somebody drained it", help="what others are told (%(default)s)")
    resume = verbs.add_parser("resume", help="have a worker that was drained or quarantined take builds again")
    for verb in (drain, resume):
        verb.add_argument("worker", metavar="WORKER")
    check = verbs.add_parser("check", help="whether a master or worker could be run as it is")
    check.add_argument("folder", metavar="DIR", type=Path)
    build = verbs.add_parser("build", help="what a worker's engine calls: one build, in the folder of its order")
    build.add_argument("--cache", metavar="DIR", type=Path, required=True)


def run(options: Namespace, terminal: Terminal) -> int:
    """Do what the verb says."""
    if options.verb == "build":
        return _build(options, terminal)
    if options.verb in ("workers", "drain", "resume"):
        return _operate(options, terminal)
    if find_spec("buildbot") is None or find_spec("buildbot_worker") is None:
        raise NotReadyError("a farm needs Buildbot, which is not installed", hint=_HINT)
    match options.verb, getattr(options, "step", None):
        case "master", "run":
            _run_master(terminal.cwd / options.folder)
        case "master", _:
            _change_master(options, terminal)
        case "worker", "run":
            from ci_toolkit.farm.worker_service import run_worker  # noqa: PLC0415 - takes long to import

            run_worker((terminal.cwd / options.folder).resolve(), terminal.environ)
        case "worker", _:
            _create_worker(options, terminal)
        case _:
            _check(options, terminal)
    return 0


def _change_master(options: Namespace, terminal: Terminal) -> None:
    from ci_toolkit.farm.creating import add_client, add_worker, create_master  # noqa: PLC0415 - as above

    top = (terminal.cwd / options.folder).resolve()
    match options.step:
        case "create":
            create_master(top)
            terminal.say(f"{top / 'farm.toml'} is to be filled in; then: ci-toolkit farm master run {options.folder}\n")
        case "add-worker":
            _at_least_one("--class", options.builder_class)
            _at_least_one("--slots", options.slots)
            path = add_worker(top, options.name, builder_class=options.builder_class, slots=options.slots)
            terminal.say(f"worker {options.name} is entered, and its password is in {path}; restart the master\n")
        case _:
            token = add_client(
                top,
                options.name,
                repositories=options.repository,
                sources=options.source,
                operates=options.operates,
            )
            terminal.stdout.write(f"{token}\n")
            terminal.stderr.write(f"that is the token of {options.name}, for CI_FARM_TOKEN; restart the master\n")


def _create_worker(options: Namespace, terminal: Terminal) -> None:
    from ci_toolkit.farm.creating import create_worker  # noqa: PLC0415 - as above

    path = options.password_file
    password = sys.stdin.readline() if str(path) == "-" else (terminal.cwd / path).read_text()
    top = (terminal.cwd / options.folder).resolve()
    create_worker(top, name=options.name, master=options.master, password=password.strip(), metrics=options.metrics)
    terminal.say(f"{top} is a worker now; begin it with: ci-toolkit farm worker run {options.folder}\n")


def _run_master(top: Path) -> None:
    """Become Buildbot's master, in the foreground."""
    from ci_toolkit.effects.exclusive_lock import hold_to_the_end  # noqa: PLC0415 - as above
    from ci_toolkit.farm.master_database import prepare_master  # noqa: PLC0415
    from ci_toolkit.formats.farm_layout import FARM_FILE  # noqa: PLC0415

    if (top / FARM_FILE).exists():  # else what follows says that there is no farm
        hold_to_the_end(top / "master.lock", who="farm master run")
    prepare_master(top)
    os.chdir(top)
    # No file with a number of a process: in a container the master of before had the same one, and would seem to run.
    words = [sys.executable, "-c", _TWISTD, "--nodaemon", "--no_save", "--logfile=-", "--pidfile="]
    os.execv(sys.executable, [*words, "--python=buildbot.tac"])  # noqa: S606 - no shell, and our own words


def _check(options: Namespace, terminal: Terminal) -> None:
    from ci_toolkit.farm.checking import check_folder  # noqa: PLC0415 - as above

    for said in check_folder((terminal.cwd / options.folder).resolve(), terminal.environ):
        terminal.say(f"{said}\n")


def _operate(options: Namespace, terminal: Terminal) -> int:
    """Ask the farm, which may be anywhere; Buildbot is not needed for that."""
    from ci_toolkit.backends.buildbot import BuildbotBackend  # noqa: PLC0415 - as above
    from ci_toolkit.backends.spec import LooksAfterWorkers  # noqa: PLC0415 - as above
    from ci_toolkit.cli.build_backend import opened_backend  # noqa: PLC0415 - as above
    from ci_toolkit.reports.workers import workers_text  # noqa: PLC0415 - as above

    backend, tools = opened_backend(terminal)
    farm = backend if isinstance(backend, LooksAfterWorkers) else BuildbotBackend()
    match options.verb:
        case "drain":
            terminal.say(farm.drain(options.worker, options.reason, tools) + "\n")
        case "resume":
            terminal.say(farm.resume(options.worker, tools) + "\n")
        case _:
            found = farm.workers(tools)
            now_s = terminal.clock.now()
            terminal.say(json.dumps(found, indent=2) + "\n" if options.json else workers_text(found, now_s=now_s))
    return 0


def _build(options: Namespace, terminal: Terminal) -> int:
    from ci_toolkit.farm.worker_build import WorkerBuild, die_with_parent  # noqa: PLC0415 - as above

    die_with_parent()

    def show(line: str) -> None:
        terminal.stdout.write(line)
        terminal.stdout.flush()

    WorkerBuild(
        folder=terminal.cwd,
        cache=options.cache,
        environ=terminal.environ,
        clock=terminal.clock,
        redactor=terminal.redactor,
        show=show,
    ).run()
    return 0


def _at_least_one(key: str, number: int) -> None:
    if number < 1:
        raise ConfigError("is no number of 1 or more", key=key, got=str(number))
