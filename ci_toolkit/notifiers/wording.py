"""Digests in words, the same for all places where people read them; what differs is how each place marks text up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_toolkit.errors import shortened
from ci_toolkit.model.job import JobState
from ci_toolkit.review.visible import one_visible_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ci_toolkit.model.news import Counts, Digest, JobNews

_LONGEST_REASON = 240
_NAMED = 20  # packages that are built or removed, and have nothing else said of them
_WORDS = {
    JobState.FAILED: "failed",
    JobState.TIMED_OUT: "timed out",
    JobState.SUCCEEDED: "built",
    JobState.ALREADY_BUILT: "already built",
    JobState.SKIPPED: "skipped",
    JobState.CANCELLED: "cancelled",
    JobState.REPLACED: "replaced",
}
# What people have to look at comes first.
_ORDER = {state: place for place, state in enumerate(_WORDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing: `what` are words of ours and names of packages, `why` and `lines` are a stranger's."""

    what: str
    why: str = ""
    url: str | None = None
    lines: tuple[str, ...] = ()


def headline(digest: Digest) -> str:
    """One line: `samples: 1 failed, 3 built`."""
    return f"{digest.repository}: {_numbers(digest.counts)}"


def items(digest: Digest) -> tuple[Item, ...]:
    """Everything there is to say, what matters most first; of a backlog only since when it is one."""
    if digest.backlog_since_s is not None:
        since = datetime.fromtimestamp(digest.backlog_since_s, UTC)
        return (Item(what=f"Nothing could be told since {since:%Y-%m-%d %H:%M} UTC; these are the numbers."),)
    ordered = sorted(digest.jobs, key=lambda news: (_ORDER.get(news.job.state, len(_ORDER)), not news.is_recovery))
    single = [_of_job(news) for news in ordered if not news.job.state.is_good or news.is_recovery]
    troubles = [Item(what=f"worker {news.worker}", why=_line(news.text)) for news in digest.workers]
    good = [_named(news) for news in ordered if news.job.state.is_good and not news.is_recovery]
    groups = [
        Item(what=f"{verb}: {_listed(names)}")
        for verb, names in (("built", good), ("removed", digest.removed))
        if names
    ]
    return (*troubles, *single, *groups)


def without_mentions(text: str) -> str:
    """`text` in which nobody is called by `@`: `@room` and names stay readable, and mean nothing to a service."""
    return text.replace("@", "@\u200b")


def fitted(
    top: str,
    parts: Iterable[tuple[str, str]],
    *,
    limit: int,
    size: Callable[[str], int] = len,
    more: Callable[[int], str],
) -> str:
    """`top` and the parts, each with a short and a long form: the short ones as far as they fit, then longer ones.

    `more` tells how many are left out; `size` is what the service counts, of which a text has as much as its pieces.
    """
    forms = list(parts)
    chosen: list[str] = []
    used = size(top)
    for place, (short, _) in enumerate(forms):
        left = len(forms) - place - 1
        if used + size(short) + (size(more(left)) if left else 0) > limit:
            break
        chosen.append(short)
        used += size(short)
    rest = len(forms) - len(chosen)
    end = more(rest) if rest else ""
    used += size(end)
    for place, (short, long) in enumerate(forms[: len(chosen)]):
        if used - size(short) + size(long) <= limit:
            chosen[place] = long
            used += size(long) - size(short)
    return "".join([top, *chosen, end])


def status_text(news: JobNews) -> str:
    """What the mark on a commit says of a job."""
    job = news.job
    match job.state:
        case JobState.QUEUED | JobState.WAITING:
            return "queued"
        case JobState.BUILDING | JobState.PUBLISHING:
            return str(job.state.value)
        case JobState.SUCCEEDED | JobState.ALREADY_BUILT:
            return f"{job.version} is {_WORDS[job.state]}" if job.version else _WORDS[job.state]
        case _:
            return _line(f"{_WORDS[job.state]}: {job.reason}")


def _numbers(counts: Counts) -> str:
    parts = [f"{many} {_WORDS[state]}" for state, many in _sorted(counts.jobs) if many]
    parts += [f"{counts.removed} removed"] if counts.removed else []
    parts += (
        [f"{counts.workers} {'trouble' if counts.workers == 1 else 'troubles'} of workers"] if counts.workers else []
    )
    return ", ".join(parts)


def _sorted(jobs: Mapping[JobState, int]) -> list[tuple[JobState, int]]:
    return sorted(((state, many) for state, many in jobs.items() if state in _WORDS), key=lambda pair: _ORDER[pair[0]])


def _of_job(news: JobNews) -> Item:
    job = news.job
    if news.is_recovery:
        return Item(what=f"{_named(news)} is built again", url=news.url)
    again = "" if news.is_first_failure or not job.state.is_failure else " again"
    word = _WORDS.get(job.state, job.state.value)
    return Item(what=f"{job.pkgbase} {word}{again}", why=_line(job.reason), url=news.url, lines=news.last_lines)


def _named(news: JobNews) -> str:
    return f"{news.job.pkgbase} {news.job.version}" if news.job.version else str(news.job.pkgbase)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _line(text: str) -> str:
    return shortened(one_visible_line(text), _LONGEST_REASON)
