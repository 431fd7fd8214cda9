"""What pipelines told the farm last, for the metrics: a pipeline that stops telling has stopped running.

It outlives the master, as a pipeline that stopped before the master was started anew has stopped all the same.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLast:
    """When a pipeline told something, in seconds since 1970; `open_reviews` None: never how many those are."""

    at_s: float
    open_reviews: int | None = None


class PipelineBook:
    """By published repository and package repository; every method may be called by any thread."""

    def __init__(self, memory: Path) -> None:
        self._lock, self._memory = threading.Lock(), memory
        self._told: dict[tuple[str, str], ToldLast] = {}
        self._recall()

    def told(self) -> Mapping[tuple[str, str], ToldLast]:
        """Everything as it is now."""
        with self._lock:
            return dict(self._told)

    def note(self, repository: str, source: str, *, at_s: float, open_reviews: int | None) -> ToldLast | None:
        """A pipeline has told something; what it had told before. None for `open_reviews`: it said nothing of them."""
        with self._lock:
            before = self._told.get((repository, source))
            if open_reviews is None and before is not None:
                open_reviews = before.open_reviews
            self._told[repository, source] = ToldLast(at_s=at_s, open_reviews=open_reviews)
            self._keep()
            return before

    def _keep(self) -> None:
        rows = [[repository, source, asdict(told)] for (repository, source), told in sorted(self._told.items())]
        try:
            write_file(self._memory, json.dumps(rows, indent=1).encode() + b"\n")
        except (ToolkitError, OSError) as error:  # the pipeline can do nothing about it
            log.warning("when pipelines ran last is not known after the next start: %s", error)

    def _recall(self) -> None:
        try:
            rows = json.loads(self._memory.read_bytes())
            self._told = {(str(repository), str(source)): _told_last(**told) for repository, source, told in rows}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, RecursionError) as error:
            log.warning("%s cannot be read, so that pipelines count as never heard of: %s", self._memory, error)


def _told_last(*, at_s: float, open_reviews: int | None) -> ToldLast:
    """As it is in the file, whoever has edited that; ValueError or TypeError for what are no numbers."""
    return ToldLast(at_s=float(at_s), open_reviews=None if open_reviews is None else int(open_reviews))
