"""Where images are built: a folder of its own, seen by a program that is root there and nobody outside.

A Containerfile is a stranger's program, and whoever builds an image has to be root, mount, and give files away. So it
all happens in a user namespace of ids that own nothing, in mount, process, IPC and (without network) network namespaces
and control groups of its own, where nothing of this machine is to be seen but its programs, read-only.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.effects.build_limits import limit_words
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.control_groups import control_groups
from ci_toolkit.effects.disk_use import DiskUse
from ci_toolkit.effects.lent_ids import lent_ids
from ci_toolkit.effects.private_folder import LOCK, private_folder, remove_folder, sweep_abandoned
from ci_toolkit.effects.sandbox import BASE_VARIABLES, enter_words, namespaces_hint, proxies, system_words
from ci_toolkit.errors import MachineError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.build_limits import BuildLimits
    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.emulation import Emulation
    from ci_toolkit.effects.lent_ids import LentIds
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Processes, Streamed
    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.model.observation import UpstreamFile

CONTEXT, OUT, GIVEN = "/context", "/out", "/given"
_TOOLS = ("bwrap", "env", "prlimit", "rm")
_SCRATCH, _OTHER_SCRATCH = "/tmp", "/var/tmp"  # noqa: S108 - its own
_STATE = "/state"
_FORMATS = "/run/formats"
# What building needs: giving files away, mounting and changing root, all within its own namespaces.
_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_CHROOT"),
)
_SETTINGS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "resolv.conf": "",
    "containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
    "containers/registries.conf": 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n',
    "containers/containers.conf": '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n',
}
_SETTINGS_SHOWN = ("passwd", "group", "containers")
_SETTINGS_WITHOUT_NETWORK = ("hosts", "resolv.conf")
_STORAGE = f"""[storage]
driver = "vfs"
runroot = "{_STATE}/run"
graphroot = "{_STATE}/graph"
"""
# With a single id nothing can be given away: all files are root's then.
_ONE_OWNER = '[storage.options]\nignore_chown_errors = "true"\n[storage.options.vfs]\nignore_chown_errors = "true"\n'
_PROBE_S, _REMOVE_S = 60.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRoot:
    """One build's root.

    It sees its context at `/context` and what is given to it at `/given`, both read-only, and leaves things at `/out`,
    which is `out` for us.
    """

    processes: Processes
    folder: PrivateFolder
    ids: LentIds
    groups: ControlGroups
    limits: BuildLimits
    proxies: Mapping[str, str]
    emulation: Emulation
    _disk: DiskUse = field(repr=False)

    @property
    def out(self) -> Path:
        """What it leaves."""
        return self.folder.scratch / "out"

    def write(self, name: str, content: bytes) -> str:
        """Give it a file, which its own user can read whatever our umask says; where it sees it."""
        path = self._given / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._open(path)
        return f"{GIVEN}/{name}"

    def link(self, name: str, path: Path) -> str:
        """Give it a file, or a folder of files, without copying where that is safe; where it sees it."""
        target = self._given / name
        pairs = [(one, target / one.name) for one in path.iterdir()] if path.is_dir() else [(path, target)]
        for source, place in pairs:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._link(source, place)
            self._open(place)
        return f"{GIVEN}/{name}"

    def lay(self, path: str, source: Path) -> None:
        """Put a copy of a file into the context."""
        target = self.folder.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def seal(self, epoch_s: int) -> None:
        """Make the context the build's own, with the same modes and times wherever it is built."""
        for top, _, names in os.walk(self.folder.path, topdown=False):
            paths = [os.path.join(top, name) for name in names]  # noqa: PTH118 - thousands of them
            for path in (*paths, top):
                if not os.path.islink(path):  # noqa: PTH114 - likewise
                    mode = os.stat(path).st_mode  # noqa: PTH116 - likewise
                    os.chmod(path, 0o755 if path == top or mode & 0o100 else 0o644)  # noqa: PTH101 - likewise
                if self.ids.root is not None:
                    os.chown(path, self.ids.root, self.ids.root, follow_symlinks=False)
                os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)

    def stream(
        self,
        words: Sequence[str],
        *,
        network: bool,
        timeout_s: float,
        take: Callable[[bytes], None],
        watch: Callable[[], str | None],
    ) -> Streamed:
        """Run a program to its end, or to that of `timeout_s`, of its disk space, or to when `watch` says so."""
        try:
            return self.processes.stream(
                self._words(words, network=network),
                env=_environment(self.proxies if network else {}),
                timeout_s=timeout_s,
                take=take,
                watch=lambda: watch() or self._disk.fault(),
            )
        finally:
            self.ids.end_processes()

    def check(self) -> None:
        """MachineError when the system does not let us make such a root, before the package is blamed for it."""
        try:
            done = self.processes.run(
                self._words(("true",), network=False),
                env=_environment({}),
                timeout_s=_PROBE_S,
                statuses=range(256),
                output_limit=1 << 16,
            )
        except ProcessError as error:
            raise MachineError(f"images cannot be built here: {error.problem}", hint=namespaces_hint()) from error
        if done.status:
            raise MachineError(f"images cannot be built here: {done.complaint}", hint=namespaces_hint())

    @property
    def _given(self) -> Path:
        return self.folder.path.parent / "given"

    @property
    def _settings(self) -> Path:
        return self.folder.path.parent / "etc"

    @property
    def _formats(self) -> Path:
        return self.folder.path.parent / "formats"

    def _link(self, path: Path, target: Path) -> None:
        # Where its root is our own user it could make its view writable, and then change what is kept for others.
        if self.ids.root is not None:
            with suppress(OSError):  # another file system, or one that allows no more links
                target.hardlink_to(path)
                return
        shutil.copyfile(path, target)

    def _open(self, path: Path) -> None:
        for one in (path, *path.relative_to(self._given).parents):
            place = self._given / one
            place.chmod(0o755 if place.is_dir() else 0o644)

    def _prepare(self) -> None:
        for name in ("tmp", "state", "out"):
            made = self.folder.scratch / name
            made.mkdir()
            if self.ids.root is not None:
                os.chown(made, self.ids.root, self.ids.root)
        for made in (self._given, self._settings, self._formats, self._settings / "containers"):
            made.mkdir()
            made.chmod(0o755)
        storage = _STORAGE + (_ONE_OWNER if self.ids.count == 1 else "")
        for name, text in {**_SETTINGS, "containers/storage.conf": storage}.items():
            (self._settings / name).write_text(text)
            (self._settings / name).chmod(0o644)

    def _words(self, words: Sequence[str], *, network: bool) -> list[str]:
        formats = self.emulation.formats
        inside = self.ids.words(formats, self._formats if formats else None)
        return [*enter_words(self.groups), *inside, *self._bubblewrap_words(network=network), *words]

    def _bubblewrap_words(self, *, network: bool) -> list[str]:
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--hostname", "build", "--cap-drop", "ALL"]
        for capability in _CAPABILITIES:
            words += ["--cap-add", f"CAP_{capability}"]
        if not network:
            words.append("--unshare-net")
        words += ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc", *system_words(network=network)]
        for name in _SETTINGS_SHOWN if network else (*_SETTINGS_SHOWN, *_SETTINGS_WITHOUT_NETWORK):
            words += ["--ro-bind", str(self._settings / name), f"/etc/{name}"]
        words += ["--tmpfs", "/sys", "--dir", "/sys/fs/cgroup", "--tmpfs", "/run"]
        words += ["--proc", "/proc", "--dev", "/dev"]
        if self.emulation.formats:
            words += ["--ro-bind", str(self._formats), _FORMATS]
        scratch = self.folder.scratch
        words += ["--bind", str(scratch / "tmp"), _SCRATCH, "--dir", "/var", "--symlink", "../tmp", _OTHER_SCRATCH]
        words += ["--bind", str(scratch / "state"), _STATE, "--bind", str(scratch / "out"), OUT]
        words += ["--ro-bind", str(self._given), GIVEN, "--ro-bind", str(self.folder.path), CONTEXT]
        return [*words, "--chdir", CONTEXT, "--", *limit_words(self.limits, self.groups)]


@contextmanager
def container_root(
    sandbox: Sandbox, limits: BuildLimits, files: Mapping[str, UpstreamFile], *, emulation: Emulation
) -> Iterator[ContainerRoot]:
    """A new root with `files` for its context, gone afterwards; MachineError where there can be none."""
    path = sandbox.environ.get("PATH", os.defpath)
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        hint = "on Debian: apt install bubblewrap util-linux"
        raise MachineError(f"images cannot be built here: {', '.join(missing)} not installed", hint=hint)
    if sandbox.wish not in ("auto", "bubblewrap"):
        problem = f"images are built in bubblewrap alone, and CI_SANDBOX is {sandbox.wish}"
        raise MachineError(problem, hint="leave CI_SANDBOX at auto")
    with (
        lent_ids() as ids,
        private_folder(ids.root, purpose="container") as folder,
        control_groups(memory_bytes=limits.memory_bytes, processes=limits.processes) as groups,
        ExitStack() as held,
    ):
        own = folder.path.parent
        closed = (own / LOCK).parent
        closed.mkdir(mode=0o700)
        held.enter_context(locked(own / LOCK))
        sweep_abandoned(own, lambda left: _remove(left, sandbox.processes, ids))
        folder.fill(files)
        root = ContainerRoot(
            processes=sandbox.processes,
            folder=folder,
            ids=ids,
            groups=groups,
            limits=limits,
            proxies=proxies(sandbox.environ),
            emulation=emulation,
            _disk=DiskUse((folder.path, folder.scratch), limits.disk_bytes),
        )
        held.callback(_empty, own, sandbox.processes, ids)
        root._prepare()  # noqa: SLF001 - it is made here
        root.check()
        yield root


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {
        **BASE_VARIABLES,
        **more,
        "HOME": _SCRATCH,
        "TMPDIR": _SCRATCH,
        "XDG_RUNTIME_DIR": "/run",
        "BUILDAH_ISOLATION": "chroot",
        # It is root of a user namespace already, and need not make another one.
        "_CONTAINERS_USERNS_CONFIGURED": "done",
        "_CONTAINERS_ROOTLESS_UID": "0",
    }


def _remove(folder: Path, processes: Processes, ids: LentIds) -> None:
    _empty(folder, processes, ids)
    remove_folder(folder)


def _empty(folder: Path, processes: Processes, ids: LentIds) -> None:
    """Remove what a build left of many owners, for one who may not, but whose root inside may."""
    if ids.root is not None:
        return
    left = [str(folder / name) for name in ("package", "scratch")]
    try:
        processes.run(
            [*ids.words(), "rm", "-rf", "--one-file-system", "--", *left],
            env=BASE_VARIABLES,
            timeout_s=_REMOVE_S,
            statuses=range(256),
        )
    except ProcessError:  # the next build sweeps it away
        return
