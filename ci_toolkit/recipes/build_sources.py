"""Sources of a build, fetched with the network by our own programs before any code of the package runs with them.

Plain files are downloaded and compared with their checksums; git repositories are mirrored as makepkg would. With
BUILDER_CACHE_SOURCES they are kept for a month. Signatures are left to makepkg, which checks them before `prepare()`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.downloads import sums_of
from ci_toolkit.effects.git_command import LOCAL_TIMEOUT_S, NETWORK_TIMEOUT_S
from ci_toolkit.effects.remote_heads import address_options
from ci_toolkit.errors import ConfigError, ProcessError, UpstreamError
from ci_toolkit.formats.checksums import KINDS, SKIP
from ci_toolkit.formats.source_url import parse_git_url, parse_vcs_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.downloads import Downloads
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.formats.srcinfo import SrcInfo

_NAME = re.compile(r"[A-Za-z0-9@_+.%~,=?&:-]+")
_MONTH_S = 30 * 86_400
_LARGEST_PACK_BYTES = 8 << 30


class Source(NamedTuple):
    """One source as it is written, with its checksums by kind; SKIP is left out."""

    text: str
    sums: Mapping[str, str]

    @property
    def name(self) -> str:
        """What makepkg calls the file or the repository."""
        name, colons, rest = self.text.partition("::")
        if colons:
            return name
        if parse_vcs_source(self.text) is None:
            return rest or name.rpartition("/")[2]
        return re.split(r"[#?]", name, maxsplit=1)[0].rstrip("/").rpartition("/")[2].removesuffix(".git")

    @property
    def url(self) -> str:
        """What is behind the name."""
        return self.text.partition("::")[2] or self.text


def remote_sources(srcinfo: SrcInfo, architecture: str) -> list[Source]:
    """The sources that are no files of the package's folder, for one architecture."""
    found = []
    for suffix in ("", f"_{architecture}"):
        texts = srcinfo.base.values(f"source{suffix}")
        columns = {kind: srcinfo.base.values(f"{kind}sums{suffix}") for kind in KINDS}
        for number, text in enumerate(texts):
            sums = {kind: column[number] for kind, column in columns.items() if len(column) > number}
            source = Source(text, {kind: value.lower() for kind, value in sums.items() if value != SKIP})
            if "://" in source.url:
                found.append(source)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFetcher:
    """Puts sources into a folder; `cache` is one that may be lost at any time, `env` git's whole environment."""

    downloads: Downloads
    processes: Processes
    env: Mapping[str, str]
    cache: Path

    def fetch(self, source: Source, folder: Path, *, keep: bool, say: Callable[[str], None]) -> bool:
        """Fetch one source; False when only makepkg could, UpstreamError when it is not to be had as it should be."""
        if not _NAME.fullmatch(source.name) or source.name in (".", ".."):
            raise UpstreamError(f"a source has the impossible file name {source.name!r}")
        target = folder / source.name
        if target.exists() or target.is_symlink():
            raise UpstreamError(f"two sources are called {source.name!r}")
        vcs = parse_vcs_source(source.text)
        if vcs is not None:
            if vcs.vcs != "git":
                return False
            say(f"git {vcs.url}")
            self._mirror(vcs.url, target, keep=keep)
            return True
        if not source.url.startswith(("https://", "http://")):
            return False
        self._file(source, target, keep=keep, say=say)
        return True

    def head(self, source: Source) -> str:
        """The commit that a git source is at now; UpstreamError when it is not to be had."""
        vcs = parse_vcs_source(source.text)
        if vcs is None or vcs.vcs != "git":
            raise UpstreamError(f"{source.url} is no git repository")
        if vcs.fragment_kind == "commit":
            return vcs.fragment_value or ""
        names = {"branch": f"refs/heads/{vcs.fragment_value}", "tag": f"refs/tags/{vcs.fragment_value}"}
        name = names.get(vcs.fragment_kind or "", "HEAD")
        # A tag that is an object of its own is listed with the commit behind it, which comes last.
        lines = (
            self._git(vcs.url, "ls-remote", "--exit-code", "--", vcs.url, name, f"{name}^{{}}").decode().splitlines()
        )
        return lines[-1].partition("\t")[0]

    def sweep(self, now_s: float) -> None:
        """Remove what nothing was built from for a month."""
        if not self.cache.is_dir():
            return
        for path in self.cache.iterdir():
            if now_s - path.stat().st_mtime > _MONTH_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _file(self, source: Source, target: Path, *, keep: bool, say: Callable[[str], None]) -> None:
        cached = self.cache / hashlib.sha256(source.url.encode()).hexdigest()
        # Without a checksum there is no telling whether it is still the same.
        if keep and source.sums and cached.is_file() and sums_of(cached, source.sums) == source.sums:
            say(f"kept {source.url}")
            cached.touch()
        else:
            say(f"download {source.url}")
            sums = self.downloads.keep(source.url, target, source.sums.keys())
            for kind, expected in source.sums.items():
                if sums[kind] != expected:
                    raise UpstreamError(f"{source.name}: its {kind} sum is {sums[kind]}, PKGBUILD says {expected}")
            if not keep or not source.sums:
                return
            self.cache.mkdir(parents=True, exist_ok=True)
            partial = cached.with_suffix(".part")
            shutil.copyfile(target, partial)
            partial.replace(cached)
            return
        shutil.copyfile(cached, target)

    def _mirror(self, url: str, target: Path, *, keep: bool) -> None:
        if not keep:
            self._clone(url, target)
            return
        name = hashlib.sha256(url.encode()).hexdigest()
        with locked(self.cache / f"{name}.lock"):
            self._kept_mirror(url, self.cache / f"{name}.git", target)

    def _kept_mirror(self, url: str, cached: Path, target: Path) -> None:
        try:
            if cached.is_dir():
                self._git(url, f"--git-dir={cached}", "fetch", "--quiet", "--prune", "origin")
                cached.touch()
            else:
                self._clone(url, cached)
        except UpstreamError:
            shutil.rmtree(cached, ignore_errors=True)
            raise
        shutil.copytree(cached, target, symlinks=True)

    def _clone(self, url: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._git(url, "clone", "--quiet", "--mirror", "--template=", "--", url, str(target))

    def _git(self, url: str, *words: str) -> bytes:
        local = self.downloads.web.manners.allow_local
        try:
            options = address_options(parse_git_url(url, allow_local=local), allow_local=local)
            return self.processes.run(
                ("prlimit", f"--fsize={_LARGEST_PACK_BYTES}", "--", "git", "-c", "gc.auto=0", *options, *words),
                env=self.env,
                timeout_s=NETWORK_TIMEOUT_S + LOCAL_TIMEOUT_S,
            ).stdout
        except ConfigError as error:
            raise UpstreamError(f"a git source {error.what}") from error
        except ProcessError as error:
            raise UpstreamError(f"{url} cannot be fetched: {error.said}") from error
