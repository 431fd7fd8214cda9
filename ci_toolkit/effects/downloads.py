"""Files that packages are built from, downloaded only to know their checksums.

What was cut off goes on where it stopped, also in the next run; of what is complete only the sums and what the server
calls that version of the file (ETag, Last-Modified) are kept, so asking again costs one request without a body.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.effects.cache_files import CacheFiles, locked
from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.checksums import Digests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.web import Web

LARGEST_BYTES = 8 << 30
_CHUNK = 1 << 20
_STALE_S = 7 * 86_400
_NO_SUCH_RANGE = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """A folder of sums and of files that are not complete yet; it may be lost at any time."""

    folder: Path
    web: Web
    largest_bytes: int = LARGEST_BYTES

    def sums(self, url: str, kinds: Collection[str], *, deadline: float | None = None) -> dict[str, str]:
        """Kind to hexadecimal sum of what lies at an http(s) URL now; UpstreamError when it cannot be had.

        What came until `deadline` (see `Web.deadline_in`) is kept, and the next call goes on from there.
        """
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            with locked(self.folder / f"{name}.lock"):
                return _Download(self, url, name, frozenset(kinds), deadline).sums()
        except OSError as error:
            raise UpstreamError(f"{self.folder} cannot be written: {error.strerror}") from error

    def keep(self, url: str, path: Path, kinds: Collection[str], *, deadline: float | None = None) -> dict[str, str]:
        """Put what lies at an http(s) URL now to `path`, and give its sums; errors are those of `sums`."""
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            with locked(self.folder / f"{name}.lock"):
                return _Download(self, url, name, frozenset(kinds), deadline).keep(path)
        except OSError as error:
            raise UpstreamError(f"{error.filename or self.folder} cannot be written: {error.strerror}") from error

    def sweep(self, now_s: float) -> None:
        """Remove what was left incomplete a week ago."""
        for path in self.folder.glob("*.part"):
            if now_s - path.stat().st_mtime > _STALE_S:
                path.unlink(missing_ok=True)


def sums_of(path: Path, kinds: Collection[str]) -> dict[str, str]:
    """Kind to hexadecimal sum of a file."""
    sums = Digests(kinds)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sums.update(chunk)
    return sums.hexadecimal()


@dataclass(frozen=True, slots=True)
class _Download:
    downloads: Downloads
    url: str
    name: str
    kinds: frozenset[str]
    deadline: float | None

    @property
    def records(self) -> CacheFiles:
        return CacheFiles(folder=self.downloads.folder)

    @property
    def part(self) -> Path:
        return self.downloads.folder / f"{self.name}.part"

    def sums(self) -> dict[str, str]:
        known = _Record.load(self.records.load(self.name), self.url)
        if known is not None and self.kinds <= known.sums.keys():
            answer = self._fetch(lambda: known.condition)
            if answer == 304:
                return {kind: known.sums[kind] for kind in self.kinds}
        else:
            self._complete()
        found = sums_of(self.part, {*self.kinds, "sha256"})
        condition = self._condition_of_part()
        if condition:
            self.records.save(self.name, {"url": self.url, "condition": condition, "sums": found})
        self._forget()
        return {kind: found[kind] for kind in self.kinds}

    def keep(self, path: Path) -> dict[str, str]:
        self._complete()
        found = sums_of(self.part, self.kinds)
        shutil.move(self.part, path)
        self._forget()
        return found

    def _complete(self) -> None:
        if self._fetch(self._rest, _NO_SUCH_RANGE) == _NO_SUCH_RANGE:
            self._forget()
            self._fetch(self._rest)

    def _fetch(self, headers: Callable[[], Mapping[str, str]], *also: int) -> int:
        answer = self.downloads.web.fetch(
            self.url,
            limit_bytes=self.downloads.largest_bytes,
            headers=headers,
            take=self._take,
            deadline=self.deadline,
        )
        if answer.status not in (200, 206, 304, *also):
            raise UpstreamError(f"{self.url} answers {answer.status}")
        return answer.status

    def _rest(self) -> Mapping[str, str]:
        """Headers that ask for what is still missing of the very file that a part is there of."""
        condition = self._condition_of_part()
        size = self.part.stat().st_size if self.part.exists() else 0
        if not size or not condition:
            return {}
        validator = condition.get("If-None-Match") or condition["If-Modified-Since"]
        return {"Range": f"bytes={size}-", "If-Range": validator}

    def _take(self, status: int, headers: Mapping[str, str], chunks: Iterator[bytes]) -> bytes:
        goes_on = status == 206 and _starts_at(headers, self.part)
        if status == 206 and not goes_on:
            self._forget()
            raise UpstreamError(f"{self.url} sends another part than was asked for")
        if not goes_on:
            self.downloads.folder.mkdir(parents=True, exist_ok=True)
            self._condition_path.write_text(json.dumps(_condition(headers)))
        with self.part.open("ab" if goes_on else "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                if file.tell() > self.downloads.largest_bytes:
                    raise UpstreamError(f"{self.url} sends more than {self.downloads.largest_bytes} bytes")
        return b""

    @property
    def _condition_path(self) -> Path:
        return self.downloads.folder / f"{self.name}.part.json"

    def _condition_of_part(self) -> dict[str, str]:
        try:
            saved = json.loads(self._condition_path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in saved.items()} if isinstance(saved, dict) else {}

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self._condition_path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Record:
    condition: dict[str, str]
    sums: dict[str, str]

    @classmethod
    def load(cls, saved: Any, url: str) -> _Record | None:  # noqa: ANN401 - JSON, checked here
        match saved:
            case {"url": str(known), "condition": dict(condition), "sums": dict(sums)} if known == url and condition:
                texts = [*condition.items(), *sums.items()]
                if all(isinstance(text, str) and text.isprintable() for pair in texts for text in pair):
                    return cls(condition, sums)
        return None


def _condition(headers: Mapping[str, str]) -> dict[str, str]:
    """What to send to learn whether a file is still the same; a weak ETag says too little."""
    etag = headers.get("ETag", "")
    if etag.startswith('"') and etag.isprintable():
        return {"If-None-Match": etag}
    modified = headers.get("Last-Modified", "")
    return {"If-Modified-Since": modified} if modified and modified.isprintable() else {}


def _starts_at(headers: Mapping[str, str], part: Path) -> bool:
    size = os.path.getsize(part) if part.exists() else 0  # noqa: PTH202 - a number and nothing else
    return headers.get("Content-Range", "").startswith(f"bytes {size}-")
