"""Which worker is at fault when packages fail on it: a decision on how builds ended, of values alone.

One that fails three different packages without building any between them is suspected. They are built again elsewhere:
if they fail there, too, it was the packages, and the worker is trusted again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_ENOUGH = 3


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """One package of one repository that failed."""

    repository: str
    pkgbase: str
    number: int


@dataclass(slots=True)
class SickHosts:
    """What is remembered of workers while the master runs."""

    _failures: dict[str, dict[tuple[str, str], FailedBuild]] = field(default_factory=dict)
    _suspected: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def succeeded(self, worker: str, repository: str, pkgbase: str) -> None:
        """A worker built something; what it was suspected for elsewhere is proved if this is one of those."""
        self._failures.pop(worker, None)
        for other, packages in list(self._suspected.items()):
            if other != worker and (repository, pkgbase) in packages:
                del self._suspected[other]  # it really is sick: nobody but a person trusts it again

    def failed(self, worker: str, build: FailedBuild) -> tuple[FailedBuild, ...]:
        """The builds to be made again elsewhere if the worker is suspected now, none otherwise."""
        of_worker = self._failures.setdefault(worker, {})
        of_worker[(build.repository, build.pkgbase)] = build
        if len(of_worker) < _ENOUGH:
            return ()
        self._failures.pop(worker)
        self._suspected[worker] = set(of_worker)
        return tuple(of_worker.values())

    def cleared_by(self, worker: str, build: FailedBuild) -> str | None:
        """The other worker that nothing is left to suspect of, as this failed here, too."""
        for other, packages in list(self._suspected.items()):
            if other != worker and (build.repository, build.pkgbase) in packages:
                packages.remove((build.repository, build.pkgbase))
                if not packages:
                    del self._suspected[other]
                    return other
        return None
