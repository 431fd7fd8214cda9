"""What is known of a folder that `.CI/recipe.toml` describes, without running anything of it."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, RecipeFile, named_recipe, parse_recipe_file
from ci_toolkit.model.build_identity import BuildInputs, build_settings, files_digest
from ci_toolkit.recipes.makepkg.interference import bumped_release
from ci_toolkit.recipes.spec import PackageFacts
from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.scheduling.built_with import AvailablePackage


def is_described_as(files: Mapping[str, UpstreamFile], recipe: str) -> bool:
    """Whether a folder's owner wants it built by this recipe."""
    return RECIPE_PATH in files and named_recipe(files[RECIPE_PATH].content) == recipe


def recipe_file(files: Mapping[str, UpstreamFile]) -> RecipeFile:
    """What the owner says; FormatError or ConfigError where it cannot be, KeyError where he says nothing."""
    return parse_recipe_file(
        files[RECIPE_PATH].content, read=lambda path: files[path].content if path in files else None
    )


def described(pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> RecipeFile:
    """What the owner says, with the release that a bump asks for; FormatError or ConfigError where it cannot be."""
    file = recipe_file(files)
    release = None
    if config.bump is not None and not config.manage_aur:
        release = bumped_release(config.bump, file.srcinfo(pkgbase))
    return file if release is None else replace(file, release=release)


def described_publisher(files: Mapping[str, UpstreamFile], default: str) -> str:
    """Where the owner wants it published; the recipe's default where the file does not say, or cannot be read."""
    try:
        return recipe_file(files).publisher or default
    except (ConfigError, FormatError, KeyError):
        return default


@contextmanager
def located_in_recipe_file() -> Iterator[None]:
    """A ConfigError within says which file it is about."""
    try:
        yield
    except ConfigError as error:
        raise error.located(file=RECIPE_PATH) from None


def folder_facts(
    pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig, names: tuple[str, ...] | None = None
) -> PackageFacts:
    """What it needs and makes, `names` or one thing that is called like the folder; nothing for what cannot be read."""
    try:
        file = described(pkgbase, files, config)
    except (ConfigError, FormatError, KeyError):
        return PackageFacts(needed=(), names=(), version=None)
    needed = sorted({dependency_name(name) for name in file.needs})
    return PackageFacts(needed=tuple(needed), names=names or (pkgbase,), version=f"{file.version}-{file.release}")


def folder_inputs(
    files: Mapping[str, UpstreamFile],
    config: PackageConfig,
    *,
    recipe: str,
    root: RootIdentity,
    built_with: tuple[AvailablePackage, ...],
    heads: Mapping[str, str],
) -> BuildInputs | None:
    """All that goes into a build; None with the network, or where the file cannot be read.

    `recipe` is its name with a number that grows when the same inputs make something else than before; `heads` says
    where everything is that is fetched from elsewhere.
    """
    try:
        network = config.network or recipe_file(files).network
    except (ConfigError, FormatError, KeyError):
        return None
    if network:
        return None
    return BuildInputs(
        recipe=recipe,
        root=root,
        architecture=platform.machine(),
        files=files_digest(files),
        settings=build_settings(config),
        built_with={f"{package.name} {package.version}": package.sha256 for package in built_with},
        heads=heads,
    )
