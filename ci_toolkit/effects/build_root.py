"""Where packages are built: a base that stays as it is, with a layer of other packages over it, seen by nobody else.

A build sees what its view shows of base and layer, read-only, a folder of its own at `/build`, and its sources at
`/sources`; it runs as a user that exists nowhere else, in namespaces and control groups of its own. Nothing outlives
it, but for what is in folders that it was given to write.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects import arch_view, host_view
from ci_toolkit.effects.arch_view import ArchView
from ci_toolkit.effects.base_root import ArchRoot, HostRoot
from ci_toolkit.effects.build_limits import BuildLimits, limit_words, user_words
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.control_groups import control_groups
from ci_toolkit.effects.disk_use import DiskUse
from ci_toolkit.effects.host_view import HostView
from ci_toolkit.effects.lent_users import end_processes, lent_user
from ci_toolkit.effects.private_folder import LOCK, private_folder, sweep_abandoned
from ci_toolkit.effects.sandbox import BASE_VARIABLES, Sandbox, enter_words, namespaces_hint, proxies
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.base_root import BaseRoot
    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Completed, Processes, Streamed
    from ci_toolkit.model.observation import UpstreamFile

__all__ = ["INSIDE", "BuildLimits", "BuildRoot", "build_root"]

INSIDE = "/build"
_SOURCES, _HOME, _SCRATCH = "/sources", "/home/builder", "/tmp"  # noqa: S108 - its own
_OUTPUT_BYTES = 4 << 20
_PROBE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRoot:
    """One build's root; `folder.path` is what it sees at `/build`, `writable` what it may write elsewhere."""

    processes: Processes
    folder: PrivateFolder
    view: HostView | ArchView
    groups: ControlGroups
    limits: BuildLimits
    proxies: Mapping[str, str]
    writable: Mapping[str, Path] = field(default_factory=dict)
    _disk: DiskUse = field(repr=False)

    @property
    def sources(self) -> Path:
        """The folder that a build sees at `/sources`."""
        return self.folder.scratch / "sources"

    @property
    def layer(self) -> Path:
        """What lies over everything else that the build sees."""
        return self.view.layer

    def give(self, path: Path) -> None:
        """Make a file or folder, with all in it, the build's own."""
        if self.folder.owner is None:
            return
        os.chown(path, self.folder.owner, self.folder.owner, follow_symlinks=False)
        for top, folders, names in os.walk(path):
            for name in (*folders, *names):
                os.chown(os.path.join(top, name), self.folder.owner, self.folder.owner, follow_symlinks=False)  # noqa: PTH118 - thousands of them

    def lay(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Put a file over what the build sees, where its user can read it whatever our umask says."""
        target = self.layer / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        for folder in target.relative_to(self.layer).parents:
            (self.layer / folder).chmod(0o755)

    def capture(self, words: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> Completed:
        """Run a program without network; ProcessError when it does not end by itself, however it ends otherwise."""
        try:
            return self.processes.run(
                self._words(words, network=False),
                env=_environment(variables),
                timeout_s=timeout_s,
                statuses=range(256),
                output_limit=_OUTPUT_BYTES,
            )
        finally:
            self._end()

    def stream(
        self,
        words: Sequence[str],
        *,
        network: bool,
        variables: Mapping[str, str],
        timeout_s: float,
        take: Callable[[bytes], None],
        watch: Callable[[], str | None],
    ) -> Streamed:
        """Run a program to its end, or to that of `timeout_s`, of its disk space, or to when `watch` says so."""
        try:
            return self.processes.stream(
                self._words(words, network=network),
                env=_environment({**(self.proxies if network else {}), **variables}),
                timeout_s=timeout_s,
                take=take,
                watch=lambda: watch() or self._disk.fault(),
            )
        finally:
            self._end()

    def _words(self, words: Sequence[str], *, network: bool) -> list[str]:
        inside = [
            *limit_words(self.limits, self.groups),
            *user_words(self.folder.owner),
            "env",
            f"--chdir={INSIDE}",
            *words,
        ]
        shown = self._bubblewrap_words(network=network)
        return [*enter_words(self.groups), *self.view.mount_words(), *shown, *inside]

    def _bubblewrap_words(self, *, network: bool) -> list[str]:
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--hostname", "build", "--cap-drop", "ALL"]
        if not network:
            words.append("--unshare-net")
        if self.folder.owner is None:
            words += ["--unshare-user", "--uid", str(os.getuid()), "--gid", str(os.getgid())]
        else:
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                words += ["--cap-add", capability]
        words += self.view.file_words(network=network)
        scratch = self.folder.scratch
        words += ["--bind", str(scratch / "tmp"), _SCRATCH, "--bind", str(scratch / "home"), _HOME]
        for place, path in self.writable.items():
            words += ["--bind", str(path), place]
        return [*words, "--bind", str(self.sources), _SOURCES, "--bind", str(self.folder.path), INSIDE, "--"]

    def _end(self) -> None:
        if self.folder.owner is not None:
            end_processes(self.folder.owner)


@contextmanager
def build_root(
    sandbox: Sandbox,
    limits: BuildLimits,
    files: Mapping[str, UpstreamFile],
    *,
    base: BaseRoot | None = None,
    writable: Mapping[str, Path] | None = None,
    packages: bool = True,
) -> Iterator[BuildRoot]:
    """A new root over `base` with `files` at `/build`, gone afterwards; MachineError where there can be none.

    `writable` are folders by the place where the build sees them; they become its user's. Without `packages` none is
    made or installed, and the machine needs no programs for that.
    """
    base = base or HostRoot()
    if isinstance(base, ArchRoot):
        base.check()
    _check_tools(sandbox, base, packages=packages)
    with (
        lent_user() as user,
        private_folder(user, purpose="build") as folder,
        control_groups(memory_bytes=limits.memory_bytes, processes=limits.processes) as groups,
        ExitStack() as held,
    ):
        # Closed to everybody: what packages hold there is not for this machine's users, least of all setuid programs.
        closed = folder.path.parent / "root"
        closed.mkdir(mode=0o700)
        held.enter_context(locked(folder.path.parent / LOCK))
        if isinstance(base, ArchRoot) and base.in_use:
            held.enter_context(locked(base.in_use, shared=True))
        sweep_abandoned(folder.path.parent)
        folder.fill(files)
        own = writable or {}
        for name in ("tmp", "home", "sources"):
            (folder.scratch / name).mkdir()
        root = BuildRoot(
            processes=sandbox.processes,
            folder=folder,
            view=_view(base, sandbox, folder, closed, groups, limits),
            groups=groups,
            limits=limits,
            proxies=_proxies(sandbox, base),
            writable=own,
            _disk=DiskUse((folder.path, folder.scratch, *own.values()), limits.disk_bytes),
        )
        root.view.prepare(tuple(own))
        for path in (folder.scratch, *own.values()):
            root.give(path)
        _check_namespaces(root)
        yield root


def _view(
    base: BaseRoot,
    sandbox: Sandbox,
    folder: PrivateFolder,
    closed: Path,
    groups: ControlGroups,
    limits: BuildLimits,
) -> HostView | ArchView:
    if isinstance(base, HostRoot):
        return HostView(processes=sandbox.processes, folder=folder, closed=closed)
    return ArchView(
        processes=sandbox.processes,
        folder=folder,
        closed=closed,
        base=base,
        groups=groups,
        limits=limits,
        proxies=_proxies(sandbox, base),
    )


def _proxies(sandbox: Sandbox, base: BaseRoot) -> dict[str, str]:
    """How to reach the network; a root has certificates of its own, and not the files that this machine's are in."""
    found = proxies(sandbox.environ)
    return found if isinstance(base, HostRoot) else {name: found[name] for name in found if "SSL" not in name}


def _check_tools(sandbox: Sandbox, base: BaseRoot, *, packages: bool) -> None:
    is_host = isinstance(base, HostRoot)
    tools: tuple[str, ...] = host_view.TOOLS if is_host else arch_view.TOOLS
    wanted = "makepkg pacman-package-manager " if is_host and packages else ""
    hint = f"on Debian: apt install {wanted}bubblewrap util-linux"
    if is_host and not packages:
        tools = tuple(tool for tool in tools if tool not in host_view.PACKAGE_TOOLS)
    path = sandbox.environ.get("PATH", os.defpath)
    missing = [tool for tool in tools if shutil.which(tool, path=path) is None]
    if missing:
        raise MachineError(f"packages cannot be built here: {', '.join(missing)} not installed", hint=hint)
    if sandbox.kind != "bubblewrap":
        is_auto = sandbox.wish in ("auto", "bubblewrap")
        raise MachineError(
            f"packages are built in bubblewrap alone, and not here: {sandbox.bubblewrap_fault}",
            hint=namespaces_hint() if is_auto else "leave CI_SANDBOX at auto",
        )


def _check_namespaces(root: BuildRoot) -> None:
    """Run nothing in the root, so that a machine that allows too little is blamed, and not the package."""
    done = root.capture(("true",), variables={}, timeout_s=_PROBE_S)
    if done.status:
        raise MachineError(f"packages cannot be built here: {done.complaint}", hint=namespaces_hint())


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {**BASE_VARIABLES, "TERM": "xterm", "HOME": _HOME, "TMPDIR": _SCRATCH, "SRCDEST": _SOURCES, **variables}
