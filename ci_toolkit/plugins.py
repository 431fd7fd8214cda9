"""Registries of kinds, filled by entry points; the built-in kinds come through the same door as foreign ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import PluginError
from ci_toolkit.model.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.events import Listener
    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.notifiers.spec import Notifier
    from ci_toolkit.publishers.spec import Publisher
    from ci_toolkit.recipes.spec import Recipe
    from ci_toolkit.review.spec import ReviewRules
    from ci_toolkit.sources.spec import Source

# What each kind must offer, so that a plugin is refused when it is loaded and not in the middle of a run.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "sources": ("name", "accepts", "observe"),
    "forges": ("name", "publish", "conclude", "mark"),
    "backends": (
        "name",
        "keeps_order",
        "builds_described",
        "name_fault",
        "submit",
        "jobs",
        "transitions",
        "cancel",
        "retry",
        "log",
    ),
    "recipes": ("name", "publisher", "accepts", "check", "facts", "inputs", "build", "delivered"),
    "publishers": ("name", "kept", "opened"),
    "review_rules": ("name", "rules", "check"),
    "notifiers": ("name", "follows_jobs", "check", "send"),
    "listeners": ("name",),
    "stack_fragments": ("name", "fragment"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One registered kind: its family (`sources`) and name."""

    family: str
    name: str
    entry_point: EntryPoint

    @property
    def origin(self) -> str:
        """The package it comes from, with version. A file of that package is read for it."""
        package = self.entry_point.dist
        return f"{package.name} {package.version}" if package else self.entry_point.value


def registered(family: str) -> dict[str, Plugin]:
    """All kinds of a family by name; PluginError when two are called the same."""
    found: dict[str, Plugin] = {}
    registrations = (entry for entry in _installed() if entry.group == f"ci_toolkit.{family}")
    for entry in sorted(registrations, key=lambda entry: entry.name):
        plugin = Plugin(family=family, name=entry.name, entry_point=entry)
        other = found.setdefault(entry.name, plugin)
        if other is not plugin and other.entry_point.value != entry.value:
            raise PluginError(f"{family}: {entry.name} comes from both {other.origin} and {plugin.origin}")
    return found


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """What all installed packages register, for all programs: looked up once, as a file of each has to be parsed."""
    everything = entry_points()
    return tuple(entry for group in everything.groups for entry in everything.select(group=group))


def load(plugin: Plugin) -> Any:  # noqa: ANN401 - what it must be is checked here, by family
    """An instance of a kind; PluginError when it cannot be imported or lacks what its family needs."""
    try:
        kind = plugin.entry_point.load()
    except (ImportError, AttributeError) as error:
        problem = f"{plugin.family}: {plugin.name} from {plugin.origin} cannot be loaded: {error}"
        raise PluginError(problem, hint=_installing(plugin) if isinstance(error, ImportError) else None) from error
    missing = [member for member in FAMILIES[plugin.family] if not hasattr(kind, member)]
    if missing:
        raise PluginError(f"{plugin.family}: {plugin.name} from {plugin.origin} lacks {', '.join(missing)}")
    if kind.name != plugin.name:
        raise PluginError(f"{plugin.family}: {plugin.name} from {plugin.origin} calls itself {kind.name}")
    return kind()


def lacking(plugin: Plugin) -> str | None:
    """How what a plugin needs is installed, where it needs an extra of its package that is not; None otherwise."""
    try:
        plugin.entry_point.load()
    except ModuleNotFoundError:
        return _installing(plugin)
    except (ImportError, AttributeError):
        pass  # `load` says what it is
    return None


def _installing(plugin: Plugin) -> str | None:
    """How what it needs is installed, where its registration names extras of its package for that."""
    package, extras = plugin.entry_point.dist, plugin.entry_point.extras
    return f"pip install '{package.name}[{','.join(extras)}]'" if package and extras else None


def load_sources() -> tuple[Source, ...]:
    """Every kind of upstream, in the order of their names."""
    return tuple(load(plugin) for plugin in registered("sources").values())


def load_backend(name: str) -> Backend:
    """The build backend called `name`."""
    backend: Backend = load(_chosen("backends", name, "CI_BACKEND"))
    return backend


def load_forge(name: str) -> Forge:
    """The forge called `name`."""
    forge: Forge = load(_chosen("forges", name, "CI_FORGE"))
    return forge


def load_review_rules() -> tuple[ReviewRules, ...]:
    """Everything that adds rules to reviews, in the order of their names."""
    return tuple(load(plugin) for plugin in registered("review_rules").values())


def load_recipes() -> tuple[Recipe, ...]:
    """Every way of building, in the order of their names."""
    return tuple(load(plugin) for plugin in registered("recipes").values())


def load_publisher(name: str) -> Publisher:
    """The kind of published place called `name`."""
    publisher: Publisher = load(_chosen("publishers", name, "the publisher of a recipe"))
    return publisher


def load_notifier(name: str) -> Notifier:
    """The notifier called `name`."""
    notifier: Notifier = load(_chosen("notifiers", name, "CI_NOTIFY"))
    return notifier


def load_listeners() -> tuple[Listener, ...]:
    """Everybody who listens to events, in the order of their names; nothing is imported where there is nobody."""
    found = registered("listeners").values()
    if not found:
        return ()
    from ci_toolkit.events import Listener  # noqa: PLC0415 - see above

    return tuple(Listener(plugin.name, load(plugin), plugin.origin) for plugin in found)


def recipe_for(files: Mapping[str, UpstreamFile], recipes: Iterable[Recipe]) -> Recipe | None:
    """The recipe that builds a folder of these files."""
    return next((recipe for recipe in recipes if recipe.accepts(files)), None)


def source_for(text: str, sources: Iterable[Source]) -> Source | None:
    """The kind that stands behind a CI_PKGBUILD_SOURCE."""
    return next((source for source in sources if source.accepts(text)), None)


def _chosen(family: str, name: str, key: str) -> Plugin:
    known = registered(family)
    if name not in known:
        hint = nearest(name, known) or f"there are: {', '.join(known)}"
        raise PluginError("names nothing that is installed", key=key, got=name, hint=hint)
    return known[name]
