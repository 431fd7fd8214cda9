"""What a build in an Arch root needs is installed there by the root's own pacman, from its repositories and from files.

Files that are given become a repository of their own for this one build, before all others, so that pacman sees one
whole: it takes ours where it has ours, and finds what they depend on. Where anything has to be installed the root is
brought up to date first, as half an update of Arch is none.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.arch_view import Bind
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.errors import MachineError, UpstreamError
from ci_toolkit.recipes.build import BuildEndedError, Failed, TimedOut
from ci_toolkit.recipes.built_packages import package_info

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ci_toolkit.effects.arch_view import ArchView, Ended, Step
    from ci_toolkit.model.root_identity import InstalledPackage
    from ci_toolkit.recipes.makepkg.phase_running import PhaseRunner

_OWN = "ci-toolkit-own"
_OWN_PLACE = f"/run/{_OWN}"
_CONFIG_PLACE = f"/run/{_OWN}.conf"
_SYNC_PLACE, _CACHE_PLACE = "/var/lib/pacman/sync", "/var/cache/pacman/pkg"
_ROOT_CONFIG = "/etc/pacman.conf"
# Ours are not signed before they are published, and were read by us: everything else is checked as the root says.
_CONFIG = f"[{_OWN}]\nSigLevel = Never\nServer = file://{_OWN_PLACE}\nInclude = {_ROOT_CONFIG}\n"
_NOT_FOUND = re.compile(r"^error: target not found: (.+?)\s*$", re.MULTILINE)
_OTHER_ERROR = re.compile(r"^error: (?!target not found: )", re.MULTILINE)
_ATTEMPTS = 2  # a package in the cache that is damaged is removed by the first
_MONTH_S = 30 * 86_400.0


class Installed(NamedTuple):
    """What was installed, and what of the wishes is in no repository."""

    packages: tuple[InstalledPackage, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchDependencies:
    """Installs packages for one build; what pacman prints goes to its log."""

    view: ArchView
    given: Sequence[Path]
    runner: PhaseRunner

    def install(self, needed: Sequence[str], wished: Sequence[str]) -> Installed:
        """Install what is `needed`, what of `wished` is in a repository, and all that is given.

        UpstreamError when something needed is nowhere, or does not go together; BuildEndedError when the build has to
        end meanwhile; MachineError when a repository cannot be reached.
        """
        if not self._has_repositories():
            if not self.given:
                return Installed((), tuple(wished))
            return Installed(self._installed([*needed], ()).packages, tuple(wished))
        return self._installed(needed, wished)

    def _installed(self, needed: Sequence[str], wished: Sequence[str]) -> Installed:
        work = self.view.closed / "pacman"
        for name in ("own", "sync"):
            (work / name).mkdir(parents=True)
            (work / name).chmod(0o755)  # pacman may download as a user of its own
        (work / "pacman.conf").write_text(_CONFIG)
        own = self._make_repository(work)
        cache = self.view.base.cache or work / "cache"
        with locked(cache / "lock"):
            for name in ("pkg", "sync"):
                (cache / name).mkdir(exist_ok=True)
                (cache / name).chmod(0o755)
            _sweep(cache / "pkg")
            _copy_files(cache / "sync", work / "sync")
            targets = self._resolved([*own, *needed, *wished], wished, work, cache)
            self._download(targets, work, cache)
            _copy_files(work / "sync", cache / "sync", but=_OWN)
        done = self._pacman("-Su", *targets, work=work, cache=cache, is_shown=True)
        if done.status != 0:
            raise UpstreamError(f"what it is built with cannot be installed: {_errors(done)}")
        return Installed(self.view.finish(), tuple(name for name in wished if name not in targets))

    def _has_repositories(self) -> bool:
        done = self._run(("pacman-conf", "--repo-list"), step="fetch")
        if done.status != 0:
            raise MachineError(f"pacman cannot read {self.view.base.top}{_ROOT_CONFIG}: {_errors(done)}")
        return bool(done.said.strip())

    def _make_repository(self, work: Path) -> list[str]:
        """The given packages as targets of pacman; reading them before keeps what nobody but makepkg writes out."""
        if not self.given:
            return []
        infos = [package_info(path) for path in self.given]
        files = [f"{_OWN_PLACE}/{info.stem}.pkg.tar" for info in infos]
        binds = [Bind(path=work / "own", place=_OWN_PLACE, writable=True), *self._given_binds()]
        words = ("repo-add", "--quiet", "--nocolor", f"{_OWN_PLACE}/{_OWN}.db.tar.gz", *files)
        done = self._run(words, step="fetch", binds=binds)
        if done.status != 0:
            raise UpstreamError(f"repo-add does not take the packages that it is built with: {_errors(done)}")
        return [f"{_OWN}/{info.name}" for info in infos]

    def _given_binds(self) -> list[Bind]:
        return [Bind(path=path, place=f"{_OWN_PLACE}/{package_info(path).stem}.pkg.tar") for path in self.given]

    def _resolved(self, targets: Sequence[str], wished: Sequence[str], work: Path, cache: Path) -> list[str]:
        """The targets without those of `wished` that are nowhere; what is in the cache already is kept from aging."""
        left = list(targets)
        self._refresh("-Sy", work, cache)
        done = self._transaction(left, work, cache)
        if done.status != 0 and _OTHER_ERROR.search(done.said):
            # Databases that were kept may be damaged, and are as new as those of the server all the same.
            self._refresh("-Syy", work, cache)
            done = self._transaction(left, work, cache)
        while done.status != 0:
            nowhere = _nowhere(done) & set(left)
            needed = nowhere - set(wished)
            if needed:
                names = ", ".join(sorted(needed))
                raise UpstreamError(f"neither the build root nor its repositories have or provide {names}")
            if not nowhere:
                raise UpstreamError(f"what it is built with cannot be installed: {_errors(done)}")
            left = [target for target in left if target not in nowhere]
            done = self._transaction(left, work, cache)
        for name in done.said.split():
            path = cache / "pkg" / name
            if "/" not in name and path.is_file():
                path.touch()
        return left

    def _refresh(self, how: str, work: Path, cache: Path) -> None:
        done = self._pacman(how, work=work, cache=cache, step="fetch", is_shown=True)
        if done.status != 0:
            hint = f"its servers are those of {self.view.base.top}{_ROOT_CONFIG}"
            raise MachineError(f"the repositories of the build root cannot be read: {_errors(done)}", hint=hint)

    def _transaction(self, targets: Sequence[str], work: Path, cache: Path) -> Ended:
        """What pacman would do, which says the names of all package files."""
        return self._pacman("-Sup", "--print-format", "%f", *targets, work=work, cache=cache, step="fetch")

    def _download(self, targets: Sequence[str], work: Path, cache: Path) -> None:
        for _ in range(_ATTEMPTS):
            done = self._pacman("-Suw", *targets, work=work, cache=cache, step="fetch", is_shown=True)
            if done.status == 0:
                return
        raise MachineError(f"packages for the build root cannot be downloaded: {_errors(done)}")

    def _pacman(
        self,
        *words: str,
        work: Path,
        cache: Path,
        step: Step = "install",
        is_shown: bool = False,
    ) -> Ended:
        fetches = step == "fetch"
        binds = [
            Bind(path=work / "sync", place=_SYNC_PLACE, writable=fetches),
            Bind(path=cache / "pkg", place=_CACHE_PLACE, writable=fetches),
            Bind(path=work / "own", place=_OWN_PLACE),
            Bind(path=work / "pacman.conf", place=_CONFIG_PLACE),
        ]
        config = _CONFIG_PLACE if self.given else _ROOT_CONFIG
        command = ["pacman", *words, "--config", config, "--dbpath", "/var/lib/pacman", "--cachedir", _OWN_PLACE]
        # Without one that it may write to, pacman warns.
        command += [
            "--cachedir",
            _CACHE_PLACE,
            "--cachedir",
            "/run",
            "--logfile",
            "/dev/null",
            "--noconfirm",
            "--noprogressbar",
        ]
        command += ["--color", "never"]
        return self._run(command, step=step, network=fetches, binds=[*binds, *self._given_binds()], is_shown=is_shown)

    def _run(
        self,
        words: Sequence[str],
        *,
        step: Step,
        network: bool = False,
        binds: Sequence[Bind] = (),
        is_shown: bool = False,
    ) -> Ended:
        done = self.view.run(
            words,
            step=step,
            network=network,
            binds=binds,
            timeout_s=self.runner.left_s,
            take=self.runner.log.take if is_shown else lambda _: None,
            watch=self.runner.cancelled,
        )
        if done.late:
            raise BuildEndedError(TimedOut(phase="dependencies", limit_s=self.runner.limit_s))
        if done.reason:
            raise BuildEndedError(Failed(phase="dependencies", status=None, reason=done.reason))
        return done


def _nowhere(done: Ended) -> set[str]:
    return set(_NOT_FOUND.findall(done.said))


def _errors(done: Ended) -> str:
    """What pacman complains of, in one line: its errors, or else all that it said last."""
    lines = [line.strip() for line in done.said.splitlines() if line.strip()]
    faults = [line for line in lines if line.startswith(("error:", "::", "==> ERROR"))]
    return "; ".join((faults or lines)[-5:]) or f"it ended with status {done.status}"


def _sweep(folder: Path) -> None:
    """Remove what nothing was built with for a month."""
    now = time.time()
    for path in folder.iterdir():
        if path.is_file() and now - path.stat().st_mtime > _MONTH_S:
            path.unlink(missing_ok=True)


def _copy_files(source: Path, target: Path, *, but: str = "") -> None:
    """Copy what differs, with times, by which pacman asks whether there is anything new."""
    for path in source.iterdir():
        if path.is_symlink() or not path.is_file() or (but and path.name.startswith(f"{but}.")):
            continue
        partial = target / f".{path.name}.part"
        shutil.copy2(path, partial)
        os.replace(partial, target / path.name)  # noqa: PTH105 - as a pair with the copy
