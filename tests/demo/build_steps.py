"""The part of the story that builds: on this machine, into a signed repository that pacman installs from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support.pacman_stand import Client

if TYPE_CHECKING:
    from tests.demo.__main__ import Story

TOOLS = ("makepkg", "pacman", "repo-add", "bwrap", "fakeroot", "bsdtar", "zstd", "gpg", "gcc", "make")
_CHAIN = ("libtally", "tally", "tally-report")
# What every Arch system has, and an empty root has not.
_BASE = ("awk", "bash", "coreutils", "findutils", "glibc")
_ASSUMED = tuple(word for name in _BASE for word in ("--assume-installed", f"{name}=99"))


class BuildSteps:
    """Tells them where the tools are; else says which are not, and leaves them out."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        self.served = story.folder / "home/.local/share/ci-toolkit/builds/samples/repository" / os.uname().machine
        self.client: Client | None = None

    def everything(self) -> None:
        """The first round."""
        story = self.story
        story.step("builds run: all of it is built in clean roots, in order, signed, and published at once.")
        if self.missing:
            print(f"   left out, as {', '.join(self.missing)} is not installed; README says what to install")
            return
        story.toolkit("builds", "run", "--demo-key")
        story.toolkit("builds", "list")
        story.expect("everything is built", holds=self._states() == {"succeeded"})

        story.step("pacman, which trusts that key alone, installs tally-report and what it needs into an empty root.")
        self.client = Client(story.folder / "root", self.served, self.served / "samples.gpg", name="samples")
        self._pacman("-Sy")
        self._pacman("-S", *_ASSUMED, "tally-report", "lsdup")
        story.expect("the chain is installed", holds=set(_CHAIN) <= self.client.installed().keys())

    def what_changed(self) -> None:
        """The second round."""
        story = self.story
        story.step("builds run: only what changed is built.")
        if self.client is None:
            print("   left out, as above")
            return
        before = self._jobs()
        story.toolkit("builds", "run", "--demo-key")
        built = {name for name, job in self._jobs().items() if job != before.get(name)}
        story.expect(
            "two or three packages are built", holds=built <= {"lsdup", "ini-diff", "hexpeek-git"} and bool(built)
        )
        self._pacman("-Syu", *_ASSUMED)
        story.expect("pacman has the update", holds=self.client.installed()["lsdup"] == "1.4.1-1")

    def same_again(self) -> None:
        """A third, for which there is nothing to do."""
        story = self.story
        story.step("Everything is asked for once more: what is built of the same is found, and not built again.")
        if self.client is None:
            print("   left out, as above")
            return
        story.toolkit("builds", "run", "--demo-key")
        story.toolkit("schedule", "all")
        story.toolkit("builds", "run", "--demo-key")
        story.toolkit("logs", "tally-report")
        story.expect("nothing is built again", holds=self._states() == {"already built"})
        story.toolkit("publish", "check", "--demo-key")

    def _states(self) -> set[str]:
        return {str(state) for _, state in self._jobs().values()}

    def _jobs(self) -> dict[str, tuple[int, str]]:
        argv = ["ci-toolkit", "builds", "list", "--json"]
        done = subprocess.run(argv, cwd=self.story.packages, env=self.story.env, check=True, capture_output=True)
        return {job["package"]: (job["job"], job["state"]) for job in json.loads(done.stdout)}

    def _pacman(self, *words: str) -> None:
        print(f"   $ pacman --root demo/root {' '.join(words)}", flush=True)
        if self.client is not None:
            print(self.client.pacman(*words).stdout, flush=True)
