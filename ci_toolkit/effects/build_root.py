"""Where packages are built: the machine's tools with a layer of other packages over them, seen by nobody else.

A build sees `/usr` as an overlay of its layer over the machine's, read-only, a folder of its own at `/build`, its
sources at `/sources`, and a few system files; it runs as a user that exists nowhere else, in namespaces and control
groups of its own. Nothing outlives it. What is put into the layer is put there by pacman, itself without network,
without scriptlets and without the means to leave its folder: packages come from builds of strangers' code.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.control_groups import control_groups
from ci_toolkit.effects.lent_users import end_processes, lent_user
from ci_toolkit.effects.private_folder import private_folder, remove_folder
from ci_toolkit.effects.sandbox import BASE_VARIABLES, Sandbox, enter_words, proxies, system_words
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Completed, Processes, Streamed
    from ci_toolkit.model.observation import UpstreamFile

INSIDE = "/build"
DATABASE = "var/lib/pacman"
_SOURCES, _HOME, _SCRATCH = "/sources", "/home/builder", "/tmp"  # noqa: S108 - its own
_TOOLS = ("bwrap", "makepkg", "mount", "pacman", "prlimit", "setpriv", "unshare")
_OVERLAY = 'mount -t overlay overlay -o "lowerdir=$1:/usr" "$2" && shift 2 && exec "$@"'
_PACMAN_CONFIG = "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n"
_PACMAN_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID")
_INSTALL_S = 600.0
_OUTPUT_BYTES = 4 << 20
_DISK_LOOK_S = 2.0
_LOCK = "lock"
_YOUNG_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """What one build may use: seconds, processes, and bytes of memory, of output and of disk."""

    time_s: float = 3_600.0
    memory_bytes: int = 8 << 30
    processes: int = 4_096
    output_bytes: int = 64 << 20
    disk_bytes: int = 32 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRoot:
    """One build's root; `folder.path` is what it sees at `/build`, `layer` what lies over `/usr`."""

    processes: Processes
    folder: PrivateFolder
    layer: Path
    groups: ControlGroups
    limits: BuildLimits
    proxies: Mapping[str, str]
    _disk: _DiskUse = field(repr=False)

    @property
    def sources(self) -> Path:
        """The folder that a build sees at `/sources`."""
        return self.folder.scratch / "sources"

    @property
    def database(self) -> Path:
        """Pacman's database of what is installed."""
        return self.layer / DATABASE

    def give(self, path: Path) -> None:
        """Make a file or folder, with all in it, the build's own."""
        if self.folder.owner is None:
            return
        os.chown(path, self.folder.owner, self.folder.owner, follow_symlinks=False)
        for top, folders, names in os.walk(path):
            for name in (*folders, *names):
                os.chown(os.path.join(top, name), self.folder.owner, self.folder.owner, follow_symlinks=False)  # noqa: PTH118 - thousands of them

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

    def install(self, packages: Sequence[Path]) -> Completed:
        """Put package files into the layer, by pacman, which may refuse: its status is not 0 then."""
        config = self.layer.parent / "pacman.conf"
        config.write_text(_PACMAN_CONFIG)
        inside = [f"/packages/{number}-{package.name}" for number, package in enumerate(packages)]
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-net", "--cap-drop", "ALL"]
        if self.folder.owner is None:
            words += ["--unshare-user", "--uid", "0", "--gid", "0"]
        for capability in _PACMAN_CAPABILITIES:
            words += ["--cap-add", capability]
        words += ["--ro-bind", "/usr", "/usr", *system_words(network=False), "--proc", "/proc", "--dev", "/dev"]
        words += ["--tmpfs", _SCRATCH, "--bind", str(self.layer), "/layer", "--ro-bind", str(config), "/pacman.conf"]
        for package, name in zip(packages, inside, strict=True):
            words += ["--ro-bind", str(package), name]
        words += ["--", "pacman", "--upgrade", "--noconfirm", "--noscriptlet", "--noprogressbar", "--color", "never"]
        words += ["--config", "/pacman.conf", "--root", "/layer", "--dbpath", f"/layer/{DATABASE}"]
        words += ["--cachedir", _SCRATCH, "--logfile", "/dev/null", "--hookdir", "/nonexistent", *inside]
        return self.processes.run(
            words, env=BASE_VARIABLES, timeout_s=_INSTALL_S, statuses=range(256), output_limit=_OUTPUT_BYTES
        )

    def _words(self, words: Sequence[str], *, network: bool) -> list[str]:
        apart = ["unshare", "--mount"] if self.folder.owner is not None else ["unshare", "--map-root-user", "--mount"]
        mount = self.layer.parent / "usr"
        overlay = [*apart, "--", "sh", "-c", _OVERLAY, "sh", str(self.layer / "usr"), str(mount)]
        inside = [*self._limit_words(), "env", f"--chdir={INSIDE}", *words]
        return [*enter_words(self.groups), *overlay, *self._bubblewrap_words(mount, network=network), *inside]

    def _bubblewrap_words(self, mount: Path, *, network: bool) -> list[str]:
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--hostname", "build", "--cap-drop", "ALL"]
        if not network:
            words.append("--unshare-net")
        if self.folder.owner is None:
            words += ["--unshare-user", "--uid", str(os.getuid()), "--gid", str(os.getgid())]
        else:
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                words += ["--cap-add", capability]
        words += ["--ro-bind", str(mount), "/usr", "--perms", "0755", "--dir", "/etc", *system_words(network=network)]
        words += ["--ro-bind", str(self.folder.people), "/etc/passwd", "--proc", "/proc", "--dev", "/dev"]
        for path in ("/home", "/var", "/var/lib"):
            words += ["--perms", "0755", "--dir", path]
        words += ["--ro-bind", str(self.database), f"/{DATABASE}", *self._layer_words()]
        scratch = self.folder.scratch
        words += ["--bind", str(scratch / "tmp"), _SCRATCH, "--bind", str(scratch / "home"), _HOME]
        return [*words, "--bind", str(self.sources), _SOURCES, "--bind", str(self.folder.path), INSIDE, "--"]

    def _layer_words(self) -> list[str]:
        """What packages of the layer have outside of `/usr`, but for system files that are shown already."""
        shown = system_words(network=True)
        parts = [self.layer / "opt", *sorted((self.layer / "etc").glob("*"))]
        found = [(str(part), f"/{part.relative_to(self.layer)}") for part in parts if part.exists()]
        return [word for part, place in found if place not in shown for word in ("--ro-bind", part, place)]

    def _limit_words(self) -> list[str]:
        """Limits that hold for one process; memory among them only where no control group counts it for all."""
        owner, limits = self.folder.owner, self.limits
        words = ["prlimit", f"--fsize={limits.disk_bytes}", "--core=0", f"--nproc={limits.processes}"]
        if "memory" not in self.groups.limits:
            words.append(f"--as={limits.memory_bytes}")
        words += ["--", "setpriv", "--no-new-privs"]
        if owner is None:
            return [*words, "--"]
        identity = [f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
        return [*words, *identity, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]

    def _end(self) -> None:
        if self.folder.owner is not None:
            end_processes(self.folder.owner)


@contextmanager
def build_root(sandbox: Sandbox, limits: BuildLimits, files: Mapping[str, UpstreamFile]) -> Iterator[BuildRoot]:
    """A new root with `files` at `/build`, gone afterwards; MachineError where there can be none."""
    _check_tools(sandbox)
    with (
        lent_user() as user,
        private_folder(user, purpose="build") as folder,
        control_groups(memory_bytes=limits.memory_bytes, processes=limits.processes) as groups,
        ExitStack() as held,
    ):
        # Closed to everybody: what packages hold there is not for this machine's users, least of all setuid programs.
        closed = folder.path.parent / "root"
        closed.mkdir(mode=0o700)
        held.enter_context(locked(closed / _LOCK))
        _sweep(folder.path.parent)
        layer = closed / "layer"
        for path in (layer / "usr", layer / DATABASE / "local", closed / "usr"):
            path.mkdir(parents=True)
        for path in (layer / "usr", layer / DATABASE, layer / DATABASE / "local"):
            path.chmod(0o755)  # whatever the umask says: the build's user reads there
        (layer / DATABASE / "local/ALPM_DB_VERSION").write_text("9\n")
        folder.fill(files)
        root = BuildRoot(
            processes=sandbox.processes,
            folder=folder,
            layer=layer,
            groups=groups,
            limits=limits,
            proxies=proxies(sandbox.environ),
            _disk=_DiskUse((folder.path, folder.scratch), limits.disk_bytes),
        )
        for name in ("tmp", "home", "sources"):
            (folder.scratch / name).mkdir()
        root.give(folder.scratch)
        yield root


def _check_tools(sandbox: Sandbox) -> None:
    path = sandbox.environ.get("PATH", os.defpath)
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        hint = "on Debian: apt install makepkg pacman-package-manager bubblewrap util-linux"
        raise MachineError(f"packages cannot be built here: {', '.join(missing)} not installed", hint=hint)
    if sandbox.kind != "bubblewrap":
        raise MachineError("packages are built in bubblewrap alone", hint="make it work, or leave CI_SANDBOX at auto")


def _sweep(own: Path) -> None:
    """Remove the folders of builds that were killed: those whose lock nobody holds any more."""
    prefix = own.name.rpartition("-")[0]
    for folder in own.parent.glob(f"{prefix}-*"):
        try:
            if folder == own or time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue
            with (folder / "root" / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(folder)
        except OSError:  # it is held, is another user's, or is gone already
            continue


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {**BASE_VARIABLES, "TERM": "xterm", "HOME": _HOME, "TMPDIR": _SCRATCH, "SRCDEST": _SOURCES, **variables}


class _DiskUse:
    """Looks now and then at how much lies in some folders, the more rarely the longer that takes."""

    def __init__(self, folders: Sequence[Path], limit_bytes: int) -> None:
        self._folders = folders
        self._limit_bytes = limit_bytes
        self._next_s = 0.0

    def fault(self) -> str | None:
        """Why a build has to end, if it has."""
        start = time.monotonic()
        if start < self._next_s:
            return None
        used = sum(_used_bytes(str(folder)) for folder in self._folders)
        took = time.monotonic() - start
        self._next_s = start + max(_DISK_LOOK_S, 20 * took)
        return f"it wrote more than {self._limit_bytes >> 20} MiB" if used > self._limit_bytes else None


def _used_bytes(folder: str) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _used_bytes(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:  # it goes on meanwhile, and removes what was there
        return total
    return total
