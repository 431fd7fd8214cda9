"""The backend that a subcommand about builds talks to, and the jobs that its arguments mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.errors import ConfigError
from ci_toolkit.model.job import JobFilter
from ci_toolkit.model.names import is_pkgbase, nearest
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.plugins import load_backend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.model.job import Job


def opened_backend(terminal: Terminal) -> tuple[Backend, BackendTools]:
    """The backend that the checkout, or the environment, names."""
    top = find_top(terminal.cwd.resolve())
    settings = checkout_settings(top, terminal.environ)
    tools = BackendTools(top=top, environ=terminal.environ, settings=settings, clock=terminal.clock)
    return load_backend(settings.backend), tools


def meant_jobs(words: Iterable[str], backend: Backend, tools: BackendTools) -> tuple[Job, ...]:
    """The jobs that words mean: a number, or a package, whose last job that is; ConfigError for anything else."""
    listed = tuple(words)
    named = frozenset(word for word in listed if is_pkgbase(word))
    newest = {str(job.pkgbase): job for job in backend.jobs(JobFilter(packages=named, newest=True), tools)}
    found = []
    for word in listed:
        numbered = backend.jobs(JobFilter(numbers=frozenset({int(word)})), tools) if word.isdecimal() else ()
        if numbered:
            found.append(numbered[0])
        elif word in newest:
            found.append(newest[word])
        else:
            others = (str(job.pkgbase) for job in backend.jobs(JobFilter(newest=True), tools))
            hint = nearest(word, others) or "ci-toolkit builds list --all shows every job"
            raise ConfigError("has no job here", key=word, hint=hint)
    return tuple(found)
