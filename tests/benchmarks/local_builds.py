"""What the local backend adds to makepkg: `python -m tests.benchmarks.local_builds --packages 300`.

Trivial packages without sources, each built once: a wide graph (nothing needs anything) with one slot and with two, a
chain (each needs the one before), and the wide graph scheduled a second time, when nothing has to be built. Beside them
makepkg alone builds some of the same packages before and after each run, one after the other and two at once, in the
same minutes on the same machine; its medians are what the overhead is counted from. Figures come from the operating system, as in `pipelines`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.pipelines import LAUNCHER
from tests.support.git import GitRepo
from tests.support.local_builds import Tiny, folders
from tests.support.sealed import sealed_environment

_SETTINGS = "REPO_NAME=samples\nBUILD_REPO=samples\nCI_BACKEND=local\n"
_PLAIN_RUNS = 10


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the backend: seconds, megabytes."""

    name: str
    builds: int
    wall_s: float
    cpu_s: float
    peak_mb: float


class Bench:
    """One repository after the other, and makepkg alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain_s: list[float] = []
        self.pair_s: list[float] = []

    def repository(self, name: str, packages: list[Tiny]) -> tuple[Path, dict[str, str]]:
        """A clone with everything scheduled, and its environment."""
        top = self.folder / name
        env = {**sealed_environment(top / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        origin = GitRepo.bare(top / "origin.git", env)
        origin.commit({".ci/config": _SETTINGS, **folders(*packages)}, "feat: start")
        subprocess.run(["git", "clone", "-q", str(origin.path), str(top / "work")], check=True, env=env)
        subprocess.run(["ci-toolkit", "on-commit"], cwd=top / "work", env=env, check=True, capture_output=True)
        return top / "work", env

    def build(self, name: str, work: Path, env: dict[str, str], *, slots: int, count: int) -> Run:
        """Run the backend until nothing is left."""
        self.plain()
        argv = [sys.executable, "-c", LAUNCHER, shutil.which("ci-toolkit", path=env["PATH"]) or ""]
        argv += ["builds", "run", "--demo-key"]
        done = subprocess.run(
            argv, cwd=work, env={**env, "CI_BUILD_SLOTS": str(slots)}, capture_output=True, text=True, check=False
        )
        cpu_s, peak_kb, status, wall_s = done.stderr.strip().splitlines()[-1].split()
        if int(status) or f"{count} " not in done.stdout:
            sys.exit(f"{name} failed:\n{done.stdout}\n{done.stderr}")
        self.plain()
        return Run(name=name, builds=count, wall_s=float(wall_s), cpu_s=float(cpu_s), peak_mb=int(peak_kb) / 1024)

    def plain(self) -> None:
        """makepkg alone, one after the other and then two at once."""
        for _ in range(_PLAIN_RUNS):
            self.plain_s.append(_makepkg_alone())
        with ThreadPoolExecutor(2) as pool:
            started = time.monotonic()
            list(pool.map(lambda _: _makepkg_alone(), range(_PLAIN_RUNS)))
            self.pair_s.append((time.monotonic() - started) / _PLAIN_RUNS)


def _makepkg_alone() -> float:
    """The seconds of one build, as the user that packages are built as where we are root."""
    as_other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.getuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="plain-makepkg-") as name:
        work = Path(name)
        (work / "PKGBUILD").write_text(Tiny(name="plain").folder()["plain/PKGBUILD"])
        if as_other:
            os.chown(work, 65534, 65534)
        env = {"PATH": os.environ["PATH"], "HOME": name, "PKGEXT": ".pkg.tar.zst"}
        started = time.monotonic()
        argv = [*as_other, "makepkg", "--nodeps", "--noconfirm", "--force"]
        subprocess.run(argv, cwd=work, env=env, check=True, capture_output=True)
        return time.monotonic() - started


def main() -> int:
    """Run everything and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=300)
    count = parser.parse_args().packages
    wide = [Tiny(name=f"wide-{number:03}") for number in range(count)]
    chain = [
        Tiny(name=f"chain-{number:03}", depends=(f"chain-{number - 1:03}",) if number else ())
        for number in range(count)
    ]
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-bench-") as name:
        bench = Bench(Path(name))
        runs = []
        work, env = bench.repository("one", wide)
        runs.append(bench.build("wide, one slot", work, env, slots=1, count=count))
        subprocess.run(["ci-toolkit", "schedule", "all"], cwd=work, env=env, check=True, capture_output=True)
        runs.append(bench.build("the same again", work, env, slots=1, count=count))
        work, env = bench.repository("two", wide)
        runs.append(bench.build("wide, two slots", work, env, slots=2, count=count))
        work, env = bench.repository("chain", chain)
        runs.append(bench.build("chain, two slots", work, env, slots=2, count=count))
    _print(runs, statistics.median(bench.plain_s), statistics.median(bench.pair_s))
    return 0


def _print(runs: list[Run], plain_s: float, pair_s: float) -> None:
    print(f"makepkg alone takes {plain_s * 1000:.0f} ms a build, and {pair_s * 1000:.0f} ms with two at once\n")
    print("| builds | run | wall s | CPU s | peak MB | ms a build | over makepkg alone |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for run in runs:
        each_ms = run.wall_s / run.builds * 1000
        over = f"{each_ms - plain_s * 1000:+.0f} ms"
        print(
            f"| {run.builds} | {run.name} | {run.wall_s:.2f} | {run.cpu_s:.2f} | {run.peak_mb:.0f} | {each_ms:.0f} | {over} |"
        )


if __name__ == "__main__":
    sys.exit(main())
