"""One package built on this machine from the files that lie here."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.build_roots import find_root
from ci_toolkit.effects.disk_folder import FolderLimits, read_disk_folder
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import own_environment, upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.errors import ConfigError, NotReadyError, ProcessError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import is_pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings
from ci_toolkit.pipelines.checking import find_top
from ci_toolkit.recipes.build import BuildRequest
from ci_toolkit.recipes.build_sources import SourceFetcher
from ci_toolkit.recipes.makepkg_build import MakepkgBuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.settings import Settings
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
    settings = _settings(find_top(folder.parent), environ)
    processes = Processes(redactor=redactor)
    root = find_root(settings.build_root, processes=processes, environ=environ, cache=cache, clock=clock)
    request = replace(
        _request(wish, folder, settings, processes, environ, clock),
        root=root,
        compiler_caches=cache / "ccache" if settings.build_ccache else None,
    )
    manners = WebManners(allow_local=settings.allow_local_upstreams, delay_s=settings.clone_delay_s)
    with closing(Web(clock=clock, manners=manners)) as web:
        fetcher = SourceFetcher(
            downloads=Downloads(folder=cache / "downloads", web=web),
            processes=processes,
            env=upstream_environment(environ, allow_local=settings.allow_local_upstreams),
            cache=cache / "sources",
        )
        fetcher.sweep(clock.now())
        sandbox = Sandbox(processes=processes, environ=environ, wish=settings.sandbox)
        builder = MakepkgBuild(sandbox=sandbox, fetcher=fetcher, clock=clock, redactor=redactor, show=show)
        return builder.run(request)


def _folder(wish: Wish) -> Path:
    given = (wish.cwd / wish.package).resolve()
    if (given / "PKGBUILD").is_file():
        return given
    folder = find_top(wish.cwd.resolve()) / wish.package
    if is_pkgbase(wish.package) and (folder / "PKGBUILD").is_file():
        return folder
    raise ConfigError("is neither a package here nor a folder with a PKGBUILD", got=wish.package)


def _settings(top: Path, environ: Mapping[str, str]) -> Settings:
    path = top / SETTINGS_PATH
    text = path.read_bytes() if path.is_file() else b""
    return parse_settings(KeyValueFile.parse(text, file=SETTINGS_PATH), environ)


def _request(
    wish: Wish,
    folder: Path,
    settings: Settings,
    processes: Processes,
    environ: Mapping[str, str],
    clock: Clock,
) -> BuildRequest:
    files = _files(folder)
    config = files.get(CONFIG_PATH)
    parsed = parse_package_config(KeyValueFile.parse(config.content if config else b"", file=CONFIG_PATH))
    missing = [str(path) for path in wish.dependencies if not path.is_file()]
    if missing:
        raise ConfigError("is no package file", key="--with", got=", ".join(missing))
    author = f"{settings.author_name} <{settings.author_email}>" if settings.author_name else "Unknown Packager"
    return BuildRequest(
        pkgbase=folder.name,
        files=files,
        config=parsed,
        out=wish.out,
        log=wish.log or wish.out / f"{folder.name}.log",
        epoch_s=_epoch_s(folder, processes, environ, clock),
        packager=environ.get("PACKAGER") or author,
        make_flags=environ.get("MAKEFLAGS") or f"-j{len(os.sched_getaffinity(0))}",
        dependencies=tuple(path.resolve() for path in wish.dependencies),
        assumed=wish.assumed,
        skip_status=settings.skip_status,
        limits=BuildLimits(
            time_s=settings.build_timeout_s,
            memory_bytes=settings.build_memory_mib << 20,
            disk_bytes=settings.build_disk_mib << 20,
        ),
    )


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
