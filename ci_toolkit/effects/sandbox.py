"""Where strangers' programs run: in a private copy of one package folder, with nothing else in reach.

Three ways, in this order: bubblewrap (own namespaces, only system folders to be seen, as a user that exists nowhere
else); an unprivileged user with an empty environment where bubblewrap does not work and we are root (the network is
then cut off by a system call filter); else refused. `CI_SANDBOX=none` runs them as they are, with a warning every time.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ci_toolkit.effects import confine
from ci_toolkit.effects.control_groups import control_groups
from ci_toolkit.effects.lent_users import end_processes, lent_user
from ci_toolkit.effects.private_folder import private_folder
from ci_toolkit.errors import ProcessError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Completed, Processes
    from ci_toolkit.model.observation import UpstreamFile

log = logging.getLogger(__name__)

Kind = Literal["bubblewrap", "user", "none"]

_INSIDE = "/package"
_SYSTEM_LINKS = ("bin", "lib", "lib32", "lib64", "sbin")
_SETTINGS = (
    *("alternatives", "ca-certificates", "crypto-policies", "pki", "ssl"),
    *(
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "makepkg.conf",
        "makepkg.conf.d",
        "pacman.conf",
        "pacman.d/mirrorlist",
    ),
    *("nsswitch.conf", "protocols", "services", "localtime"),
)
_NETWORK_SETTINGS = ("resolv.conf", "hosts", "host.conf", "gai.conf")
_INSIDE_SCRATCH = "/tmp"  # noqa: S108 - of its own
_PROBE_S = 20.0
# Left by Docker and by Podman.
_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
# Ubuntu's, since 23.10.
_USERNS_RESTRICTION = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
BASE_VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/bin/core_perl",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
}
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use: seconds, processes, and bytes of memory, output, one file, and all it leaves."""

    time_s: float = 120.0
    memory_bytes: int = 2 << 30
    processes: int = 512
    output_bytes: int = 4 << 20
    file_bytes: int = 256 << 20
    folder_bytes: int = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A stranger's program: of the environment it sees only `variables`, of the machine system folders and `readable`.

    `statuses` are those with which it may end.
    """

    words: Sequence[str]
    network: bool
    variables: Mapping[str, str] = field(default_factory=dict)
    readable: Sequence[Path] = ()
    limits: Limits = field(default_factory=Limits)
    statuses: Sequence[int] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that has ended, and the files it left."""

    completed: Completed
    files: Mapping[str, UpstreamFile]


class SandboxRefusedError(UpstreamError):
    """There is no way here to run strangers' programs safely."""


@dataclass(kw_only=True)
class Sandbox:
    """Runs programs on private copies of files; `closed_to_users` are folders that no other user may get into."""

    processes: Processes
    environ: Mapping[str, str]
    wish: str = "auto"
    closed_to_users: Sequence[Path] = ()

    @cached_property
    def kind(self) -> Kind:
        """How programs are confined here; SandboxRefusedError when they cannot be."""
        if self.wish == "none":
            return "none"
        if self.bubblewrap_fault is None:
            return "bubblewrap"
        if self.wish in ("auto", "user") and os.geteuid() == 0:
            self._check_closed()
            return "user"
        raise SandboxRefusedError(
            f"there is no sandbox for strangers' code here: bubblewrap: {self.bubblewrap_fault}",
            hint=f"{namespaces_hint()}, or set CI_SANDBOX=none if this machine holds nothing worth protecting",
        )

    @cached_property
    def bubblewrap_fault(self) -> str | None:
        """Why bubblewrap is not used here, in its own words where it has some; None when it is."""
        if self.wish not in ("auto", "bubblewrap"):
            return f"it is not asked for: CI_SANDBOX is {self.wish}"
        return self._bubblewrap_fault()

    def run(self, program: Program, files: Mapping[str, UpstreamFile]) -> Finished:
        """Run a program where `files` are, and read back what is there afterwards.

        ProcessError when it fails or exceeds a limit; UpstreamError when what it left must not be taken;
        SandboxRefusedError when there is no sandbox.
        """
        if self.kind == "none":
            log.warning("CI_SANDBOX=none: strangers' code runs with nothing between it and this machine")
        limits = program.limits
        with lent_user() as user, private_folder(user) as folder:
            folder.fill(files)
            with control_groups(memory_bytes=limits.memory_bytes, processes=limits.processes) as groups:
                completed = self._run_in(folder, program, groups)
            left = folder.read(files, largest_bytes=limits.file_bytes, total_bytes=limits.folder_bytes)
        return Finished(completed=completed, files=left)

    def _run_in(self, folder: PrivateFolder, program: Program, groups: ControlGroups) -> Completed:
        try:
            return self.processes.run(
                [*enter_words(groups), *self._confined(folder, program)],
                env={**self._environment(folder, network=program.network), **program.variables},
                timeout_s=program.limits.time_s,
                cwd=folder.path,
                statuses=tuple(program.statuses),
                output_limit=program.limits.output_bytes,
            )
        except ProcessError as error:
            raise ProcessError(_said(program.words, error), said=error.said) from error
        finally:
            if folder.owner is not None:
                end_processes(folder.owner)

    def _confined(self, folder: PrivateFolder, program: Program) -> list[str]:
        if self.kind == "bubblewrap":
            return _in_bubblewrap(folder, program)
        inside = [*_limit_words(program.limits, folder.owner, alone=False), *program.words]
        if self.kind == "user" and not program.network:
            # Python itself as root, so that it need not be readable for others; the filter stays with what it becomes.
            return [sys.executable, "-I", "-S", confine.__file__, *inside]
        return inside

    def _environment(self, folder: PrivateFolder, *, network: bool) -> dict[str, str]:
        kept = proxies(self.environ) if network else {}
        scratch = _INSIDE_SCRATCH if self.kind == "bubblewrap" else str(folder.scratch)
        return {**kept, **BASE_VARIABLES, "HOME": scratch, "TMPDIR": scratch}

    def _bubblewrap_fault(self) -> str | None:
        if shutil.which("bwrap", path=self.environ.get("PATH", os.defpath)) is None:
            return "it is not installed"
        try:
            with lent_user() as user, private_folder(user) as folder:
                probe = Program(words=("true",), network=False)
                words = _in_bubblewrap(folder, probe)
                self.processes.run(words, env=BASE_VARIABLES, timeout_s=_PROBE_S, output_limit=1 << 16)
        except ProcessError as error:
            return error.said or error.problem
        return None

    def _check_closed(self) -> None:
        for path in self.closed_to_users:
            if _is_open_to_others(path):
                raise SandboxRefusedError(
                    f"bubblewrap does not work here, and {path} can be read by every user",
                    hint=f"chmod go-rwx {path}, or make bubblewrap work",
                )


def _in_bubblewrap(folder: PrivateFolder, program: Program) -> list[str]:
    # The folder is closed to everybody but its owner, so only the program itself can go there.
    limits = _limit_words(program.limits, folder.owner, alone=True)
    inside = [*limits, "env", f"--chdir={_INSIDE}", *program.words]
    return [*_bubblewrap_words(folder, program), *inside]


def _bubblewrap_words(folder: PrivateFolder, program: Program) -> list[str]:
    words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL"]
    if not program.network:
        words.append("--unshare-net")
    if folder.owner is None:
        words += ["--unshare-user", "--disable-userns"]
    else:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            words += ["--cap-add", capability]
    words += ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc", *system_words(network=program.network)]
    words += ["--ro-bind", str(folder.people), "/etc/passwd", "--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--size", str(program.limits.folder_bytes), "--tmpfs", _INSIDE_SCRATCH]
    for path in program.readable:
        for parent in reversed(path.parents[:-1]):
            words += ["--perms", "0755", "--dir", str(parent)]
        words += ["--ro-bind", str(path), str(path)]
    return [*words, "--bind", str(folder.path), _INSIDE, "--chdir", "/", "--"]


def namespaces_hint(root: Path = Path("/")) -> str:
    """What to do where bubblewrap is missing or may make no namespaces, for the kind of machine that `root` is of."""
    if any((root / mark).exists() for mark in _CONTAINER_MARKS):
        return (
            "install bubblewrap, and let the container make namespaces: run it privileged, or with --cap-add SYS_ADMIN"
            " --security-opt seccomp=unconfined --security-opt apparmor=unconfined; or take a runner without containers"
        )
    restriction = root / _USERNS_RESTRICTION
    if restriction.is_file() and restriction.read_text().strip() == "1":
        return "install bubblewrap, and allow it to work: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    return "install bubblewrap"


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to reach the network from here; a proxy with a password in it is nobody else's."""
    return {name: environ[name] for name in _PROXIES if name in environ and "@" not in environ[name]}


def system_words(*, network: bool) -> list[str]:
    """What bubblewrap shows of the machine beside `/usr`."""
    words = []
    for name in _SYSTEM_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in (*_SETTINGS, *(_NETWORK_SETTINGS if network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


def enter_words(groups: ControlGroups) -> list[str]:
    """A prefix that puts the program into control groups before anything else happens."""
    if not groups.entrances:
        return []
    script = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec "$@"'
    return ["sh", "-c", script, "sh", *map(str, groups.entrances), "--"]


def _limit_words(limits: Limits, user: int | None, *, alone: bool) -> list[str]:
    """A prefix that limits a program and drops privileges; `alone`: no other process counts as one of its user."""
    words = ["prlimit", f"--as={limits.memory_bytes}", f"--fsize={limits.file_bytes}", "--core=0", "--nofile=1024"]
    words.append(f"--cpu={int(limits.time_s) + 1}")
    if alone or user is not None:
        words.append(f"--nproc={limits.processes}")
    if user is None:
        return [*words, "--", "setpriv", "--no-new-privs", "--"]
    identity = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    drop = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]
    return [*words, "--", *identity, *drop, "--"]


def _said(program: Sequence[str], error: ProcessError) -> str:
    """The error without the long command line that makes the sandbox."""
    _, _, behind = error.problem.rpartition(" ended with status ")
    if behind != error.problem:
        return f"{program[0]} ended with status {behind}"
    for words in (" did not end within ", " wrote more than "):
        _, found, behind = error.problem.rpartition(words)
        if found:
            return f"{program[0]}{words}{behind}"
    return error.problem


def _is_open_to_others(path: Path) -> bool:
    """Whether some user who owns nothing could read inside a folder: it and all above it let others through."""
    try:
        if not path.stat().st_mode & 0o005:
            return False
        return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
    except OSError:
        return False
