"""One package built on this machine from the files that lie here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.building.builder import opened_builder
from ci_toolkit.effects.disk_folder import FolderLimits, read_disk_folder
from ci_toolkit.effects.git_command import own_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, NotReadyError, ProcessError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.recipe_toml import RECIPE_PATH
from ci_toolkit.model.names import is_pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.pipelines.checkout_settings import checkout_settings
from ci_toolkit.plugins import load_recipes, recipe_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.recipes.build import BuildResult

_LIMITS = FolderLimits(most_files=5_000, largest_file_bytes=256 << 20, largest_folder_bytes=1 << 30)
_LEFTOVERS = ("src", "pkg")
_GIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for: `package` is a package of the repository at or above `cwd`, or a folder."""

    package: str
    cwd: Path
    dependencies: tuple[Path, ...] = ()
    assumed: tuple[str, ...] = ()
    out: Path
    log: Path | None = None
    keep_failed: bool = False


def build_here(
    wish: Wish,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    redactor: Redactor,
    cache: Path,
    show: Callable[[str], None],
) -> BuildResult:
    """Build it; ConfigError when there is no such package, MachineError when nothing can be built here."""
    folder = _folder(wish)
    settings = checkout_settings(find_top(folder.parent), environ)
    processes = Processes(redactor=redactor)
    missing = [str(path) for path in wish.dependencies if not path.is_file()]
    if missing:
        raise ConfigError("is no package file", key="--with", got=", ".join(missing))
    files = _files(folder)
    recipe = recipe_for(files, load_recipes())
    if recipe is None:
        raise ConfigError("is a folder that no recipe builds", got=wish.package)
    config = files[CONFIG_PATH].content if CONFIG_PATH in files else b""
    with opened_builder(
        settings, environ=environ, clock=clock, redactor=redactor, processes=processes, cache=cache
    ) as builder:
        request = builder.request(
            folder.name,
            files,
            parse_package_config(KeyValueFile.parse(config, file=CONFIG_PATH)),
            out=wish.out,
            log=wish.log or wish.out / f"{folder.name}.log",
            epoch_s=_epoch_s(folder, processes, environ, clock),
        )
        given = tuple(path.resolve() for path in wish.dependencies)
        request = replace(request, dependencies=given, assumed=(*request.assumed, *wish.assumed))
        if wish.keep_failed:
            request = replace(request, keep_failed=wish.out / f"{folder.name}-failed.tar.zst")
        return recipe.build(request, replace(builder.tools, show=show))


def _folder(wish: Wish) -> Path:
    given = (wish.cwd / wish.package).resolve()
    if _is_package(given):
        return given
    folder = find_top(wish.cwd.resolve()) / wish.package
    if is_pkgbase(wish.package) and _is_package(folder):
        return folder
    raise ConfigError(f"is neither a package here nor a folder with a PKGBUILD or {RECIPE_PATH}", got=wish.package)


def _is_package(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("PKGBUILD", RECIPE_PATH))


def _files(folder: Path) -> Mapping[str, UpstreamFile]:
    """The folder as a checkout has it: what earlier builds by hand left there is none of its files."""

    def is_left_out(path: str) -> bool:
        first, _, rest = path.partition("/")
        return first == ".git" or (first in _LEFTOVERS and not rest) or (".pkg.tar" in path and not rest)

    found = read_disk_folder(folder, _LIMITS, is_left_out=is_left_out)
    if found.refused:
        path, reason = next(iter(found.refused.items()))
        raise NotReadyError(reason, package=folder.name, file=path)
    return found.files


def _epoch_s(folder: Path, processes: Processes, environ: Mapping[str, str], clock: Clock) -> int:
    """SOURCE_DATE_EPOCH: as it is set, else when the folder was last committed, else now."""
    said = environ.get("SOURCE_DATE_EPOCH", "")
    if said.isascii() and said.isdigit():
        return int(said)
    words = ("git", "-C", str(folder), "log", "-1", "--format=%ct", "--", ".")
    try:
        text = processes.run(words, env=own_environment(environ), timeout_s=_GIT_S).stdout.strip()
    except ProcessError:
        text = b""
    return int(text) if text.isdigit() else int(clock.now())
