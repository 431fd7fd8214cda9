"""The recipe for images of containers: folders with a Containerfile, or Dockerfile, that `.CI/recipe.toml` describes.

recipe = "container"
version = "1.0"
file = "Containerfile"                         # in the context or beside it; Dockerfile where there is none
context = "."                                  # a folder inside; what can be copied into the image
target = "final"                               # the stage to build; the last one where it is left out
platforms = ["linux/amd64", "linux/arm64"]     # this machine's where it is left out
[arguments]                                    # for its ARGs
MODE = "release"
[labels]
vendor = "example"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError, FormatError, MachineError, UpstreamError
from ci_toolkit.recipes.build import BuiltPackage
from ci_toolkit.recipes.container.base_images import BaseImages
from ci_toolkit.recipes.container.bases import base_images, every_base
from ci_toolkit.recipes.container.build import build_image, version_arguments
from ci_toolkit.recipes.container.keys import build_arguments, parse_container_keys, read_containerfile
from ci_toolkit.recipes.described_folder import (
    described,
    described_publisher,
    folder_facts,
    folder_inputs,
    is_described_as,
    located_in_recipe_file,
    recipe_file,
)
from ci_toolkit.recipes.image_archive import archive_name, check_archive
from ci_toolkit.recipes.recipe_run import run_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest, BuildResult
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.container.bases import Base
    from ci_toolkit.recipes.spec import PackageFacts, RecipeTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

_PUBLISHER = "oci"
_VERSION = "container 1"


class ContainerRecipe:
    """Builds an image in namespaces of its own, with buildah or podman, into one archive."""

    name: ClassVar[str] = "container"

    def publisher(self, files: Mapping[str, UpstreamFile]) -> str:
        """The one that the owner names, a registry without."""
        return described_publisher(files, _PUBLISHER)

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        """Whether the owner's file names this recipe."""
        return is_described_as(files, self.name)

    def check(self, files: Mapping[str, UpstreamFile]) -> None:
        """By the owner's file and the Containerfile: that both can be read, and what one says of the other."""
        _bases(files)

    def facts(self, pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
        """By the owner's file; the image is called like the folder."""
        return folder_facts(pkgbase, files, config)

    def inputs(
        self,
        files: Mapping[str, UpstreamFile],
        config: PackageConfig,
        *,
        root: RootIdentity,
        built_with: tuple[AvailablePackage, ...],
        fetcher: SourceFetcher,
    ) -> BuildInputs | None:
        """The files, the settings, the tools, our packages, and the digests of the images that it is built on."""
        try:
            heads = _heads(files, config, fetcher)
        except (ConfigError, FormatError, KeyError, MachineError, UpstreamError):
            return None
        return folder_inputs(files, config, recipe=_VERSION, root=root, built_with=built_with, heads=heads)

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        """Build it."""
        return run_recipe(request, tools, build_image)

    def delivered(
        self, paths: tuple[Path, ...], pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig
    ) -> tuple[BuiltPackage, ...]:
        """The one archive, with just the images that were to be made."""
        file = described(pkgbase, files, config)
        keys = parse_container_keys(file.own)
        version = f"{file.version}-{file.release}"
        wanted = archive_name(pkgbase, version, keys.architecture)
        if [path.name for path in paths] != [wanted]:
            raise UpstreamError(f"{', '.join(path.name for path in paths)} came, and {wanted} was to be made")
        check_archive(paths[0], keys.platforms, name=f"{pkgbase}:{version}")
        size = paths[0].stat().st_size
        return (BuiltPackage(path=paths[0], name=pkgbase, version=version, arch=keys.architecture, size_bytes=size),)


def _heads(files: Mapping[str, UpstreamFile], config: PackageConfig, fetcher: SourceFetcher) -> dict[str, str]:
    """The digest of each image of a registry that it is built on, by name and platform."""
    file = recipe_file(files)
    if config.network or file.network:
        return {}
    images = BaseImages.of(fetcher)
    wanted = dict.fromkeys(base.image for base in _bases(files) if base.own_name(file) is None)
    return {f"{one.reference} {one.platform}": images.head(one) for one in wanted}


def _bases(files: Mapping[str, UpstreamFile]) -> list[Base]:
    """The images that it is built on."""
    with located_in_recipe_file():
        file = recipe_file(files)
        keys = parse_container_keys(file.own)
        containerfile = read_containerfile(keys, files)
        arguments = build_arguments(file, keys, containerfile, version_arguments(file))
    return every_base(base_images(containerfile, keys, arguments))
