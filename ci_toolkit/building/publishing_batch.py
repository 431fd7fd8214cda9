"""What was built since the last publication, published at once, in a thread of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.publishers.spec import DeliveredPackage, Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.building.publishing_places import PublishingPlaces
    from ci_toolkit.errors import PublishError
    from ci_toolkit.model.job import Job
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.store.index import StoredBuild, StoredPackage
    from ci_toolkit.store.object_store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyJob:
    """A job whose packages are in the store and are to be published by `publisher`."""

    job: Job
    stored: StoredBuild
    publisher: str

    @property
    def bases(self) -> frozenset[str]:
        """The package bases that it was built against."""
        return frozenset(base for base, _, _ in self.stored.built_with if base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Jobs to publish, and package bases whose folder is gone."""

    jobs: tuple[ReadyJob, ...]
    gone: frozenset[Pkgbase]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """What became of a batch: package bases that were refused, numbers of jobs whose packages are lost, or an error.

    `failed` are publishers whose place could not be had, `held` the package bases that wait for that.
    """

    batch: Batch
    refused: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    failed: Mapping[str, PublishError] = field(default_factory=dict)
    held: Mapping[str, PublishError] = field(default_factory=dict)
    error: BaseException | None = None


def publish_batch(batch: Batch, *, store: ObjectStore, places: PublishingPlaces, folder: Path) -> BatchEnd:
    """Publish it by way of `folder`, which is gone afterwards."""
    try:
        deliveries, lost = dict[str, list[Delivery]](), set()
        for ready in batch.jobs:
            # Asked for again, and so compared with its checksums.
            stored = store.build(ready.stored.identity)
            if stored is None:
                lost.add(ready.job.number)
                continue
            paths = store.lay_out(stored, folder / stored.pkgbase)
            packages = tuple(map(_delivered, stored.packages, paths))
            delivery = Delivery(pkgbase=stored.pkgbase, packages=packages, built_with=ready.bases)
            deliveries.setdefault(ready.publisher, []).append(delivery)
        done = places.publish(deliveries, batch.gone)
        return BatchEnd(batch=batch, refused=done.refused, lost=frozenset(lost), failed=done.failed, held=done.held)
    except BaseException as error:  # noqa: BLE001 - handed to the thread that can say it
        return BatchEnd(batch=batch, error=error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _delivered(package: StoredPackage, path: Path) -> DeliveredPackage:
    return DeliveredPackage(
        path=path,
        name=package.name,
        version=package.version,
        arch=package.arch,
        provides=package.provides,
        depends=package.depends,
    )
