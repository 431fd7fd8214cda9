"""What a worker delivered, looked at as if an enemy had made it: a compromised worker must harm its own build only."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import UpstreamError
from ci_toolkit.recipes.built_packages import judged_package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ci_toolkit.farm.handed_build import DeliveredFile
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.recipes.build import BuiltPackage
    from ci_toolkit.recipes.spec import PackageFacts


def judged_delivery(
    files: Iterable[DeliveredFile], folder: Path, pkgbase: Pkgbase, facts: PackageFacts, config: PackageConfig
) -> tuple[BuiltPackage, ...]:
    """The packages in `folder`, all or none; UpstreamError when they are not what was asked for.

    Each is what its checksum says, of this package base, one of the names that the folder makes where those are certain
    (or its debugging symbols), and of the version that was to be built where that is certain.
    """
    found = []
    for file in files:
        path = folder / file.file
        if not path.is_file() or path.stat().st_size != file.size_bytes or sha256_of(path) != file.sha256:
            raise UpstreamError(f"{file.file} did not arrive as it was sent")
        found.append(
            judged_package(
                path,
                pkgbase,
                {*facts.names, f"{pkgbase}-debug"} if facts.names else None,
                platform.machine(),
                allow_prohibited=config.allow_prohibited,
            )
        )
    missing = set(facts.names) - {package.name for package in found}
    if missing:
        raise UpstreamError(f"no package {', '.join(sorted(missing))} came out of it")
    for package in found:
        if facts.version is not None and package.version != facts.version:
            raise UpstreamError(f"{package.path.name} is {package.version}, and {facts.version} was to be built")
    return tuple(found)
