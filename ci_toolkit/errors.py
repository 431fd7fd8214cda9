"""Every error a person can do something about, in one view.

A message says what happened, where, and what to do next. *Where* is data: the lowest level knows line and key, each
level above adds its own part with `located`, and only `__str__` puts them together:

>>> print(ConfigError("is not a whole number", key="BUILDER_EXTRA_TIMEOUT", got="fast", line=4).located(
...     package="linux-mainline", file=".CI/config"))
linux-mainline: .CI/config line 4: BUILDER_EXTRA_TIMEOUT is not a whole number: 'fast'

Exit statuses: 0 is success, 1 a bug (a traceback), 2 wrong usage (argparse), 3 and 4 belong to review verdicts.
"""

from __future__ import annotations

from typing import ClassVar, Self


class ToolkitError(Exception):
    """Something a person can mend; `exit_status` is what the program ends with when it stops a whole run."""

    exit_status: ClassVar[int] = 19

    def __init__(
        self,
        problem: str,
        *,
        package: str | None = None,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> None:
        """`problem` continues the sentence that `key` starts, if there is one; `got` is the offending text."""
        super().__init__(problem)
        self.problem = problem
        self.package = package
        self.file = file
        self.line = line
        self.key = key
        self.got = got
        self.hint = hint

    def located(
        self, *, package: str | None = None, file: str | None = None, line: int | None = None, key: str | None = None
    ) -> Self:
        """Add the parts of the place that are not known yet; what is known already stays."""
        self.package = self.package or package
        self.file = self.file or file
        self.line = self.line or line
        self.key = self.key or key
        return self

    @property
    def where(self) -> str:
        """Package, file and line as far as they are known, such as `paru: .CI/config line 3`; may be empty."""
        place = " ".join(filter(None, (self.file, f"line {self.line}" if self.line else None)))
        return ": ".join(filter(None, (self.package, place)))

    @property
    def what(self) -> str:
        """The message without its place."""
        sentence = f"{self.key} {self.problem}" if self.key else self.problem
        if self.got is not None:
            sentence += f": {shortened(self.got)!r}"
        return f"{sentence} ({self.hint})" if self.hint else sentence

    @property
    def what_and_where(self) -> str:
        """The message with file and line, without the package: for places that name the package themselves."""
        place = " ".join(filter(None, (self.file, f"line {self.line}" if self.line else None)))
        return f"{place}: {self.what}" if place else self.what

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def shortened(text: str, limit: int = 120) -> str:
    """`text`, cut to `limit` characters with an ellipsis, so that hostile input cannot flood a log."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


class PackagesFailedError(ToolkitError):
    """The run is done, but some packages could not be dealt with; each is named in the report."""

    exit_status = 5


class FormatError(ToolkitError):
    """A file's text cannot be read as what it should be."""

    exit_status = 6


class ConfigError(ToolkitError):
    """A configuration value is not acceptable."""

    exit_status = 7


class ProcessError(ToolkitError):
    """A program that was run failed, could not be started or exceeded its limits; `said` is its own complaint."""

    exit_status = 8

    def __init__(self, problem: str, *, said: str = "", hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.said = said or problem


class GitError(ProcessError):
    """git refused, or a repository is not what it should be."""

    exit_status = 9


class LostRaceError(ToolkitError):
    """The remote moved in every attempt to push; nothing was changed."""

    exit_status = 10


class NotReadyError(ToolkitError):
    """A precondition of the pipeline does not hold; nothing was changed."""

    exit_status = 11


class RefusedError(ToolkitError):
    """What was asked for would do harm and is not done without an explicit override."""

    exit_status = 12


class HandOverError(ToolkitError):
    """The build backend did not take a schedule; the next run repeats it."""

    exit_status = 13


class UpstreamError(ToolkitError):
    """An upstream could not be asked or answered nonsense; what depends on it stays due."""

    exit_status = 14


class MachineError(ToolkitError):
    """The machine refuses: a full or read-only disk, a missing permission, too many open files."""

    exit_status = 16


class ForgeError(ToolkitError):
    """The service that shows reviews refused or could not be asked; the next run repeats what is missing."""

    exit_status = 17


class NotifyError(ToolkitError):
    """A message could not be sent; it is tried again, after `retry_after_s` seconds where the service says so."""

    exit_status = 20

    def __init__(self, problem: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.retry_after_s = retry_after_s


class PublishError(ToolkitError):
    """A place could not be published to, and is as it was; the next run repeats it."""

    exit_status = 21


class PluginError(ToolkitError):
    """A plugin is missing or breaks its contract."""

    exit_status = 15
