"""What a build sees in an Arch root: that root alone, under what its own pacman installed for this build.

Overlays over the root, made anew for every program in a mount namespace of its own:

- *fetching*, with network: pacman alone runs, refreshes its databases and downloads. What it writes beside the cache of
  packages is thrown away.
- *installing*, without network: pacman runs the scriptlets and hooks of what it installs, which are strangers' code, as
  root. What they write goes to this build's layer.
- *building*, as the build's own user: all of it read-only.

What holds for the first two: nothing of this machine is to be seen but the root, the cache (while installing it is
read-only) and the package files that were given; no variable but proxies without a password; own namespaces for
processes, mounts, IPC and host name; `/proc` read-only, as writing to `/proc/sys` takes no capability from root; the
control groups of the build; no capability beyond those that unpacking files and changing to another folder or user
take, so no mounts, devices, modules, clocks, or reading of other processes. The user is the machine's root, because
packages own files of several users: no user namespace stands between a fault of the kernel and the machine. Without
root everything runs in a user namespace with a single user, and what belongs to others in a package becomes ours.
Signatures are checked as the root's pacman.conf says, at fetching and again at installing.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ci_toolkit.effects.base_root import LOCAL_DATABASE, package_entries
from ci_toolkit.effects.disk_use import DiskUse
from ci_toolkit.effects.sandbox import BASE_VARIABLES, enter_words
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.base_root import ArchRoot
    from ci_toolkit.effects.build_limits import BuildLimits
    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.model.root_identity import InstalledPackage

TOOLS = ("bwrap", "mount", "prlimit", "unshare")
Step = Literal["fetch", "install"]

_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETFCAP"),
    *("CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"),
)
_MOUNT_FAILED = 125
_BEHIND_MOUNT = f'"$1/root" || exit {_MOUNT_FAILED}; shift 3; exec "$@"'
# A root is made for people whose umask is this, and pacman may download as a user of its own.
_MOUNT = f'umask 022; mount --rbind "$2" "$1/base" && mount -t overlay overlay -o "$3" {_BEHIND_MOUNT}'
_FOLDERS = ("base", "root", "skin", "upper", "work", "fetched", "fetching")
_PLACES = ("build", "dev", "home/builder", "proc", "run", "sources", "tmp", "var/tmp")
_NETWORK_FILES = ("hosts", "resolv.conf")
_HOSTS = "127.0.0.1 localhost build\n::1 localhost\n"
_PROBE_S = 60.0
_OUTPUT_BYTES = 4 << 20
_LARGEST_ACCOUNTS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or folder of this machine that a step sees at `place`, which is below `/run` or exists in every Arch."""

    path: Path
    place: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program of the root ended: with a status, or, without one, `late`, or for `reason`.

    `said` is what it printed, on whichever of its two outputs.
    """

    status: int | None
    said: str
    late: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchView:
    """An Arch root for one build; `closed` is a folder for it that nobody else can enter."""

    processes: Processes
    folder: PrivateFolder
    closed: Path
    base: ArchRoot
    groups: ControlGroups
    limits: BuildLimits
    proxies: Mapping[str, str]

    @property
    def layer(self) -> Path:
        """What lies over what pacman installs: ours alone, no program of a package ever writes there."""
        return self.closed / "skin"

    def prepare(self, places: Sequence[str] = ()) -> None:
        """Make the empty layers, with a folder at each of `places`; MachineError when nothing runs in this root."""
        for name in _FOLDERS:
            (self.closed / name).mkdir()
            (self.closed / name).chmod(0o755)
        for place in (*_PLACES, "etc", *places):
            (self.layer / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in ("passwd", "group", *_NETWORK_FILES):
            (self.layer / "etc" / name).write_text(_HOSTS if name == "hosts" else "")
        for path in (self.layer, *self.layer.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)  # whatever the umask says
        self._write_accounts()
        if self.run(("true",), step="install", timeout_s=_PROBE_S).status != 0:
            raise MachineError(f"not even true(1) succeeds in {self.base.top}")

    def mount_words(self) -> list[str]:
        """A prefix that puts everything together, read-only, in a mount namespace of its own."""
        return self._mounted("skin", "upper", "base")

    def file_words(self, *, network: bool) -> list[str]:
        """What bubblewrap shows of it."""
        words = ["--ro-bind", str(self.closed / "root"), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"]
        words += ["--bind", str(self.folder.scratch / "tmp"), "/var/tmp"]  # noqa: S108 - its own
        for name in ("passwd", "group"):
            words += ["--ro-bind", str(self.closed / name), f"/etc/{name}"]
        return [*words, *(_network_words() if network else ())]

    def run(
        self,
        words: Sequence[str],
        *,
        step: Step,
        network: bool = False,
        binds: Sequence[Bind] = (),
        timeout_s: float,
        take: Callable[[bytes], None] = lambda _: None,
        watch: Callable[[], str | None] = lambda: None,
    ) -> Ended:
        """Run a program of the root as its root, to its end or to when `watch` says so; `take` gets what it prints.

        MachineError when the root cannot be used at all.
        """
        printed = bytearray()
        disk = DiskUse((self.closed / "upper", self.closed / "fetched"), self.limits.disk_bytes)

        def took(chunk: bytes) -> None:
            printed.extend(chunk[: max(0, _OUTPUT_BYTES - len(printed))])
            take(chunk)

        ended = self.processes.stream(
            [*enter_words(self.groups), *self._step_words(step), *self._inside(network=network, binds=binds), *words],
            env={**BASE_VARIABLES, **(self.proxies if network else {}), "HOME": "/run", "TMPDIR": "/run"},
            timeout_s=timeout_s,
            take=took,
            watch=lambda: watch() or disk.fault() or ("it printed too much" if len(printed) >= _OUTPUT_BYTES else None),
        )
        said = printed.decode(errors="replace")
        if ended.status == _MOUNT_FAILED:
            hint = "temporary files have to be on a file system that takes overlays, which another overlay does not"
            raise MachineError(f"{self.base.top} cannot be mounted: {said.strip()}", hint=hint)
        if ended.status and said.startswith("bwrap: "):
            raise MachineError(f"no program of {self.base.top} can be run: {said.strip()}")
        return Ended(status=ended.status, said=said, late=ended.late, reason=ended.reason)

    def finish(self) -> tuple[InstalledPackage, ...]:
        """What was installed for this build; from now on its user knows the users and groups that came with it."""
        self._write_accounts()
        return package_entries(self.closed / "upper" / LOCAL_DATABASE)

    def _step_words(self, step: Step) -> list[str]:
        if step == "install":
            return self._mounted("base", upper="upper", work="work")
        return self._mounted("skin", "base", upper="fetched", work="fetching")

    def _mounted(self, *lower: str, upper: str | None = None, work: str = "") -> list[str]:
        options = "lowerdir=" + ":".join(str(self.closed / name) for name in lower)
        if upper is not None:
            options += f",upperdir={self.closed / upper},workdir={self.closed / work}"
        apart = ["unshare", "--mount"]
        if self.folder.owner is None:
            apart = ["unshare", "--map-root-user", "--mount"]
            options += ",userxattr"
        return [*apart, "--", "sh", "-c", _MOUNT, "sh", str(self.closed), str(self.base.top), options]

    def _inside(self, *, network: bool, binds: Sequence[Bind]) -> list[str]:
        words = ["prlimit", f"--fsize={self.limits.disk_bytes}", "--core=0", "--", "bwrap", "--die-with-parent"]
        words += ["--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
        words += ["--hostname", "build", "--cap-drop", "ALL"]
        if not network:
            words.append("--unshare-net")
        for capability in _CAPABILITIES:
            words += ["--cap-add", capability]
        words += ["--bind", str(self.closed / "root"), "/", "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
        words += ["--perms", "1777", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108 - its own
        for bind in binds:
            words += ["--bind" if bind.writable else "--ro-bind", str(bind.path), bind.place]
        return [*words, *(_network_words() if network else ()), "--"]

    def _write_accounts(self) -> None:
        owner = os.getuid() if self.folder.owner is None else self.folder.owner
        own = {"passwd": f"builder:x:{owner}:{owner}::/home/builder:/bin/bash\n", "group": f"builder:x:{owner}:\n"}
        for name, line in own.items():
            for top in (self.closed / "upper", self.base.top):
                text = _account_file(top, name)
                if text is not None:
                    break
            kept = [row for row in (text or b"").decode(errors="replace").splitlines(keepends=True) if row.strip()]
            (self.closed / name).write_text("".join(row for row in kept if not row.startswith("builder:")) + line)
            (self.closed / name).chmod(0o644)


def _network_words() -> list[str]:
    return [word for name in _NETWORK_FILES for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]


def _account_file(top: Path, name: str) -> bytes | None:
    """A file of `etc` below a folder that strangers write to: never what a link there points to."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        folder = os.open(top / "etc", flags | os.O_DIRECTORY)
        try:
            descriptor = os.open(name, flags | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(_LARGEST_ACCOUNTS)
    return None
