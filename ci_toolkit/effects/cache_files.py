"""Small things worth keeping between runs, in the user's cache folder; losing them costs time and nothing else."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock in a cache that the system drops when the process ends, however it ends; `shared`: with others."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "XDG_CACHE_HOME names another place"
        raise UpstreamError(f"the cache {path.parent} cannot be written: {error.strerror}", hint=hint) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFiles:
    """A folder of JSON files by name."""

    folder: Path

    def load(self, name: str) -> Any:  # noqa: ANN401 - JSON; whoever asks checks what it gets
        """What was saved under a name; None when there is nothing or it cannot be read."""
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def save(self, name: str, value: Any) -> None:  # noqa: ANN401 - likewise
        """Remember something under a name."""
        try:
            write_file(self.folder / f"{name}.json", json.dumps(value, sort_keys=True).encode(), mode=0o600)
        except OSError as error:
            log.warning("%s cannot be written, so the next run asks for more: %s", self.folder, error.strerror)
