"""The recipe for folders that are built by a command of their owner's, which `.CI/recipe.toml` names.

recipe = "command"
version = "1.0"
command = ["sh", "-eu", "build.sh"]     # or one text, which sh -eu runs
outputs = ["dist/tool.tar.zst"]         # files that it leaves, all of which are published
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ci_toolkit.effects.build_root import INSIDE, build_root
from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.formats.toml_values import check_keys, texts_at
from ci_toolkit.recipes.build import Built
from ci_toolkit.recipes.described_folder import (
    described,
    described_publisher,
    folder_facts,
    folder_inputs,
    is_described_as,
    located_in_recipe_file,
    recipe_file,
)
from ci_toolkit.recipes.given_packages import GivenPackages
from ci_toolkit.recipes.outputs import described_outputs, output_names, take_outputs
from ci_toolkit.recipes.recipe_run import run_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.effects.build_root import BuildRoot
    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package_config import PackageConfig
    from ci_toolkit.model.root_identity import RootIdentity
    from ci_toolkit.recipes.build import BuildRequest, BuildResult, BuiltPackage
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.recipe_run import RecipeRun
    from ci_toolkit.recipes.spec import PackageFacts, RecipeTools
    from ci_toolkit.scheduling.built_with import AvailablePackage

_KEYS = ("command", "outputs")
_OUTPUT = re.compile(r"([A-Za-z0-9@_+.-][A-Za-z0-9@._+:~^-]*/)*[A-Za-z0-9@_+][A-Za-z0-9@._+:~^-]*")
_PUBLISHER = "directory"
_VERSION = "command 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the recipe's own keys say."""

    words: tuple[str, ...]
    outputs: tuple[str, ...]


def parse_command(own: Mapping[str, Any]) -> Command:
    """The typed form; ConfigError for a key or value that cannot be."""
    check_keys(own, _KEYS, "")
    said = own.get("command")
    words = ("sh", "-eu", "-c", said) if isinstance(said, str) and said.strip() else tuple(texts_at(own, "command", ""))
    if not words:
        raise ConfigError("is missing", key="command", hint="it says what builds the outputs")
    if any("\0" in word for word in words):
        raise ConfigError("has a NUL byte", key="command")
    outputs = tuple(texts_at(own, "outputs", ""))
    if not outputs:
        raise ConfigError("is missing", key="outputs", hint="it names the files that the command leaves")
    for output in outputs:
        if not _OUTPUT.fullmatch(output) or {".", ".."} & set(output.split("/")):
            raise ConfigError("names no file inside the folder", key="outputs", got=output)
    files = [output.rpartition("/")[2] for output in outputs]
    if len(set(files)) != len(files):
        raise ConfigError("has two files of the same name", key="outputs", got=", ".join(files))
    return Command(words=words, outputs=outputs)


class CommandRecipe:
    """Runs a command in a build root of its own, and takes the files that it names."""

    name: ClassVar[str] = "command"

    def publisher(self, files: Mapping[str, UpstreamFile]) -> str:
        """The one that the owner names, a plain directory without."""
        return described_publisher(files, _PUBLISHER)

    def accepts(self, files: Mapping[str, UpstreamFile]) -> bool:
        """Whether the owner's file names this recipe, or none, or cannot be read."""
        return is_described_as(files, self.name)

    def check(self, files: Mapping[str, UpstreamFile]) -> None:
        """By the owner's file."""
        with located_in_recipe_file():
            parse_command(recipe_file(files).own)

    def facts(self, pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig) -> PackageFacts:
        """By the owner's file."""
        try:
            outputs = parse_command(recipe_file(files).own).outputs
        except (ConfigError, FormatError, KeyError):
            return folder_facts(pkgbase, files, config)
        return folder_facts(pkgbase, files, config, output_names(pkgbase, outputs))

    def inputs(
        self,
        files: Mapping[str, UpstreamFile],
        config: PackageConfig,
        *,
        root: RootIdentity,
        built_with: tuple[AvailablePackage, ...],
        fetcher: SourceFetcher,  # noqa: ARG002 - nothing is fetched
    ) -> BuildInputs | None:
        """The files, the settings, the tools and our packages."""
        return folder_inputs(files, config, recipe=_VERSION, root=root, built_with=built_with, heads={})

    def build(self, request: BuildRequest, tools: RecipeTools) -> BuildResult:
        """Run it."""
        return run_recipe(request, tools, _steps)

    def delivered(
        self, paths: tuple[Path, ...], pkgbase: str, files: Mapping[str, UpstreamFile], config: PackageConfig
    ) -> tuple[BuiltPackage, ...]:
        """The outputs, by their names."""
        file = described(pkgbase, files, config)
        outputs = parse_command(file.own).outputs
        given = {path.name: path for path in paths}
        wanted = [output.rpartition("/")[2] for output in outputs]
        if given.keys() != set(wanted):
            raise UpstreamError(f"{', '.join(sorted(given))} came, and {', '.join(wanted)} was to be made")
        return described_outputs(
            [given[name] for name in wanted],
            outputs,
            pkgbase=pkgbase,
            version=f"{file.version}-{file.release}",
            architecture=platform.machine(),
        )


def _steps(run: RecipeRun) -> Built:
    with located_in_recipe_file():
        command = parse_command(run.file.own)
    request = run.request
    with (
        build_root(
            run.tools.sandbox,
            request.limits,
            request.files,
            base=request.root,
            packages=bool(run.file.needs or request.dependencies),
        ) as root,
        run.kept_if_it_fails(root.folder.path),
    ):
        run.begin("dependencies")
        given = GivenPackages(run=run, root=root)
        given.install()
        run.begin("build")
        run.note(f"running {' '.join(command.words)}")
        ended = root.stream(
            command.words,
            network=run.network,
            variables={**_variables(run), **run.file.environment, **given.variables},
            timeout_s=run.left_s,
            take=run.take,
            watch=run.watch,
        )
        run.judge(ended, "the command", skip_status=request.skip_status)
        run.begin("collect")
        return Built(packages=_taken(run, root, command))


def _taken(run: RecipeRun, root: BuildRoot, command: Command) -> tuple[BuiltPackage, ...]:
    return take_outputs(
        root.folder.path,
        run.request.out,
        command.outputs,
        pkgbase=run.request.pkgbase,
        version=run.version,
        architecture=platform.machine(),
    )


def _variables(run: RecipeRun) -> dict[str, str]:
    """What a command is told of its build."""
    request = run.request
    return {
        "PACKAGE": request.pkgbase,
        "CI_VERSION": run.file.version,
        "CI_RELEASE": run.file.release,
        "CI_BUILD_FOLDER": INSIDE,
        "CI_ARCHITECTURE": platform.machine(),
        "CI_CODE_SKIP": str(request.skip_status),
        "MAKEFLAGS": request.make_flags,
        "SOURCE_DATE_EPOCH": str(request.epoch_s),
    }
