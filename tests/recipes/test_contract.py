"""What every recipe must do, with real makepkg."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.plugins import registered
from ci_toolkit.recipes.build_sources import SourceFetcher
from ci_toolkit.recipes.makepkg_recipe import MakepkgRecipe
from ci_toolkit.recipes.spec import RecipeTools
from tests.support.builds import needs_makepkg, pkgbuild, srcinfo
from tests.support.recipe_contract import RecipeContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.recipes.spec import Recipe
    from tests.support.recipe_contract import Files


def files(**texts: str) -> Files:
    return {path: UpstreamFile(mode="100644", content=text.encode()) for path, text in texts.items()}


@needs_makepkg
class TestMakepkgKeepsTheContract(RecipeContract):
    @pytest.fixture
    def recipe(self) -> Recipe:
        return MakepkgRecipe()

    @pytest.fixture
    def tools(self, tmp_path: Path) -> Iterator[RecipeTools]:
        environ, clock, redactor = dict(os.environ), SystemClock(), Redactor({})
        processes = Processes(redactor=redactor)
        with closing(Web(clock=clock, manners=WebManners(attempts=1))) as web:
            fetcher = SourceFetcher(
                downloads=Downloads(folder=tmp_path / "cache/downloads", web=web),
                processes=processes,
                env=upstream_environment(environ, allow_local=False),
                cache=tmp_path / "cache/sources",
            )
            sandbox = Sandbox(processes=processes, environ=environ)
            yield RecipeTools(sandbox=sandbox, fetcher=fetcher, clock=clock, redactor=redactor)

    @pytest.fixture
    def folder(self) -> Files:
        return files(**{"PKGBUILD": pkgbuild(), ".SRCINFO": srcinfo(), "README": "for people\n"})

    @pytest.fixture
    def foreign(self) -> Files:
        return files(**{"default.nix": "{ }\n", "sub/PKGBUILD": pkgbuild()})

    @pytest.fixture
    def failing(self) -> Files:
        return files(**{"PKGBUILD": pkgbuild("package() {\n  false\n}\n"), ".SRCINFO": srcinfo()})


def test_every_registered_recipe_is_tested_here() -> None:
    assert list(registered("recipes")) == ["makepkg"]
