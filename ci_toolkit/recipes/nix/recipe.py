"""The recipe for folders that are built with Nix, as `recipe = "nix"` in `.CI/recipe.toml` says (`nix_keys`)."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.effects.nix_root import NixCaches, nix_root
from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.formats.image_platform import platform_of
from ci_toolkit.formats.nix_signatures import parse_public_key
from ci_toolkit.recipes.build import Built, BuiltPackage
from ci_toolkit.recipes.build_sources import Source
from ci_toolkit.recipes.described_folder import (
    described,
    described_publisher,
    folder_facts,
    folder_inputs,
    is_described_as,
    located_in_recipe_file,
    recipe_file,
)
from ci_toolkit.recipes.given_packages import other_files
from ci_toolkit.recipes.image_archive import archive_name, check_archive
from ci_toolkit.recipes.nix.build import NixBuild
from ci_toolkit.recipes.nix.closures import closure_of
from ci_toolkit.recipes.nix.entry import EXPORT_SUFFIX, check_entry, needs_of
from ci_toolkit.recipes.nix.git import fetch_folder
from ci_toolkit.recipes.nix.image import write_image
from ci_toolkit.recipes.nix.keys import parse_nix_keys
from ci_toolkit.recipes.recipe_run import run_recipe
from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.formats.recipe_toml import RecipeFile
    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest, BuildResult
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.nix.entry import Need
    from ci_toolkit.recipes.nix.keys import GitPlace, NixKeys
    from ci_toolkit.recipes.recipe_run import RecipeRun
    from ci_toolkit.recipes.spec import PackageFacts, RecipeTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

CACHES_VARIABLE, KEYS_VARIABLE = "CI_NIX_SUBSTITUTERS", "CI_NIX_KEYS"
_VERSION = "nix 1"
_CONTROL = ".CI/"


class NixRecipe:
    """Builds with Nix, into an export of a closure or an image."""

    name: ClassVar[str] = "nix"

    def publisher(self, files: Mapping[str, UpstreamFile]) -> str:
        """The one that the owner names; without, a binary cache, or a registry for images."""
        try:
            is_image = _keys(files, allow_local=True).image is not None
        except (ConfigError, FormatError, KeyError):
            is_image = False
        return described_publisher(files, "oci" if is_image else "nix_cache")

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        """Whether `.CI/recipe.toml` names it."""
        return is_described_as(files, self.name)

    def check(self, files: Mapping[str, UpstreamFile]) -> None:
        """By the owner's file; what Nix thinks of an expression is found out by evaluating it."""
        with located_in_recipe_file():
            file = recipe_file(files)
            keys = _checked_keys(file, allow_local=True)
            if keys.git is None:
                check_entry(keys, files)

    def facts(self, pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
        """By `.CI/recipe.toml`."""
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
        """The files, the settings, our packages, and the commit of a folder that lies elsewhere."""
        try:
            heads = _heads(_keys(files, allow_local=fetcher.downloads.web.manners.allow_local).git, fetcher)
        except (ConfigError, FormatError, UpstreamError, KeyError):
            return None
        return folder_inputs(files, config, recipe=_VERSION, root=root, built_with=built_with, heads=heads)

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        """Evaluate, build, and take out what was made."""
        return run_recipe(request, tools, _steps)

    def delivered(
        self, paths: tuple[Path, ...], pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig
    ) -> tuple[BuiltPackage, ...]:
        """The export, read as a whole, or the image, which its publisher reads."""
        file = described(pkgbase, files, config)
        version = f"{file.version}-{file.release}"
        is_image = parse_nix_keys(file.own, allow_local=True).image is not None
        name = (_image_name if is_image else _export_name)(pkgbase, version)
        if [path.name for path in paths] != [name]:
            raise UpstreamError(f"{', '.join(path.name for path in paths)} came, and {name} was to be made")
        if is_image:
            check_archive(paths[0], [platform_of(platform.machine())], name=f"{pkgbase}:{version}")
        else:
            closure_of(paths[0], limit_bytes=paths[0].stat().st_size)
        return (_package(paths[0], pkgbase, version),)


def _steps(run: RecipeRun) -> Built:
    local = run.tools.fetcher.downloads.web.manners.allow_local
    keys = _checked_keys(run.file, allow_local=local)
    needs = _needs(run)
    files = _folder(run, keys)
    caches = _caches(run.tools.sandbox.environ)
    with nix_root(run.tools.sandbox, run.request.limits, files) as root:
        build = NixBuild(run=run, root=root, keys=keys, files=files, needs=needs, caches=caches)
        path = run.request.out / _export_name(run.request.pkgbase, run.version)
        with _removed_unless_good(path):
            closure = build.export_to(path)
    if keys.image is None:
        return Built(packages=(_package(path, run.request.pkgbase, run.version),))
    target = run.request.out / _image_name(run.request.pkgbase, run.version)
    try:
        name = f"{run.request.pkgbase}:{run.version}"
        write_image(path, closure, keys.image, target, name=name, created_s=run.request.epoch_s)
    finally:
        path.unlink()
    return Built(packages=(_package(target, run.request.pkgbase, run.version),))


@contextmanager
def _removed_unless_good(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _folder(run: RecipeRun, keys: NixKeys) -> Mapping[str, UpstreamFile]:
    """The files that Nix gets to see: without what only ci-toolkit reads, so that it changes no hash."""
    if keys.git is None:
        return {path: file for path, file in run.request.files.items() if not path.startswith(_CONTROL)}
    run.begin("fetch")
    run.note(keys.git.shown)
    fetched = fetch_folder(keys.git, run.tools.fetcher, run.tools.sandbox.environ)
    run.note(f"{keys.git.remote.url} is at commit {fetched.commit}")
    return fetched.files


def _needs(run: RecipeRun) -> tuple[Need, ...]:
    others = other_files(run.request.dependencies)
    for name in run.file.needs:
        if dependency_name(name) not in others:
            hint = "Nix builds with what folders of this repository make, and with nothing that is installed"
            raise UpstreamError(f"it needs {name}, and no folder made it, or as a package for pacman", hint=hint)
    return needs_of(others)


def _caches(environ: Mapping[str, str]) -> NixCaches:
    """Binary caches that this machine trusts: a repository has no say in that."""
    urls, keys = environ.get(CACHES_VARIABLE, "").split(), environ.get(KEYS_VARIABLE, "").split()
    for url in urls:
        if not url.startswith(("https://", "http://")) or "@" in url:
            raise ConfigError("is no address of a binary cache", key=CACHES_VARIABLE, hint="write https://host")
    for key in keys:
        try:
            parse_public_key(key)
        except FormatError as error:
            raise ConfigError("is no public key of a binary cache", key=KEYS_VARIABLE, got=key) from error
    if urls and not keys:
        raise ConfigError("is missing, and nothing is taken unsigned", key=KEYS_VARIABLE)
    return NixCaches(urls=tuple(urls), keys=tuple(keys))


def _checked_keys(file: RecipeFile, *, allow_local: bool) -> NixKeys:
    if file.environment:
        hint = 'an expression has all it needs in it; template = "script" takes an environment of its own'
        raise ConfigError("is never seen by a build with Nix", key="environment", hint=hint)
    return parse_nix_keys(file.own, allow_local=allow_local)


def _keys(files: Mapping[str, UpstreamFile], *, allow_local: bool) -> NixKeys:
    return parse_nix_keys(recipe_file(files).own, allow_local=allow_local)


def _heads(place: GitPlace | None, fetcher: SourceFetcher) -> dict[str, str]:
    return {} if place is None else {place.shown: fetcher.head(Source(place.shown, {}))}


def _export_name(pkgbase: str, version: str) -> str:
    return f"{pkgbase}-{version}-{platform.machine()}{EXPORT_SUFFIX}"


def _image_name(pkgbase: str, version: str) -> str:
    return archive_name(pkgbase, version, platform.machine())


def _package(path: Path, pkgbase: str, version: str) -> BuiltPackage:
    return BuiltPackage(
        path=path, name=pkgbase, version=version, arch=platform.machine(), size_bytes=path.stat().st_size
    )
