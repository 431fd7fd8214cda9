"""The story of a package repository that keeps itself up to date, told by running it: `python -m tests.demo`."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo.build_steps import BuildSteps
from tests.demo.recipe_steps import RecipeSteps
from tests.support.git import GitRepo
from tests.support.samples import lay_out, move_upstreams
from tests.support.sealed import sealed_environment
from tests.support.upstreams import Upstreams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOP = Path(__file__).parents[2]
FOLDER = TOP / "demo"
_BOLD, _PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class Story:
    """One telling: steps are numbered, commands are shown before they run. `after` is one that it goes on from."""

    def __init__(self, folder: Path, after: Story | None = None) -> None:
        self.env = {**sealed_environment(folder / "home"), **_look(), "CI_BACKEND": "local"}
        self.folder = folder
        self.origin = GitRepo.bare(folder / "origin.git", self.env)
        self.packages = folder / "packages"
        self._steps: Iterator[int] = itertools.count(1) if after is None else after._steps

    def begin(self, files: Mapping[str, bytes]) -> None:
        """Push the packages to the origin, and clone that."""
        self.origin.commit(files, "feat: a dozen packages")
        subprocess.run(["git", "clone", "-q", str(self.origin.path), str(self.packages)], env=self.env, check=True)
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            subprocess.run(["git", "-C", str(self.packages), "config", key, value], env=self.env, check=True)

    def step(self, text: str) -> None:
        """Say what comes next, and why."""
        print(f"\n{_BOLD}{next(self._steps)}. {text}{_PLAIN}", flush=True)

    def call(self, *command: str, status: int = 0, **variables: str) -> None:
        """Run a command in the package repository, its output where the reader sees it."""
        said = [f"{name}={value}" for name, value in variables.items()]
        print(f"   $ {' '.join([*said, shlex.join(command)])}", flush=True)
        done = subprocess.run(command, cwd=self.packages, env={**self.env, **variables}, check=False)
        if done.returncode != status:
            sys.exit(f"the demo expected status {status} and got {done.returncode}")

    def toolkit(self, *arguments: str, status: int = 0, **variables: str) -> None:
        """Run ci-toolkit."""
        self.call("ci-toolkit", *arguments, status=status, **variables)

    def expect(self, what: str, *, holds: bool) -> None:
        """Stop the demo when it did not do what it says."""
        if not holds:
            sys.exit(f"the demo expected that {what}")


def main() -> int:
    """Tell the story from the beginning."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    started = time.monotonic()
    story = Story(FOLDER)
    recipes = RecipeSteps(story)
    with Upstreams(FOLDER / "upstreams", story.env) as upstreams, recipes.served():
        tell(story, upstreams, recipes)
    print(f"\nThat took {time.monotonic() - started:.0f} s. Everything is still there to look around in:\n")
    print(f"   {relative(story.packages)}         the package repository; try git log --all --graph")
    print(f"   {relative(story.origin.path)}       its bare origin, with branch state and tag scheduled")
    print(f"   {relative(FOLDER / 'home/.local/share/ci-toolkit')}   builds: jobs, logs, store, and what is published")
    print(f"   {relative(FOLDER / 'upstreams')}        what the upstream servers served; they are stopped now")
    print(f"\n   .venv/bin/ci-toolkit explain pw-words --repository {relative(story.packages)}")
    return 0


def tell(story: Story, upstreams: Upstreams, recipes: RecipeSteps) -> None:
    """Every step of it."""
    story.step(f"A dozen packages, pushed to a bare origin; their upstreams are served at {upstreams.url}.")
    story.begin(recipes.chosen(lay_out(upstreams)))
    story.call("git", "log", "--format=%h %an: %s", "--shortstat")

    story.step("on-commit: everything is new, so everything is scheduled, dependencies first.")
    story.toolkit("on-commit")
    builds = BuildSteps(story)
    if not builds.missing:
        recipes.make_keys()
    builds.everything()
    if not builds.missing:
        recipes.published()

    story.step("on-schedule: nothing has moved; what the upstreams have today is recorded on branch state.")
    story.toolkit("on-schedule")

    story.step(
        "The upstreams move: lsdup and ini-diff a little, pw-words a lot, and hexpeek-git's project has a new commit."
    )
    move_upstreams(upstreams, int(time.time()))
    story.toolkit("on-schedule", "--dry-run")

    story.step("on-schedule: harmless changes are applied, the rest is put up for review, the -git package is rebuilt.")
    story.toolkit("on-schedule")
    builds.what_changed()
    story.call("git", "pull", "-q", "--ff-only")
    story.toolkit("reviews")
    story.call("git", "log", "--oneline", "--all", "--graph")

    story.step("A person looks at the review and merges it.")
    story.call("git", "diff", "--stat", "main...origin/update-pw-words")
    story.call("git", "merge", "-q", "--ff-only", "origin/update-pw-words")
    story.call("git", "push", "-q", "origin", "main")

    story.step("on-commit: the merged update is scheduled.")
    story.toolkit("on-commit")

    builds.same_again()

    story.step("An existing chaotic-manager fleet gets the same schedule as two files.")
    story.toolkit("schedule", "tally", CI_BACKEND="chaotic_manager")
    story.call("cat", ".ci/schedule-params.txt")

    story.step("on-schedule again: nothing to do but to remove the merged review branch.")
    story.toolkit("on-schedule")
    story.toolkit("explain", "pw-words")
    story.call("git", "fetch", "-q", "--prune")
    story.expect("no review is left", holds="refs/heads/update-pw-words" not in story.origin.refs())
    story.expect("tag and branch agree", holds=len({story.origin.refs()[ref] for ref in _ENDS}) == 1)


_ENDS = ("refs/heads/main", "refs/tags/scheduled")


def _look() -> dict[str, str]:
    """The reader's terminal, and where ci-toolkit is."""
    shown = {name: os.environ[name] for name in ("TERM", "COLUMNS", "NO_COLOR", "COLORTERM") if name in os.environ}
    return {**shown, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "GIT_PAGER": "cat"}


def relative(path: Path) -> str:
    """How a reader would write it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
