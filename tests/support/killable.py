"""ci-toolkit in processes that kill themselves at one of their writes, and that are quick to start.

`python -m tests.support.killable` imports everything once and then reads jobs, one JSON object a line; each runs in a
fork of it. Boundaries are counted just before everything that changes something: objects, fetches, pushes, files. What
is just after one is just before the next, or before the end, which is the last. With number 0 nothing is killed.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import ci_toolkit
from ci_toolkit.backends import chaotic_manager, job_database
from ci_toolkit.building import running_builds
from ci_toolkit.cli.main import run
from ci_toolkit.effects import cache_files, files
from ci_toolkit.effects.process import Processes
from ci_toolkit.store import index_file
from tests.support.instant_recipe import InstantRecipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TOP = Path(__file__).parents[2]
_WRITING = ("fetch", "push", "index-pack")
_PUBLISHING = {"os": ("replace", "symlink", "unlink", "mkdir", "rmdir"), "shutil": ("rmtree", "copyfileobj")}


class Boundaries:
    """Counts boundaries and kills at one of them."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.count = 0

    def cross(self) -> None:
        """One more."""
        self.count += 1
        if self.count == self.target:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, place: Any, name: str, applies: Callable[..., bool] = lambda *_: True) -> None:
        """Have a boundary before a function of a module or class, where `applies` says that it writes."""
        function = getattr(place, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if applies(*arguments):
                self.cross()
            return function(*arguments, **options)

        setattr(place, name, call)


def _watch_pipelines(boundaries: Boundaries, _: list[str]) -> None:
    boundaries.before(Processes, "run", lambda _, argv: any(word in _WRITING for word in argv))
    for module in (files, chaotic_manager, cache_files):
        for name in ("write_file", "remove_file"):
            if hasattr(module, name):
                boundaries.before(module, name)


def _watch_publishing(boundaries: Boundaries, words: list[str]) -> None:
    """The writes of `ci-toolkit publish` but for those of the folder for the key."""
    repository = words[words.index("--repo") + 1]

    def is_published(*paths: object) -> bool:
        return any(str(path).startswith(repository) for path in paths if isinstance(path, str | os.PathLike))

    for module, names in _PUBLISHING.items():
        for name in names:
            applies = (lambda *_: True) if name == "copyfileobj" else is_published
            boundaries.before(importlib.import_module(module), name, applies)
    boundaries.before(Processes, "run", lambda _, argv: argv[0] in ("repo-add", "repo-remove"))


def _watch_builds(boundaries: Boundaries, _: list[str]) -> None:
    """The writes of `ci-toolkit builds run`, whose packages come from the instant recipe.

    Boundaries stand before every commit of jobs and store, and before everything that moves, links or removes files
    outside of the published folder, which has a test of its own.
    """
    setattr(running_builds, "load_recipes", lambda: (InstantRecipe(),))  # noqa: B010 - not what it offers to others
    for module in (job_database, index_file):
        plain = getattr(module, "transaction")  # noqa: B009 - likewise

        @contextmanager
        def watched(connection: Any, plain: Any = plain) -> Iterator[None]:
            with plain(connection):
                yield
                boundaries.cross()  # nothing is written yet, as just after the last one

        setattr(module, "transaction", watched)  # noqa: B010 - likewise
    home = os.environ["HOME"]

    def is_ours(*paths: object) -> bool:
        texts = [str(path) for path in paths if isinstance(path, str | os.PathLike)]
        return any(text.startswith(home) and "/repository/" not in text for text in texts)

    for holder, names in ((os, ("link", "replace", "symlink")), (shutil, ("rmtree",)), (Path, ("replace", "unlink"))):
        for name in names:
            boundaries.before(holder, name, is_ours)


@dataclass(frozen=True)
class Ended:
    """How a job ended; `boundaries` is how many there were, None when it did not come to its end."""

    status: int
    stderr: str
    boundaries: int | None

    @property
    def was_killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Killables:
    """Starts jobs, one at a time, within `with`."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.killable"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=TOP, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def start(self, *words: str, cwd: Path, env: Mapping[str, str], kill_at: int = 0) -> int:
        """Begin a job; gives its process id."""
        job = {"words": words, "cwd": str(cwd), "env": dict(env), "kill_at": kill_at}
        self._stream(self._process.stdin).write(json.dumps(job) + "\n")
        self._stream(self._process.stdin).flush()
        return int(self._stream(self._process.stdout).readline())

    def wait(self) -> Ended:
        """The end of the job that was begun."""
        return Ended(**json.loads(self._stream(self._process.stdout).readline()))

    def run(self, *words: str, cwd: Path, env: Mapping[str, str], kill_at: int = 0) -> Ended:
        """A job from begin to end."""
        self.start(*words, cwd=cwd, env=env, kill_at=kill_at)
        return self.wait()

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


def main() -> None:
    """Read jobs until there are no more."""
    for module in pkgutil.walk_packages(ci_toolkit.__path__, "ci_toolkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for line in sys.stdin:
        job = json.loads(line)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as counted:
            child = os.fork()
            if not child:
                _become(job, said, counted)
            print(child, flush=True)
            _, status = os.waitpid(child, 0)
            said.seek(0)
            counted.seek(0)
            ended = {
                "status": os.waitstatus_to_exitcode(status),
                "stderr": said.read().decode(),
                "boundaries": int(counted.read() or 0) or None,
            }
            print(json.dumps(ended), flush=True)


def _become(job: dict[str, Any], said: IO[bytes], counted: IO[bytes]) -> None:
    """Be the program until its end, with nothing of the process that this was forked from."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, file in enumerate((nothing, nothing, said.fileno())):
        os.dup2(file, descriptor)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv = ["ci-toolkit", *job["words"]]
    boundaries = Boundaries(job["kill_at"])
    watch = {"publish": _watch_publishing, "builds": _watch_builds}.get(job["words"][0], _watch_pipelines)
    watch(boundaries, job["words"])
    status = 70
    try:
        status = run()
        boundaries.cross()
        counted.write(str(boundaries.count).encode())
        counted.flush()
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:  # noqa: BLE001 - where the interpreter would end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
