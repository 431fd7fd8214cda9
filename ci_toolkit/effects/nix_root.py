"""Where Nix evaluates and builds: a store of its own for one build, in namespaces of its own, seen by nobody else.

Expressions are strangers' programs, and so are the builders that they name. Nix and all it starts run as a user that
exists nowhere else, and see Nix's own files, one shell, the package's folder, and the private store at `/nix/store`,
where it has to be for hashes to be the usual ones. Where the machine lets namespaces be made inside of others, Nix puts
each builder into a sandbox of its own within, with nothing but what its derivation names.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.build_limits import limit_words, user_words
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.control_groups import control_groups
from ci_toolkit.effects.disk_use import DiskUse
from ci_toolkit.effects.lent_users import end_processes, lent_user
from ci_toolkit.effects.nix_tools import SHELL_PLACE, find_nix_tools
from ci_toolkit.effects.private_folder import LOCK, private_folder, sweep_abandoned
from ci_toolkit.effects.sandbox import enter_words, namespaces_hint, proxies
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ci_toolkit.effects.build_limits import BuildLimits
    from ci_toolkit.effects.control_groups import ControlGroups
    from ci_toolkit.effects.nix_tools import NixTools
    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Completed, Processes, Streamed
    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.model.observation import UpstreamFile

FOLDER_PLACE, RECIPE_PLACE, NEEDS_PLACE, OUT_PLACE = "/build", "/recipe", "/needs", "/out"
_CONFIG_PLACE = "/etc/nix/nix.conf"
_SCRATCH = "/tmp"  # noqa: S108 - its own
_CERTIFICATES_PLACE = "/etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = (_CERTIFICATES_PLACE, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_NETWORK_FILES = ("resolv.conf", "hosts", "nsswitch.conf", "services", "protocols")
_REDIRECTED = 'input=$1 output=$2; shift 2; exec "$@" <"$input" >"$output"'
_NO_INPUT = "/dev/null"
_OUTPUT_BYTES = 16 << 20
_PROBE_S = 20.0
# What Nix's own sandbox needs: namespaces within ours, with a view of their processes.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": _SCRATCH,
    "TMPDIR": _SCRATCH,
    "USER": "builder",
    "TERM": "xterm",
    "LC_ALL": "C.UTF-8",
    "NIX_REMOTE": "local",
    "NIX_CONF_DIR": "/etc/nix",
    "NIX_STORE_DIR": "/nix/store",
    "NIX_STATE_DIR": "/nix/var/nix",
    "NIX_LOG_DIR": "/nix/var/log/nix",
    "NIX_SSL_CERT_FILE": _CERTIFICATES_PLACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NixCaches:
    """Binary caches that Nix may take from what it would build, `keys` (`NAME:BASE64`) are those that sign there."""

    urls: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NixRoot:
    """One build's Nix. The folders are those that it sees at `/recipe` and `/needs` (to read) and `/out` (to write).

    `is_nested`: each builder is in a sandbox of Nix's own besides.
    """

    processes: Processes
    folder: PrivateFolder
    tools: NixTools
    groups: ControlGroups
    limits: BuildLimits
    is_nested: bool
    recipe: Path
    needs: Path
    out: Path
    proxies: Mapping[str, str]
    _config: Path = field(repr=False)
    _disk: DiskUse = field(repr=False)

    def stream(
        self,
        words: Sequence[str],
        *,
        timeout_s: float,
        take: Callable[[bytes], None],
        watch: Callable[[], str | None],
        network: bool = False,
        input_file: str = _NO_INPUT,
        output_file: str | None = None,
    ) -> Streamed:
        """Run a program of Nix; its files are named as it sees them, its complaints go to `take`."""
        try:
            return self.processes.stream(
                self._words(_redirected(words, input_file, output_file), network=network),
                env={**_ENVIRONMENT, **(self.proxies if network else {})},
                timeout_s=timeout_s,
                take=take,
                watch=lambda: watch() or self._disk.fault(),
            )
        finally:
            self._end()

    def capture(self, words: Sequence[str], *, timeout_s: float) -> Completed:
        """Run a program of Nix without network; ProcessError when it does not succeed."""
        try:
            return self.processes.run(
                self._words(words, network=False),
                env=_ENVIRONMENT,
                timeout_s=timeout_s,
                output_limit=_OUTPUT_BYTES,
            )
        finally:
            self._end()

    def configure(self, *, network: bool, caches: NixCaches) -> None:
        """Write the whole configuration of Nix; an expression changes nothing of it."""
        lines = {
            "build-hook": "/usr/bin/build-remote",
            "builders": "",
            "build-users-group": "",
            "substituters": " ".join(caches.urls),
            "trusted-public-keys": " ".join(caches.keys),
            "require-sigs": "true",
            "sandbox": "true" if self.is_nested else "false",
            "sandbox-fallback": "false",
            "sandbox-paths": f"{SHELL_PLACE}={SHELL_PLACE}",
            "experimental-features": "nix-command flakes",
            "accept-flake-config": "false",
            "flake-registry": "",
            "use-registries": "false",
            "restrict-eval": "true",
            "allowed-uris": "https:// http://" if network else "",
            # An expression is evaluated before anything that it names is built.
            "allow-import-from-derivation": "false",
            "nix-path": "",
            "connect-timeout": "30",
            "download-attempts": "5" if network or caches.urls else "1",
            "keep-build-log": "false",
        }
        self._config.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        self._config.chmod(0o644)

    def _words(self, words: Sequence[str], *, network: bool) -> list[str]:
        confined = [
            *limit_words(self.limits, self.groups),
            *user_words(self.folder.owner),
            *self._view(network=network),
        ]
        return [*enter_words(self.groups), *confined, *words]

    def _view(self, *, network: bool) -> list[str]:
        scratch = self.folder.scratch
        words = [*_namespace_words(self.folder, network=network), *self.tools.view_words()]
        words += ["--perms", "0755", "--dir", "/etc", "--perms", "0755", "--dir", "/etc/nix"]
        words += ["--ro-bind", str(self._config), _CONFIG_PLACE, "--ro-bind", str(self.folder.people), "/etc/passwd"]
        if network:
            words += _network_words(self.proxies)
        words += ["--proc", "/proc", "--dev", "/dev"]
        words += ["--bind", str(scratch / "tmp"), _SCRATCH, "--bind", str(scratch / "nix"), "/nix"]
        words += ["--ro-bind", str(self.recipe), RECIPE_PLACE, "--ro-bind", str(self.needs), NEEDS_PLACE]
        words += ["--bind", str(self.out), OUT_PLACE, "--ro-bind", str(self.folder.path), FOLDER_PLACE]
        return [*words, "--remount-ro", "/", "--chdir", FOLDER_PLACE, "--"]

    def _end(self) -> None:
        if self.folder.owner is not None:
            end_processes(self.folder.owner)


@contextmanager
def nix_root(
    sandbox: Sandbox, limits: BuildLimits, files: Mapping[str, UpstreamFile], *, nested: bool = True
) -> Iterator[NixRoot]:
    """A new root with `files` at `/build` and an empty store, gone afterwards; MachineError where there can be none.

    Without `nested` builders are not put into sandboxes of their own, even where that works.
    """
    tools = find_nix_tools(sandbox.processes, sandbox.environ)
    with (
        lent_user() as user,
        private_folder(user, purpose="build") as folder,
        control_groups(memory_bytes=limits.memory_bytes, processes=limits.processes) as groups,
    ):
        (folder.path.parent / LOCK).parent.mkdir(mode=0o700)
        with locked(folder.path.parent / LOCK):
            sweep_abandoned(folder.path.parent)
            folder.fill(files)
            scratch = folder.scratch
            for name in ("tmp", "nix", "out", "recipe", "needs"):
                (scratch / name).mkdir()
                (scratch / name).chmod(0o755)
            for name in ("tmp", "nix", "out"):
                _give(scratch / name, folder)
            yield NixRoot(
                processes=sandbox.processes,
                folder=folder,
                tools=tools,
                groups=groups,
                limits=limits,
                is_nested=_can_nest(sandbox, folder, limits, groups) and nested,
                recipe=scratch / "recipe",
                needs=scratch / "needs",
                out=scratch / "out",
                proxies=proxies(sandbox.environ),
                _config=folder.path.parent / "nix.conf",
                _disk=DiskUse((scratch,), limits.disk_bytes),
            )


def _redirected(words: Sequence[str], input_file: str, output_file: str | None) -> Sequence[str]:
    return words if output_file is None else ("sh", "-c", _REDIRECTED, "sh", input_file, output_file, *words)


def _namespace_words(folder: PrivateFolder, *, network: bool) -> list[str]:
    # By the lent user itself, and not by root for them: then bubblewrap leaves /proc as Nix's own sandbox needs it.
    number = str(os.getuid() if folder.owner is None else folder.owner)
    words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-user", "--uid", number, "--gid", number]
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "build"]
    words += ["--cap-drop", "ALL"]
    return words if network else [*words, "--unshare-net"]


def _can_nest(sandbox: Sandbox, folder: PrivateFolder, limits: BuildLimits, groups: ControlGroups) -> bool:
    """Whether there can be namespaces within ours; MachineError when there cannot be ours."""
    if sandbox.wish not in ("auto", "bubblewrap"):
        hint = "leave CI_SANDBOX at auto"
        raise MachineError(f"Nix is run in bubblewrap alone, and CI_SANDBOX is {sandbox.wish}", hint=hint)
    view = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--"]
    for within in (_NAMESPACES, ()):
        words = [
            *limit_words(limits, groups),
            *user_words(folder.owner),
            *_namespace_words(folder, network=False),
            *view,
            *within,
            "true",
        ]
        done = sandbox.processes.run(
            words, env=_ENVIRONMENT, timeout_s=_PROBE_S, statuses=range(256), output_limit=_OUTPUT_BYTES
        )
        if done.status == 0:
            return bool(within)
    raise MachineError(f"nothing is built with Nix here: {done.complaint}", hint=namespaces_hint())


def _network_words(variables: Mapping[str, str]) -> list[str]:
    words = []
    for name in _NETWORK_FILES:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    places = (variables.get("SSL_CERT_FILE"), *_CERTIFICATES)
    certificates = next((place for place in places if place and Path(place).is_file()), None)
    if certificates is None:
        return words
    for parent in reversed(Path(_CERTIFICATES_PLACE).parents[:-1]):
        words += ["--perms", "0755", "--dir", str(parent)]
    return [*words, "--ro-bind", str(Path(certificates).resolve()), _CERTIFICATES_PLACE]


def _give(path: Path, folder: PrivateFolder) -> None:
    if folder.owner is not None:
        os.chown(path, folder.owner, folder.owner)
