"""One job from its folder to packages in the store, in a thread of its own: looked up, or built with a recipe."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.model.artifact import Artifact
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config
from ci_toolkit.plugins import recipe_for
from ci_toolkit.recipes.build import Built, Failed
from ci_toolkit.scheduling.built_with import AvailablePackage, built_with
from ci_toolkit.store.index import StoredBuild, StoredPackage
from ci_toolkit.store.object_store import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci_toolkit.backends.spec import PackageFolder
    from ci_toolkit.building.build_order import Order
    from ci_toolkit.building.workplace import Workplace
    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.recipes.build import BuildOutcome, BuildResult, BuiltPackage
    from ci_toolkit.recipes.spec import PackageFacts, Recipe
    from ci_toolkit.store.object_store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """There are packages in the store: `result` tells of the build, None when an earlier one made them.

    `size_bytes` is the size of all their files, which are `artifacts`, `recipe` what makes them, `publisher` where
    they are to go.
    """

    stored: StoredBuild
    packages: tuple[AvailablePackage, ...]
    result: BuildResult | None
    size_bytes: int
    publisher: str
    artifacts: tuple[Artifact, ...]
    recipe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """There are none: how it ended, and what its build told if one was begun; `recipe` is None where none builds it."""

    outcome: BuildOutcome
    result: BuildResult | None = None
    recipe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StillPublished:
    """Nothing was begun, as this version is published and the owner has changed nothing since."""

    version: str
    reason: str
    recipe: str | None = None


JobEnd = Made | NotMade | StillPublished


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMaker:
    """Makes one job after the other; several threads may use it at once."""

    workplace: Workplace
    recipes: tuple[Recipe, ...]
    publishers: frozenset[str]
    store: ObjectStore
    now: Callable[[], float]

    def recipe_of(self, folder: PackageFolder) -> Recipe | None:
        """What builds a folder; None where nothing does."""
        return recipe_for(folder.files, self.recipes)

    def publisher_of(self, folder: PackageFolder) -> str | None:
        """Where what a folder makes goes; None where nothing builds it."""
        recipe = self.recipe_of(folder)
        return None if recipe is None else recipe.publisher(folder.files)

    def make(self, order: Order) -> JobEnd:
        """Do it; what is wrong with the package is an outcome, what is wrong with this machine a ToolkitError."""
        recipe = self.recipe_of(order.folder)
        if recipe is None:
            reason = f"no recipe builds such a folder; there are {', '.join(one.name for one in self.recipes)}"
            return NotMade(outcome=Failed(phase="evaluate", status=None, reason=reason))
        publisher = recipe.publisher(order.folder.files)
        if publisher not in self.publishers:
            reason = f"no publisher is called {publisher}; there are {', '.join(sorted(self.publishers))}"
            return NotMade(outcome=Failed(phase="evaluate", status=None, reason=reason), recipe=recipe.name)
        return replace(self._made(order, recipe, publisher), recipe=recipe.name)

    def _made(self, order: Order, recipe: Recipe, publisher: str) -> JobEnd:
        files = order.folder.files
        try:
            text = files[CONFIG_PATH].content if CONFIG_PATH in files else b""
            config = parse_package_config(KeyValueFile.parse(text, file=CONFIG_PATH))
        except (ConfigError, FormatError) as error:
            return NotMade(outcome=Failed(phase="evaluate", status=None, reason=error.what_and_where))
        facts = recipe.facts(order.job.pkgbase, files, config)
        with_ = built_with(facts.needed, order.available)
        inputs = recipe.inputs(
            files,
            config,
            root=self.workplace.root_identity(order.job),
            built_with=with_,
            fetcher=self.workplace.fetcher,
        )
        if inputs is not None:
            stored = self.store.build(inputs.identity)
            if stored is not None:
                return self._end(stored, None, publisher)
            known = self._known(order, facts, inputs)
            if known is not None:
                return known
        order.begun(recipe.name)
        try:
            result = self.workplace.build(order, recipe, config, with_)
            if not isinstance(result.outcome, Built):
                return NotMade(outcome=result.outcome, result=result)
            stored = self._stored(order, result, result.outcome.packages, inputs, with_)
            return self._end(stored, result, publisher)
        finally:
            shutil.rmtree(order.work, ignore_errors=True)

    def _known(self, order: Order, facts: PackageFacts, inputs: BuildInputs) -> JobEnd | None:
        """Whether this very version is published: another content under the same name is never published."""
        there = [order.published[name] for name in facts.names if name in order.published]
        if facts.version is None or not there or any(one.version != facts.version for one in there):
            return None
        origins = [self.store.origins(one.sha256) for one in there]
        if not all(origins):
            return None
        if all(inputs.own in origin for origin in origins):
            why = f"{facts.version} is published, and only what it is built with has changed"
            return StillPublished(
                version=facts.version, reason=f"{why}: ci-toolkit bump {order.job.pkgbase} rebuilds it"
            )
        release = f"release in {RECIPE_PATH}" if RECIPE_PATH in order.folder.files else "pkgrel"
        why = f"{facts.version} is published already and was made of other files; raise {release}"
        reason = f"{why}, or: ci-toolkit bump {order.job.pkgbase}"
        return NotMade(outcome=Failed(phase="evaluate", status=None, reason=reason))

    def _stored(
        self,
        order: Order,
        result: BuildResult,
        packages: tuple[BuiltPackage, ...],
        inputs: BuildInputs | None,
        with_: tuple[AvailablePackage, ...],
    ) -> StoredBuild:
        """The packages that were built, in the store."""
        if inputs is not None and result.root is not None:  # it may have been updated since it was asked for
            inputs = replace(inputs, root=result.root)
        outputs = [
            Output(
                path=one.path,
                name=one.name,
                version=one.version,
                arch=one.arch,
                provides=one.provides,
                depends=one.depends,
            )
            for one in packages
        ]
        ours = [(one.base, one.name, one.version) for one in with_]
        names = {one.name for one in with_}
        others = [("", one.name, one.version) for one in result.installed if one.name not in names]
        made = StoredBuild(
            identity=f"job {order.job.number} at {self.now()}" if inputs is None else inputs.identity,
            pkgbase=order.job.pkgbase,
            job=order.job.number,
            built_at_s=self.now(),
            own="" if inputs is None else inputs.own,
            built_with=(*ours, *others),
            packages=(),
        )
        return self.store.add(outputs, made)

    def _end(self, stored: StoredBuild, result: BuildResult | None, publisher: str) -> Made:
        packages = available_packages(stored, self.store)
        size_bytes = self.store.size_of(stored.identity)
        artifacts = tuple(_artifact(package, self.store) for package in stored.packages)
        return Made(
            stored=stored,
            packages=packages,
            result=result,
            size_bytes=size_bytes,
            publisher=publisher,
            artifacts=artifacts,
        )


def _artifact(package: StoredPackage, store: ObjectStore) -> Artifact:
    return Artifact(
        file=package.file,
        name=package.name,
        version=package.version,
        arch=package.arch,
        sha256=package.sha256,
        size_bytes=store.path(package.sha256).stat().st_size,
    )


def available_packages(stored: StoredBuild, store: ObjectStore) -> tuple[AvailablePackage, ...]:
    """What a build made, for other builds to be installed with."""
    return tuple(
        AvailablePackage(
            name=package.name,
            base=stored.pkgbase,
            version=package.version,
            file=package.file,
            sha256=package.sha256,
            place=str(store.path(package.sha256)),
            provides=package.provides,
            depends=package.depends,
        )
        for package in stored.packages
    )
