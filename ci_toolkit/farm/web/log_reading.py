"""Logs in parts, for readers who ask again and again: whole lines, without secrets, from a byte on."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError
from ci_toolkit.farm.web.answers import told_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.farm.spec import FarmRepository
    from ci_toolkit.farm.web.desk import Desk
    from ci_toolkit.model.job import Job

MOST_BYTES = 1 << 20
FOLLOWED_BYTES = 32 << 20
"""How much of a log is sent in one answer to who does not ask for parts: it is held in memory for a slow reader."""
_LOOK_S = 0.3
# A line that is not ended after so long is shown as far as it is: somebody may be asked something there.
_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Text of a log, the byte that comes after it, and whether that is the end of it for ever."""

    text: str
    following: int
    is_last: bool


def passage(desk: Desk, repository: FarmRepository, job: Job, *, start: int, most: int = MOST_BYTES) -> Passage:
    """What a log has from a byte on; nothing for one that is still to begin. RequestError 404 when there will be none.

    `job` is as it was before: what was written when it came to its end is read after that.
    """
    is_over = job.state.is_over
    try:
        part = desk.logs(repository).part(job, start=start, most=most)
    except NotReadyError as error:
        if is_over:
            raise told_as(404, error, error.what) from error
        return Passage(text="", following=start, is_last=False)
    is_all = len(part.content) < most
    is_quiet = is_all and desk.clock.now() - part.quiet_since_s > _PATIENCE_S
    size = _presentable(part.content, is_all=is_all, is_over=is_over and is_all, is_quiet=is_quiet)
    text = part.content[:size].decode(errors="replace")
    return Passage(
        text=desk.redactor.clean(text),
        following=part.start + size,
        is_last=is_over and is_all,
    )


def followed(desk: Desk, repository: FarmRepository, job: Job, *, start: int) -> Iterator[str]:
    """A log as it grows, until its job is over; empty pieces while nothing comes, so that a lost reader is noticed."""
    sent = 0
    while sent < FOLLOWED_BYTES:
        found = passage(desk, repository, job, start=start)
        sent += found.following - start
        start = found.following
        yield found.text
        if found.is_last:
            return
        if not found.text and desk.ends.wait(_LOOK_S):
            return
        job = desk.job(repository, job.number)


def _presentable(content: bytes, *, is_all: bool, is_over: bool, is_quiet: bool) -> int:
    """How many of the bytes are shown now: whole lines, so that no secret is cut in two, and whole characters."""
    if is_over:
        return len(content)
    lines = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
    if lines and not is_quiet:
        return lines
    if is_all and not is_quiet:
        return 0
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(content)
    return len(content) - len(decoder.getstate()[0])
