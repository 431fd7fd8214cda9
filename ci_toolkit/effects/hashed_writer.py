"""A file that is hashed while it is written: large ones by a second processor, which costs hardly any time then."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import BinaryIO

_BATCH_BYTES = 4 << 20
_MOST_WAITING = 2


class HashedWriter:
    """Takes pieces within `with`; without a file it only hashes."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.file = file
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def write(self, piece: bytes) -> None:
        """One more piece."""
        self._pieces.append(piece)
        self._gathered += len(piece)
        if self._gathered >= _BATCH_BYTES:
            self._flush()

    def finish(self) -> str:
        """The SHA-256 of all pieces in hexadecimal digits; all of them are written then."""
        batch = self._written()
        for future in self._waiting:
            future.result()
        self._waiting.clear()
        self._digest.update(batch)
        return self._digest.hexdigest()

    def _flush(self) -> None:
        batch = self._written()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="hash")
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._digest.update, batch))

    def _written(self) -> bytes:
        batch = b"".join(self._pieces)
        self._pieces.clear()
        self._gathered = 0
        self.size_bytes += len(batch)
        if self.file is not None:
            self.file.write(batch)
        return batch
