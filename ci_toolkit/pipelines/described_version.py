"""A new version for a folder that `.CI/recipe.toml` describes: into the file that says which one is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, version_in
from ci_toolkit.model.observation import CannotMake, Moved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.observation import NewVersion, UpstreamFile
    from ci_toolkit.model.package import Package


def described_version(package: Package, announced: NewVersion, files: Mapping[str, UpstreamFile]) -> Moved | CannotMake:
    """The folder `files` with the announced version; CannotMake where none of them says which version is built."""
    path = package.version_file
    if path is None or path not in files:
        reason = f"{RECIPE_PATH} says which version is built; with version_file a file of the folder does, and follows"
        return CannotMake(version=announced.version, reason=reason)
    content = f"{announced.version}\n".encode()
    try:
        version_in(content, file=path)
    except FormatError as error:
        return CannotMake(version=announced.version, reason=error.what_and_where)
    return Moved(
        revision=announced.revision,
        files={**files, path: replace(files[path], content=content)},
        formatted=None,
        link=announced.link,
        review=announced.review,
    )
