"""What every recipe must do, with real makepkg."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.plugins import registered
from ci_toolkit.recipes.command_recipe import CommandRecipe
from ci_toolkit.recipes.container.recipe import ContainerRecipe
from ci_toolkit.recipes.makepkg.recipe import MakepkgRecipe
from ci_toolkit.recipes.nix.recipe import NixRecipe
from tests.support.builds import needs_makepkg, pkgbuild, srcinfo
from tests.support.images import image_folder, needs_buildah
from tests.support.nix_store import needs_nix
from tests.support.recipe_contract import RecipeContract
from tests.support.recipes import files, opened_tools

COMMAND = """
version = "1.0"
command = ["sh", "-euc", "cp text copied; tar -cf packed.tar text"]
outputs = ["copied", "packed.tar"]
"""

NIX = 'recipe = "nix"\nversion = "1.0"\n'
NIX_FILE = """{ name, system }: derivation {
  inherit name system;
  builder = "/bin/sh";
  args = [ "-euc" "echo made > $out" ];
}
"""

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.recipes.spec import Recipe, RecipeTools
    from tests.support.recipe_contract import Files


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[RecipeTools]:
    with opened_tools(tmp_path / "cache") as tools:
        yield tools


class TestCommandKeepsTheContract(RecipeContract):
    @pytest.fixture
    def recipe(self) -> Recipe:
        return CommandRecipe()

    @pytest.fixture
    def folder(self) -> Files:
        return files(**{".CI/recipe.toml": COMMAND, "text": "something\n"})

    @pytest.fixture
    def foreign(self) -> Files:
        return files(**{"PKGBUILD": pkgbuild(), ".SRCINFO": srcinfo()})

    @pytest.fixture
    def failing(self) -> Files:
        return files(**{".CI/recipe.toml": COMMAND})


@needs_buildah
class TestContainerKeepsTheContract(RecipeContract):
    @pytest.fixture
    def recipe(self) -> Recipe:
        return ContainerRecipe()

    @pytest.fixture
    def folder(self) -> Files:
        return image_folder("FROM scratch\nCOPY text /text\n", text="something\n")

    @pytest.fixture
    def foreign(self) -> Files:
        return files(**{"Containerfile": "FROM scratch\n", ".CI/recipe.toml": COMMAND})

    @pytest.fixture
    def failing(self) -> Files:
        return image_folder("FROM scratch\nCOPY text /text\n")


@needs_makepkg
class TestMakepkgKeepsTheContract(RecipeContract):
    @pytest.fixture
    def recipe(self) -> Recipe:
        return MakepkgRecipe()

    @pytest.fixture
    def folder(self) -> Files:
        return files(**{"PKGBUILD": pkgbuild(), ".SRCINFO": srcinfo(), "README": "for people\n"})

    @pytest.fixture
    def foreign(self) -> Files:
        return files(**{"default.nix": "{ }\n", "sub/PKGBUILD": pkgbuild()})

    @pytest.fixture
    def failing(self) -> Files:
        return files(**{"PKGBUILD": pkgbuild("package() {\n  false\n}\n"), ".SRCINFO": srcinfo()})


@needs_nix
class TestNixKeepsTheContract(RecipeContract):
    @pytest.fixture
    def recipe(self) -> Recipe:
        return NixRecipe()

    @pytest.fixture
    def folder(self) -> Files:
        return files(**{".CI/recipe.toml": NIX, "default.nix": NIX_FILE})

    @pytest.fixture
    def foreign(self) -> Files:
        return files(**{".CI/recipe.toml": COMMAND, "default.nix": NIX_FILE})

    @pytest.fixture
    def failing(self) -> Files:
        return files(**{".CI/recipe.toml": NIX, "default.nix": NIX_FILE.replace("echo made", "false")})


def test_every_registered_recipe_is_tested_here() -> None:
    tested = {kind().name for kind in (CommandRecipe, ContainerRecipe, MakepkgRecipe, NixRecipe)}
    assert registered("recipes").keys() == tested
