"""Folders that `.CI/recipe.toml` describes, and what a recipe is handed to build them."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.recipes.build_sources import SourceFetcher
from ci_toolkit.recipes.spec import RecipeTools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Files = dict[str, UpstreamFile]


def files(**texts: str) -> Files:
    """Regular files by their path."""
    return {path: UpstreamFile(mode="100644", content=text.encode()) for path, text in texts.items()}


@contextmanager
def opened_tools(folder: Path, *, allow_local: bool = False) -> Iterator[RecipeTools]:
    """What a recipe is handed, with caches in `folder`."""
    environ, clock, redactor = dict(os.environ), SystemClock(), Redactor({})
    processes = Processes(redactor=redactor)
    with closing(Web(clock=clock, manners=WebManners(attempts=1, allow_local=allow_local))) as web:
        fetcher = SourceFetcher(
            downloads=Downloads(folder=folder / "downloads", web=web),
            processes=processes,
            env=upstream_environment(environ, allow_local=allow_local),
            cache=folder / "sources",
        )
        sandbox = Sandbox(processes=processes, environ=environ)
        yield RecipeTools(sandbox=sandbox, fetcher=fetcher, clock=clock, redactor=redactor, cache=folder / "recipes")
