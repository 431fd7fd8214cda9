"""The outside of the checks, each part of it loaded when a check asks for it: most runs need little."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.checks.spec import SRCINFO
from ci_toolkit.errors import FormatError, GitError, PluginError, ToolkitError
from ci_toolkit.formats.git_objects import LINK_MODE, object_name
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.package import is_ours
from ci_toolkit.model.settings import SETTINGS_PATH, Settings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.effects.checkout import Checkout
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.formats.git_objects import HashName
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.remark import Remark
    from ci_toolkit.recipes.makepkg.program import Makepkg
    from ci_toolkit.review.spec import ReviewRules
    from ci_toolkit.sources.spec import Source

_EDITORCONFIG = ".editorconfig"
_AT_ONCE = 4
_LEFTOVERS = frozenset({"src", "pkg"})


@dataclass(kw_only=True)
class CheckTools:
    """For one checkout; `base` is the commit that names are compared with. The environment overrides `.ci/config`."""

    checkout: Checkout
    processes: Processes
    environ: Mapping[str, str]
    base: str = "HEAD"

    def evaluate(self, packages: Iterable[str]) -> Mapping[str, bytes | ToolkitError]:
        """What makepkg prints for each package, several at a time."""
        names = list(packages)
        makepkg = self._makepkg()
        makepkg.check()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(names, pool.map(lambda name: self._evaluated(name, makepkg), names), strict=True))

    def formatted(self, texts: Iterable[bytes]) -> Mapping[bytes, bytes | None]:
        """As shfmt formats them."""
        from ci_toolkit.effects.shfmt import Shfmt  # noqa: PLC0415

        shfmt = Shfmt(processes=self.processes, environ=self.environ)
        return shfmt.format(texts, editorconfig=self.checkout.read(_EDITORCONFIG))

    def syntax_faults(self, texts: Iterable[bytes]) -> Mapping[bytes, Remark]:
        """By shfmt's parser."""
        from ci_toolkit.effects.shfmt import Shfmt  # noqa: PLC0415

        return Shfmt(processes=self.processes, environ=self.environ).faults(texts)

    def shellcheck(self, texts: Iterable[bytes]) -> Mapping[bytes, Sequence[Remark]]:
        """By the one that is installed, if any is."""
        from ci_toolkit.effects.shellcheck import Shellcheck  # noqa: PLC0415

        return Shellcheck(processes=self.processes, environ=self.environ).remarks(texts)

    def build_fault(self, pkgbase: str, *, is_described: bool) -> str | None:
        """By the backend that the repository is configured for."""
        from ci_toolkit.backends.spec import folder_fault  # noqa: PLC0415

        return folder_fault(self._backend, Pkgbase(pkgbase), is_described=is_described) if self._backend else None

    def recipe_fault(self, pkgbase: str) -> ToolkitError | None:
        """By the recipe."""
        from ci_toolkit.plugins import load_recipes, recipe_for  # noqa: PLC0415

        files = _all_files(self.checkout.top / pkgbase)
        recipe = recipe_for(files, load_recipes())
        try:
            if recipe is not None:
                recipe.check(files)
        except ToolkitError as error:
            return error
        return None

    def keeps_order(self) -> bool:
        """By the backend that the repository is configured for."""
        return self._backend is None or self._backend.keeps_order

    def kinds(self, family: str) -> Collection[str]:
        """By what is registered; nothing is loaded."""
        from ci_toolkit.plugins import registered  # noqa: PLC0415

        return registered(family)

    def accepts_source(self, text: str) -> bool:
        """By asking every kind of upstream."""
        from ci_toolkit.plugins import source_for  # noqa: PLC0415

        return source_for(text, self._sources) is not None

    def review_rules(self) -> Sequence[ReviewRules]:
        """Of plugins."""
        from ci_toolkit.plugins import load_review_rules  # noqa: PLC0415

        return load_review_rules()

    def srcinfos_before(self) -> Mapping[str, bytes]:
        """By git; nothing where there is no repository, or no such commit in it yet."""
        from ci_toolkit.effects.git_repository import open_repository  # noqa: PLC0415

        try:
            repository = open_repository(self.checkout.top, processes=self.processes, environ=self.environ)
        except GitError:
            return {}
        if repository.top is None or repository.top.resolve() != self.checkout.top.resolve():
            return {}
        commit = repository.resolve(f"{self.base}^{{commit}}")
        if commit is None:
            if self.base != "HEAD":
                raise GitError(f"there is no commit {self.base}", hint="fetch it, or name another with --base")
            return {}
        listing = [(entry.path.partition("/")[0], entry) for entry in repository.list_tree(commit)]
        before = {name: entry.oid for name, entry in listing if entry.path == f"{name}/{SRCINFO}"}
        changed = {name: oid for name, oid in before.items() if oid != self._object_now(name, repository.hash_name)}
        blobs = repository.read_blobs(changed.values())
        return {name: blobs[oid] for name, oid in changed.items()}

    def _object_now(self, package: str, hash_name: HashName) -> Oid | None:
        try:
            content = self.checkout.read(f"{package}/{SRCINFO}")
        except FormatError:
            return None
        return None if content is None else object_name("blob", content, hash_name=hash_name)

    @cached_property
    def _settings(self) -> Settings | None:
        try:
            file = KeyValueFile.parse(self.checkout.read(SETTINGS_PATH) or b"", file=SETTINGS_PATH)
            return parse_settings(file, self.environ)
        except ToolkitError:
            return None  # ci-config says what is wrong with it

    @cached_property
    def _backend(self) -> Backend | None:
        from ci_toolkit.plugins import load_backend  # noqa: PLC0415

        try:
            return load_backend(self._settings.backend) if self._settings else None
        except PluginError:
            return None  # likewise

    @cached_property
    def _sources(self) -> tuple[Source, ...]:
        from ci_toolkit.plugins import load_sources  # noqa: PLC0415

        return load_sources()

    def _makepkg(self) -> Makepkg:
        from ci_toolkit.effects.sandbox import Sandbox  # noqa: PLC0415
        from ci_toolkit.recipes.makepkg.program import Makepkg  # noqa: PLC0415

        sandbox = Sandbox(
            processes=self.processes,
            environ=self.environ,
            wish=self._settings.sandbox if self._settings else "auto",
            closed_to_users=(self.checkout.top / ".git", Path.home()),
        )
        return Makepkg(sandbox=sandbox)

    def _evaluated(self, name: str, makepkg: Makepkg) -> bytes | ToolkitError:
        try:
            return makepkg.srcinfo(_package_files(self.checkout.top / name))
        except ToolkitError as error:
            return error


def _package_files(folder: Path) -> Mapping[str, UpstreamFile]:
    """What makepkg needs of a folder: neither what is ours nor what an earlier build left there."""
    return {path: file for path, file in _all_files(folder, _is_left_out).items() if file.mode != LINK_MODE}


def _all_files(folder: Path, is_left_out: Callable[[str], bool] = lambda _: False) -> Mapping[str, UpstreamFile]:
    from ci_toolkit.effects.disk_folder import FolderLimits, read_disk_folder  # noqa: PLC0415
    from ci_toolkit.review.folder import LARGEST_FILE_BYTES, LARGEST_FOLDER_BYTES, MOST_FILES  # noqa: PLC0415

    limits = FolderLimits(
        most_files=MOST_FILES, largest_file_bytes=LARGEST_FILE_BYTES, largest_folder_bytes=LARGEST_FOLDER_BYTES
    )
    return read_disk_folder(folder, limits, is_left_out=is_left_out).files


def _is_left_out(path: str) -> bool:
    return is_ours(path) or path in _LEFTOVERS or ".pkg.tar" in path
