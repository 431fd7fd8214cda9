"""What the store of the local backend must not lose: what is published from it, and what is about to be."""

from __future__ import annotations

import platform
from contextlib import closing
from typing import TYPE_CHECKING

from ci_toolkit.backends.job_database import JobDatabase
from ci_toolkit.model.job import JobState
from ci_toolkit.plugins import load_publisher, registered
from ci_toolkit.publishers.spec import PublisherTools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from ci_toolkit.backends.local_folder import LocalFolder
    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.model.settings import Settings
    from ci_toolkit.publishers.signing_key import SigningKey
    from ci_toolkit.store.store_reader import StoreReader

_DAY_S = 86_400.0


def publisher_tools(
    name: str,
    *,
    place: LocalFolder,
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    processes: Processes,
    open_key: Callable[[], AbstractContextManager[SigningKey]],
) -> PublisherTools:
    """What the publisher of this name is handed by the local backend."""
    return PublisherTools(
        folder=place.of_publisher(name),
        settings=settings,
        name=settings.repo_name,
        architecture=platform.machine(),
        processes=processes,
        environ=environ,
        clock=clock,
        keep_s=settings.archive_days * _DAY_S,
        open_key=open_key,
    )


def kept_objects(place: LocalFolder, store: StoreReader, tools: Callable[[str], PublisherTools]) -> frozenset[str]:
    """The checksums (SHA-256) of what is published anywhere, kept for going back, or built and not published yet.

    `tools` gives what a publisher is handed. ToolkitError for a publisher that does not know what it has.
    """
    used = (name for name in registered("publishers") if place.of_publisher(name).exists())
    published = (load_publisher(name).kept(tools(name)) for name in used)
    return frozenset().union(*published, _unpublished(place, store))


def _unpublished(place: LocalFolder, store: StoreReader) -> frozenset[str]:
    if not place.jobs.exists():
        return frozenset()
    with closing(JobDatabase(place.jobs)) as database:
        waiting = [job.number for job in database.unfinished() if job.state is JobState.PUBLISHING]
        builds = [store.known(database.build_of(number) or "") for number in waiting]
    return frozenset(package.sha256 for build in builds if build is not None for package in build.packages)
