"""What backends say of jobs that others keep: this machine hands them over and does not hear of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.backends.spec import BackendTools
    from ci_toolkit.model.job import Job, JobFilter, Transition


class JobsElsewhere:
    """The part of a backend that is about jobs, all of it refused with `keeper`, and with what a person can do."""

    keeper: ClassVar[str]
    instead: ClassVar[str]

    def jobs(self, wanted: JobFilter, tools: BackendTools) -> tuple[Job, ...]:  # noqa: ARG002 - as all that follow
        """RefusedError: they are kept elsewhere."""
        raise self._elsewhere()

    def transitions(self, job: Job, tools: BackendTools) -> tuple[Transition, ...]:  # noqa: ARG002
        """RefusedError: they are kept elsewhere."""
        raise self._elsewhere()

    def cancel(self, job: Job, reason: str, tools: BackendTools) -> None:  # noqa: ARG002
        """RefusedError: nobody there can be told."""
        raise self._elsewhere()

    def retry(self, job: Job, tools: BackendTools) -> int:  # noqa: ARG002
        """RefusedError: nobody there can be told."""
        raise self._elsewhere()

    def log(self, job: Job, tools: BackendTools, *, follow: bool) -> Iterator[str]:  # noqa: ARG002
        """RefusedError: they are kept elsewhere."""
        raise self._elsewhere()

    def _elsewhere(self) -> RefusedError:
        return RefusedError(f"{self.keeper} does not tell of its builds here", hint=self.instead)
