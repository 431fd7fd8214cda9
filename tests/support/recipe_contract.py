"""What every recipe must do: a class of tests that needs fixtures for a recipe and for folders.

`recipe` is the recipe and `tools` what it is handed (`RecipeTools`). `folder` are the files of a package that it builds
without the network, at once, and in a certain version; `foreign` are files that are not built this way, and `failing`
those of a package whose build fails. Everything of the three that a recipe reads is the work of strangers.
"""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ToolkitError
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.model.root_identity import RootIdentity
from ci_toolkit.plugins import load_publisher, load_recipes, recipe_for
from ci_toolkit.recipes.build import BuildRequest, Built, Failed, TimedOut
from ci_toolkit.scheduling.built_with import AvailablePackage

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.recipes.spec import Recipe, RecipeTools

Files = dict[str, UpstreamFile]
EPOCH_S = 1_790_000_000
ROOT, OTHER_ROOT = RootIdentity(f"host:{'0' * 64}"), RootIdentity(f"host:{'1' * 64}")
GARBAGE = (b"", b"\0", b"\xff\xfe", b"\r\n = \n", b"pkgname = a\n", b"(" * 5_000, b"x" * 100_000, b"pkgver() {")


def request(folder: Path, files: Files, config: PackageConfig | None = None) -> BuildRequest:
    """A build into `folder`, which is empty."""
    (folder / "out").mkdir(parents=True)
    return BuildRequest(
        pkgbase=Pkgbase("demo"),
        files=files,
        config=config or PackageConfig(),
        out=folder / "out",
        log=folder / "log",
        epoch_s=EPOCH_S,
    )


def available(sha256: str) -> tuple[AvailablePackage, ...]:
    """A package of ours to build with."""
    package = AvailablePackage(
        name="lib", base="lib", version="1-1", file="lib", sha256=sha256, place="/lib", provides=(), depends=()
    )
    return (package,)


class RecipeContract:
    """Subclass it where the fixtures are."""

    def test_it_is_registered_and_what_it_makes_can_be_published(self, recipe: Recipe, folder: Files) -> None:
        assert recipe.name in {one.name for one in load_recipes()}
        assert load_publisher(recipe.publisher(folder)).name == recipe.publisher(folder)

    def test_it_takes_its_own_folders_alone(
        self, recipe: Recipe, folder: Files, foreign: Files, failing: Files
    ) -> None:
        for files in (folder, failing):
            assert recipe_for(files, [recipe]) is recipe
            assert recipe.accepts({**foreign, **files})
        assert not recipe.accepts(foreign)
        assert not recipe.accepts({})

    # before anything is run

    def test_what_a_folder_says_of_itself_is_known_and_always_the_same(self, recipe: Recipe, folder: Files) -> None:
        facts = recipe.facts("demo", folder, PackageConfig())
        assert facts.names
        assert facts.version
        backwards = {path: folder[path] for path in sorted(folder, reverse=True)}
        assert recipe.facts("demo", backwards, PackageConfig()) == facts

    @pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
    def test_garbage_in_a_file_stops_nobody(
        self, recipe: Recipe, tools: RecipeTools, folder: Files, content: bytes
    ) -> None:
        for path in folder:
            spoilt = {**folder, path: replace(folder[path], content=content)}
            missing = {name: file for name, file in folder.items() if name != path}
            for files in (spoilt, missing):
                if recipe.accepts(files):
                    recipe.facts("demo", files, PackageConfig())
                    self.inputs(recipe, tools, files)
                    assert recipe.publisher(files)

    def test_the_same_goes_into_the_same_build(self, recipe: Recipe, tools: RecipeTools, folder: Files) -> None:
        one, two = self.inputs(recipe, tools, folder), self.inputs(recipe, tools, dict(reversed(folder.items())))
        assert one is not None
        assert two is not None
        assert (one.identity, one.own) == (two.identity, two.own)

    def test_whatever_goes_in_is_told(self, recipe: Recipe, tools: RecipeTools, folder: Files) -> None:
        more = {**folder, "more.patch": UpstreamFile(mode="100644", content=b"x")}
        found = [
            self.inputs(recipe, tools, folder),
            self.inputs(recipe, tools, more),
            self.inputs(recipe, tools, folder, root=OTHER_ROOT),
            self.inputs(recipe, tools, folder, built_with=available("2" * 64)),
            self.inputs(recipe, tools, folder, built_with=available("3" * 64)),
            self.inputs(recipe, tools, folder, PackageConfig(allow_prohibited=True)),
        ]
        identities = [one.identity for one in found if one is not None]
        assert len(set(identities)) == len(found)
        # The owner has no say in tools, nor in what others make.
        assert [one is not None and one.own == found[0].own for one in found if found[0]] == [
            True,
            False,
            True,
            True,
            True,
            False,
        ]

    def test_with_the_network_nobody_can_tell_what_goes_in(
        self, recipe: Recipe, tools: RecipeTools, folder: Files
    ) -> None:
        assert self.inputs(recipe, tools, folder, PackageConfig(network=True)) is None

    # builds

    def test_a_build_makes_what_the_folder_says(
        self, recipe: Recipe, tools: RecipeTools, folder: Files, tmp_path: Path
    ) -> None:
        facts, told = recipe.facts("demo", folder, PackageConfig()), list[str]()
        asked = request(tmp_path / "build", folder)
        result = recipe.build(asked, replace(tools, phase=told.append))
        assert isinstance(result.outcome, Built), asked.log.read_text()
        packages = result.outcome.packages
        assert tuple(sorted(one.name for one in packages)) == tuple(sorted(facts.names))
        assert {one.version for one in packages} == {facts.version}
        for one in packages:
            assert one.path.parent == asked.out
            assert stat.S_ISREG(one.path.lstat().st_mode)
            assert one.path.stat().st_size == one.size_bytes > 0
        assert {path.name for path in asked.out.iterdir()} == {one.path.name for one in packages}
        assert (result.pkgbase, result.log, result.is_failure) == ("demo", asked.log, False)
        assert asked.log.stat().st_size
        # The files of a build on another machine are the same packages, and nothing else will do.
        paths = tuple(one.path for one in packages)
        assert recipe.delivered(paths, "demo", folder, PackageConfig()) == packages
        for spoilt in ((), paths[1:], (*paths, asked.log)):
            with pytest.raises(ToolkitError):
                recipe.delivered(spoilt, "demo", folder, PackageConfig())
        # The first one need not be told.
        phases = [time.phase for time in result.phases]
        assert list(dict.fromkeys(told)) in (phases, phases[1:])
        assert all(time.seconds >= 0 for time in result.phases)

    def test_a_build_that_fails_is_an_outcome_and_leaves_nothing(
        self, recipe: Recipe, tools: RecipeTools, failing: Files, tmp_path: Path
    ) -> None:
        asked = request(tmp_path / "build", failing)
        result = recipe.build(asked, tools)
        assert isinstance(result.outcome, Failed | TimedOut), result.outcome
        assert result.is_failure
        assert result.outcome.phase in {time.phase for time in result.phases}
        assert list(asked.out.iterdir()) == []
        assert asked.log.stat().st_size

    def test_a_build_that_nobody_wants_any_more_ends_with_the_reason(
        self, recipe: Recipe, tools: RecipeTools, folder: Files, tmp_path: Path
    ) -> None:
        asked = request(tmp_path / "build", folder)
        result = recipe.build(asked, replace(tools, cancelled=lambda: "somebody does not want it"))
        assert isinstance(result.outcome, Failed), result.outcome
        assert "somebody does not want it" in result.outcome.reason
        assert list(asked.out.iterdir()) == []

    # for the tests above

    def inputs(
        self,
        recipe: Recipe,
        tools: RecipeTools,
        files: Files,
        config: PackageConfig | None = None,
        *,
        root: RootIdentity = ROOT,
        built_with: tuple[AvailablePackage, ...] = (),
    ) -> BuildInputs | None:
        """What goes into a build."""
        return recipe.inputs(files, config or PackageConfig(), root=root, built_with=built_with, fetcher=tools.fetcher)
