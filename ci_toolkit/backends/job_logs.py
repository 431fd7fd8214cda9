"""Logs of jobs: plain while they grow, packed when they are complete, gone after a time."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.model.job import Job

_PACKED = ".zst"
_CHUNK = 1 << 16
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """Bytes of a log from `start` on, to which nothing was added since `quiet_since_s`, in seconds since 1970."""

    content: bytes
    start: int
    quiet_since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLogs:
    """The folder of logs."""

    folder: Path

    def path(self, pkgbase: str, number: int) -> Path:
        """Where the log of a job grows."""
        return self.folder / pkgbase / f"{number}.log"

    def pack(self, pkgbase: str, number: int) -> None:
        """Pack a complete log; it is there in one form or the other at any moment."""
        plain = self.path(pkgbase, number)
        if not plain.is_file():
            return
        packed = _packed(plain)
        partial = packed.with_name(f".{packed.name}.part")
        with plain.open("rb") as source, partial.open("wb") as target:
            zstandard.ZstdCompressor().copy_stream(source, target)
            target.flush()
            os.fsync(target.fileno())
        partial.replace(packed)
        plain.unlink()

    def pack_leftovers(self) -> None:
        """Pack what killed processes left, while nothing is built."""
        for plain in self.folder.glob("*/*.log"):
            if plain.stem.isdecimal():
                self.pack(plain.parent.name, int(plain.stem))

    def remove(self, jobs: Iterable[Job]) -> None:
        """Remove the logs of jobs."""
        for job in jobs:
            plain = self.path(job.pkgbase, job.number)
            plain.unlink(missing_ok=True)
            _packed(plain).unlink(missing_ok=True)

    def is_there(self, job: Job) -> bool:
        """Whether a job has a log of its own or links to one."""
        if job.log_of is None:
            return False
        plain = self.path(job.pkgbase, job.log_of)
        return plain.is_file() or _packed(plain).is_file()

    def read(self, job: Job) -> Iterator[str]:
        """What there is of a job's log by now; NotReadyError when there is none."""
        return self._pieces(job, lambda: True)

    def size(self, job: Job) -> int | None:
        """How many bytes a job's log has by now; None when there is none."""
        if job.log_of is None:
            return None
        plain = self.path(job.pkgbase, job.log_of)
        try:
            return plain.stat().st_size
        except FileNotFoundError:
            return self._packed_size(_packed(plain))

    def _packed_size(self, path: Path) -> int | None:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        size = 0
        with file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            while piece := reader.read(_CHUNK):
                size += len(piece)
        return size

    def part(self, job: Job, *, start: int, most: int) -> LogPart:
        """At most so many bytes of a job's log from byte `start` on; NotReadyError when there is none."""
        if job.log_of is None:
            raise _no_log(job)
        plain = self.path(job.pkgbase, job.log_of)
        try:
            with plain.open("rb") as file:
                quiet_since_s = os.fstat(file.fileno()).st_mtime
                size = file.seek(0, os.SEEK_END)
                file.seek(min(start, size))
                return LogPart(content=file.read(most), start=min(start, size), quiet_since_s=quiet_since_s)
        except FileNotFoundError:
            return self._packed_part(job, _packed(plain), start, most)

    def _packed_part(self, job: Job, path: Path, start: int, most: int) -> LogPart:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise _no_log(job) from None
        with file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            passed = 0
            while passed < start and (piece := reader.read(min(_CHUNK, start - passed))):
                passed += len(piece)
            content = bytearray()
            while len(content) < most and (piece := reader.read(min(_CHUNK, most - len(content)))):
                content += piece
            return LogPart(content=bytes(content), start=passed, quiet_since_s=0.0)

    def follow(self, job: Job, is_over: Callable[[], bool], clock: Clock) -> Iterator[str]:
        """A job's log as it grows, until `is_over`; waits for one that was not begun yet."""
        while not self.is_there(job):
            if is_over():
                break
            clock.sleep(_LOOK_S)
        return self._pieces(job, is_over, clock)

    def _pieces(self, job: Job, is_over: Callable[[], bool], clock: Clock | None = None) -> Iterator[str]:
        if job.log_of is None or not self.is_there(job):
            raise _no_log(job)
        plain = self.path(job.pkgbase, job.log_of)
        try:
            file = plain.open("rb")
        except FileNotFoundError:
            return self._unpacked(_packed(plain))
        return _growing(file, is_over, clock)

    def _unpacked(self, path: Path) -> Iterator[str]:
        with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            text = io.TextIOWrapper(reader, encoding="utf-8", errors="replace", newline="")
            while piece := text.read(_CHUNK):
                yield piece


def _no_log(job: Job) -> NotReadyError:
    problem = f"job {job.number} has no log: it is {job.state.value}"
    hint = "nothing was built, or its log is forgotten" if job.state.is_over else "it has one once it is built"
    return NotReadyError(problem, package=job.pkgbase, hint=hint)


def _packed(plain: Path) -> Path:
    return plain.with_name(plain.name + _PACKED)


def _growing(file: io.BufferedReader, is_over: Callable[[], bool], clock: Clock | None) -> Iterator[str]:
    """What is in a file, and comes, until it is over; one that is packed meanwhile is still open here."""
    with file, io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="") as text:
        while True:
            ended = is_over()  # asked first: what was written before that is read after it
            while piece := text.read(_CHUNK):
                yield piece
            if ended:
                return
            if clock is not None:
                clock.sleep(_LOOK_S)
