"""What is built next: a decision on the jobs that are not over, of values alone.

A package waits while one that it needs, directly or through others, is not built yet or has failed. One that failed
before the waiting one was scheduled holds it only if no earlier version of it is published. Packages that need each
other in a circle are built by name, so that the first of them waits for none of the others. A package whose chain of
dependants is longest comes first, which keeps all slots busy for longest; before those comes what somebody asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ci_toolkit.model.job import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ci_toolkit.model.names import Pkgbase


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A job that waits: for which package, and why."""

    job: Job
    waits_for: Pkgbase
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What is held, what is begun now, and what could be but that there is no place for it.

    Jobs that are begun have their `worker`; `unplaced` gives the reason by the number of a job, None where all places
    are merely taken.
    """

    held: tuple[Hold, ...]
    begun: tuple[Job, ...]
    unplaced: Mapping[int, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job can be begun: on a worker of a farm, or, where there is none, on this machine."""

    worker: str | None = None


class Places(Protocol):
    """All places, as they are at the moment of a decision."""

    def find(self, job: Job, running: Collection[Job]) -> Place | str | None:
        """A place for a job beside those that run; else the reason, None where all places are merely taken.

        What is not to be had beside some jobs is not to be had beside more of them either.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`slots` builds at once; `classes` limits those of a class and higher, or of a builder's name; `host` is ours."""

    slots: int
    classes: Mapping[str, int]
    host: str

    def find(self, job: Job, running: Collection[Job]) -> Place | str | None:
        """This machine, if it takes one more; what is not for it at all is said before that it is busy."""
        refusal = self._unfit(job, running)
        if refusal is not None:
            return refusal
        return Place() if len(running) < self.slots else None

    def _unfit(self, job: Job, running: Collection[Job]) -> str | None:
        own = job.builder_class or "1"
        if not own.isdecimal():
            if own not in self.classes and own != self.host:
                return f"is for the builder {own}, and this is {self.host}"
            return self._refusal(own, [other for other in running if other.builder_class == own])
        for limit in (name for name in self.classes if name.isdecimal() and int(name) <= int(own)):
            beside = [other for other in running if _class_number(other) >= int(limit)]
            if refusal := self._refusal(limit, beside):
                return refusal
        return None

    def _refusal(self, limit: str, beside: Collection[Job]) -> str | None:
        if limit not in self.classes or len(beside) < self.classes[limit]:
            return None
        if not self.classes[limit]:
            return f"builds of class {limit} are not for this machine (CI_CLASS_LIMITS)"
        return f"{len(beside)} of class {limit} or higher are being built, and no more are allowed (CI_CLASS_LIMITS)"


class Needs:
    """Which package needs which, directly or through others, as sets of bits: there are thousands of them."""

    def __init__(self, direct: Mapping[Pkgbase, frozenset[Pkgbase]]) -> None:
        names = sorted({*direct, *(name for needed in direct.values() for name in needed)})
        self._names = names
        self._bits = {name: 1 << number for number, name in enumerate(names)}
        self._direct = {name: self.bits(direct.get(name, ())) for name in names}
        self._order = self._needed_first()
        self._all = self._closed()
        self._before = {name: self._without_later(name) for name in names}

    def bits(self, names: Iterable[Pkgbase]) -> int:
        """These packages as bits; those that nobody knows are left out."""
        found = 0
        for name in names:
            found |= self._bits.get(name, 0)
        return found

    def names(self, bits: int) -> Iterator[Pkgbase]:
        """The packages of bits, by name."""
        while bits:
            lowest = bits & -bits
            yield self._names[lowest.bit_length() - 1]
            bits ^= lowest

    def before(self, name: Pkgbase) -> int:
        """What has to be built before a package: all that it needs, without those of its own circle that come later."""
        return self._before.get(name, 0)

    def direct(self, name: Pkgbase) -> int:
        """What a package itself needs."""
        return self._direct.get(name, 0)

    def chains(self, scheduled: Collection[Pkgbase]) -> dict[Pkgbase, int]:
        """How many of the scheduled packages are in the longest chain that waits for each package."""
        found = dict.fromkeys(self._names, 0)
        for name in reversed(self._order):
            length = found[name] + (name in scheduled)
            for other in self.names(self._direct[name]):
                found[other] = max(found[other], length)
        return found

    def _needed_first(self) -> list[Pkgbase]:
        """All packages, each after those that it needs; in a circle somebody has to be first."""
        order: list[Pkgbase] = []
        seen: set[Pkgbase] = set()
        waiting = [(name, False) for name in reversed(self._names)]
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in self.names(self._direct[name]) if other not in seen]
        return order

    def _without_later(self, name: Pkgbase) -> int:
        needed, own = self._all[name], self._bits[name]
        if not needed & own:
            return needed
        # Names are sorted, so that later ones have higher bits; it is among those itself.
        later = (other for other in self.names(needed & ~(own - 1)) if self._all[other] & own)
        return needed & ~self.bits(later)

    def _closed(self) -> dict[Pkgbase, int]:
        """Everything that each package needs: rounds until nothing is added, of which circles alone need several."""
        found = dict(self._direct)
        changed = True
        while changed:
            changed = False
            for name in self._order:
                before = found[name]
                more = before
                for other in self.names(self._direct[name]):
                    more |= found[other]
                if more != before:
                    found[name] = more
                    changed = True
        return found


def next_turns(
    jobs: Iterable[Job],
    needs: Needs,
    *,
    failures: Mapping[Pkgbase, Job],
    published: Collection[Pkgbase],
    places: Places,
) -> Turns:
    """What to hold and what to begin among jobs that are not over."""
    listed = tuple(jobs)
    pending: dict[Pkgbase, Job] = {}
    for job in listed:
        if job.state is not JobState.PUBLISHING:  # what is published next is at hand already
            pending.setdefault(job.pkgbase, job)
    running = [job for job in listed if job.state is JobState.BUILDING]
    busy = {job.pkgbase for job in listed if job.state in (JobState.BUILDING, JobState.PUBLISHING)}
    built = {job.pkgbase for job in listed if job.state is JobState.PUBLISHING}
    failing = {name: job for name, job in failures.items() if name not in built}
    obstacles = _Obstacles(needs=needs, pending=pending, failures=failing, published=published)
    held, free = [], []
    for job in listed:
        if job.state not in (JobState.QUEUED, JobState.WAITING):
            continue
        hold = obstacles.hold(job)
        if hold is not None:
            held.append(hold)
        elif job.pkgbase not in busy:
            free.append(job)
    begun, unplaced = _begun(_longest_first(free, listed, needs), running, places)
    return Turns(held=tuple(held), begun=begun, unplaced=unplaced)


class _Obstacles:
    """What may stand in the way of a job."""

    def __init__(
        self,
        *,
        needs: Needs,
        pending: Mapping[Pkgbase, Job],
        failures: Mapping[Pkgbase, Job],
        published: Collection[Pkgbase],
    ) -> None:
        self._needs, self._pending, self._failures, self._published = needs, pending, failures, published
        self._unbuilt = needs.bits(pending)
        self._failed = needs.bits(failures) & ~self._unbuilt

    def hold(self, job: Job) -> Hold | None:
        """What stands in the way of this one, if anything does."""
        needs, before = self._needs, self._needs.before(job.pkgbase)
        if not before & (self._unbuilt | self._failed):
            return None
        direct = needs.direct(job.pkgbase)
        # What it needs itself is named before what that needs.
        for bits in (before & direct, before & ~direct):
            for name in needs.names(bits & self._failed):
                failure = self._failures[name]
                if (failure.ended_at_s or 0.0) >= job.queued_at_s or name not in self._published:
                    return Hold(job=job, waits_for=name, reason=f"needs {name}, whose job {failure.number} failed")
            for name in needs.names(bits & self._unbuilt):
                reason = f"needs {name}, whose job {self._pending[name].number} comes first"
                return Hold(job=job, waits_for=name, reason=reason)
        return None


def _longest_first(free: Iterable[Job], jobs: Iterable[Job], needs: Needs) -> list[Job]:
    """Jobs by priority, then by the length of the chain that waits for them, longest first, else oldest first."""
    listed = tuple(jobs)
    chains = needs.chains({job.pkgbase for job in listed})
    urgent = _urgent(listed, needs)
    return sorted(free, key=lambda job: (-urgent.get(job.pkgbase, 0), -chains.get(job.pkgbase, 0), job.number))


def _urgent(jobs: Collection[Job], needs: Needs) -> dict[Pkgbase, int]:
    """The priorities of packages above 0, where there are several: what an urgent one waits for is as urgent."""
    if len({job.priority for job in jobs}) <= 1:
        return {}
    found: dict[Pkgbase, int] = {}
    waited_for: dict[int, int] = {}
    for job in jobs:
        if job.priority > 0:
            found[job.pkgbase] = max(found.get(job.pkgbase, 0), job.priority)
            waited_for[job.priority] = waited_for.get(job.priority, 0) | needs.before(job.pkgbase)
    for priority, bits in waited_for.items():
        for name in needs.names(bits):
            found[name] = max(found.get(name, 0), priority)
    return found


def _begun(
    free: Iterable[Job], running: Iterable[Job], places: Places
) -> tuple[tuple[Job, ...], dict[int, str | None]]:
    beside = list(running)
    begun: dict[Pkgbase, Job] = {}
    unplaced: dict[int, str | None] = {}
    # What one job of a class is refused, those after it are, too.
    refused: dict[tuple[str | None, int], str | None] = {}
    for job in free:
        if job.pkgbase in begun:
            continue
        kind = (job.builder_class, job.priority)
        found = refused[kind] if kind in refused else places.find(job, beside)
        if isinstance(found, Place):
            begun[job.pkgbase] = replace(job, worker=found.worker)
            beside.append(begun[job.pkgbase])
        else:
            unplaced[job.number] = refused[kind] = found
    return tuple(begun.values()), unplaced


def _class_number(job: Job) -> int:
    own = job.builder_class or "1"
    return int(own) if own.isdecimal() else 1
