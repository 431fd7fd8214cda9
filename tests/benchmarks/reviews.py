"""What judging changes costs: `python -m tests.benchmarks.reviews [REPOSITORY]`, a clone of a package repository.

Every package is judged twice: unchanged, and with its version raised as an ordinary update does it. Without a
repository 2,500 packages of the tests' shape are taken. Only processor time of the judgement counts, no git.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package import is_ours
from ci_toolkit.model.review_settings import ReviewSettings
from ci_toolkit.review.assessing import Judge
from tests.support.packages import SamplePackage

Folder = dict[str, UpstreamFile]
_RELEASE = re.compile(rb"^(\s*pkgrel ?= ?)([0-9]+)", re.MULTILINE)
_SAMPLES = 2_500


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?", type=Path)
    options = parser.parse_args()
    folders = _read(options.repository) if options.repository else _samples()
    judge = Judge.of(ReviewSettings())
    unchanged_s = sum(_judge(judge, folder, dict(folder))[0] for folder in folders)
    results = [_judge(judge, folder, _raised(folder)) for folder in folders]
    times_ms = sorted(seconds * 1_000 for seconds, _ in results)
    verdicts = Counter(verdict for _, verdict in results)
    print("| packages | all unchanged | changed: median | 95 of 100 under | slowest | verdicts |")
    print("| ---: | ---: | ---: | ---: | ---: | --- |")
    print(
        f"| {len(folders):,} | {unchanged_s:.2f} s | {statistics.median(times_ms):.1f} ms "
        f"| {times_ms[int(len(times_ms) * 0.95)]:.0f} ms | {times_ms[-1]:.0f} ms "
        f"| {', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())} |"
    )


def _judge(judge: Judge, old: Folder, new: Folder) -> tuple[float, str]:
    began = time.process_time()
    verdict = judge.assess(old, new).verdict
    return time.process_time() - began, verdict


def _raised(folder: Folder) -> Folder:
    """The folder with its release one up, in PKGBUILD and `.SRCINFO`."""
    return {
        path: replace(
            file, content=_RELEASE.sub(lambda found: found[1] + str(int(found[2]) + 1).encode(), file.content)
        )
        if path in ("PKGBUILD", ".SRCINFO")
        else file
        for path, file in folder.items()
    }


def _samples() -> list[Folder]:
    return [
        {
            path: UpstreamFile(mode="100644", content=text.encode())
            for path, text in SamplePackage(name=f"sample-{number}").files().items()
        }
        for number in range(_SAMPLES)
    ]


def _read(repository: Path) -> list[Folder]:
    found = []
    for top in sorted(repository.iterdir()):
        if (top / "PKGBUILD").is_file() and (top / ".SRCINFO").is_file():
            files = {str(path.relative_to(top)): path for path in top.rglob("*") if path.is_file()}
            found.append(
                {
                    name: UpstreamFile(mode="100644", content=path.read_bytes())
                    for name, path in files.items()
                    if not is_ours(name)
                }
            )
    return found


if __name__ == "__main__":
    main()
