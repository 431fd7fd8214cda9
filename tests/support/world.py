"""A package repository, its origin and its upstreams: everything a pipeline meets, on loopback."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.cli.main import main
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.redaction import Redactor
from tests.support.git import PERSON
from tests.support.sealed import sealed_environment
from tests.support.upstreams import Upstreams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_EDITORCONFIG = "root = true\n[*]\nindent_style = space\nindent_size = 2\n"
BOT = ("Package Bot", "bot@example.org")


class QuickClock:
    """Real time for `now`, no real waiting."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.offset_s = 0.0

    def now(self) -> float:
        return time.time() + self.offset_s

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True)
class Result:
    """What one invocation gave."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    def verdicts(self) -> dict[str, Any]:
        """Verdicts of a `--json` run, by package."""
        return {verdict["package"]: verdict for verdict in self.json["verdicts"]}

    def codes(self) -> dict[str, str]:
        """Codes of a `--json` run, by package."""
        return {name: verdict["code"] for name, verdict in self.verdicts().items()}

    def builds(self) -> list[str]:
        """What a `--json` run scheduled, in order."""
        return [build["package"] for build in self.json["schedule"]["builds"]]


@contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """One in a folder of its own, with upstreams that run as long."""
    with Upstreams(folder / "served", sealed_environment(folder / "server-home")) as upstreams:
        yield World(folder, upstreams)


class World:
    """A served origin with a clone of it in `work`, and upstreams beside it."""

    def __init__(self, folder: Path, upstreams: Upstreams) -> None:
        self.folder = folder
        self.upstreams = upstreams
        self.env = sealed_environment(folder / "home")
        self.origin = upstreams.origin()
        self.work = folder / "work"
        self.clock = QuickClock()

    def settings(self, **more: str) -> str:
        """A `.ci/config` that points at the loopback services."""
        values = {
            "REPO_NAME": "samples",
            "BUILD_REPO": "samples",
            "GIT_AUTHOR_NAME": BOT[0],
            "GIT_AUTHOR_EMAIL": BOT[1],
            "CI_HUMAN_REVIEW": "true",
            "CI_AUR_METADATA_URL": self.upstreams.dump_url,
            "CI_AUR_API_URL": f"{self.upstreams.url}/rpc/v5/info",
            "CI_AUR_GIT_URL": self.upstreams.aur_git_url,
            "CI_ALLOW_LOCAL_UPSTREAMS": "true",
            **more,
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def start(
        self, files: Mapping[str, str | bytes], *, settings: Mapping[str, str] | None = None, seen: bool = True
    ) -> None:
        """The first commit, on-commit done if `seen`, and a clone in `work`."""
        common = {".ci/config": self.settings(**(settings or {})), ".editorconfig": _EDITORCONFIG}
        self.origin.commit({**common, **files}, "feat: start", author=PERSON)
        if seen:
            self.origin.tag("scheduled", "main")
        self.clone()

    def clone(self, *options: str) -> None:
        """A fresh clone in `work`, as a CI job gets one; its objects come from the disk, so no request is counted."""
        if self.work.exists():
            shutil.rmtree(self.work)
        url = f"{self.upstreams.url}/origin.git"
        # git copies from a folder, which is twice as fast as asking, but then takes no depth.
        near = f"file://{self.origin.path}" if options else self.origin.path
        command = ["git", "-c", f"url.{near}.insteadOf={url}", "clone", "-q", "--no-hardlinks", *options, url]
        subprocess.run([*command, str(self.work)], check=True, env=self.env, capture_output=True)

    def push(
        self,
        files: Mapping[str, str | bytes],
        message: str = "change",
        *,
        branch: str = "main",
        remove: Iterable[str] = (),
    ) -> str:
        """A person's commit on the origin."""
        return self.origin.commit(files, message, branch=branch, remove=remove, author=PERSON)

    def run(self, *arguments: str, **variables: str) -> Result:
        """One invocation in this process."""
        stdout, stderr = io.StringIO(), io.StringIO()
        environ = {**self.env, **variables}
        terminal = Terminal(
            stdout=stdout,
            stderr=stderr,
            environ=environ,
            clock=self.clock,
            redactor=Redactor(environ),
            cwd=self.work,
        )
        try:
            status = main(arguments, terminal)
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Result(status, stdout.getvalue(), stderr.getvalue())

    def spawn(
        self, *arguments: str, wrapper: Iterable[str] = ("-m", "ci_toolkit"), **variables: str
    ) -> subprocess.Popen[str]:
        """One invocation in a process of its own."""
        return subprocess.Popen(
            [sys.executable, *wrapper, *arguments],
            cwd=self.work,
            env={**self.env, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def state(self, pkgbase: str) -> dict[str, str]:
        """A package's file on the state branch, empty when there is none."""
        tree = self.origin.tree("state") if self.origin.head("state") else {}
        lines = tree.get(pkgbase, b"").decode().split("\n")
        return dict(line.split("=", 1) for line in lines if line)

    def artifact(self, name: str) -> str:
        """One of the files that a run left for the next job."""
        return (self.work / ".ci" / name).read_text()
