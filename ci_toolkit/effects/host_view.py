"""What a build sees on a machine that is no Arch system: its `/usr` under a layer of packages, and a few system files.

What is put into the layer is put there by pacman, itself without network, without scriptlets and without the means to
leave its folder: packages come from builds of strangers' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.sandbox import BASE_VARIABLES, system_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ci_toolkit.effects.private_folder import PrivateFolder
    from ci_toolkit.effects.process import Completed, Processes

DATABASE = "var/lib/pacman"
PACKAGE_TOOLS = ("makepkg", "pacman")
TOOLS = ("bwrap", "mount", "prlimit", "setpriv", "unshare", *PACKAGE_TOOLS)
_SCRATCH = "/tmp"  # noqa: S108 - its own
_OVERLAY = 'mount -t overlay overlay -o "lowerdir=$1:/usr" "$2" && shift 2 && exec "$@"'
_PACMAN_CONFIG = "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n"
_PACMAN_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID")
_INSTALL_S = 600.0
_OUTPUT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """The machine's tools for one build; `closed` is a folder for it that nobody else can enter."""

    processes: Processes
    folder: PrivateFolder
    closed: Path

    @property
    def layer(self) -> Path:
        """What lies over the machine's files."""
        return self.closed / "layer"

    @property
    def database(self) -> Path:
        """Pacman's database of what is installed."""
        return self.layer / DATABASE

    def prepare(self, places: Sequence[str] = ()) -> None:  # noqa: ARG002 - only other views have to make places
        """Make the empty layer."""
        for path in (self.layer / "usr", self.database / "local", self._mount):
            path.mkdir(parents=True)
        for path in (self.layer / "usr", self.database, self.database / "local"):
            path.chmod(0o755)  # whatever the umask says: the build's user reads there
        (self.database / "local/ALPM_DB_VERSION").write_text("9\n")

    def mount_words(self) -> list[str]:
        """A prefix that puts everything together in a mount namespace of its own."""
        apart = ["unshare", "--mount"] if self.folder.owner is not None else ["unshare", "--map-root-user", "--mount"]
        return [*apart, "--", "sh", "-c", _OVERLAY, "sh", str(self.layer / "usr"), str(self._mount)]

    def file_words(self, *, network: bool) -> list[str]:
        """What bubblewrap shows of it."""
        words = ["--ro-bind", str(self._mount), "/usr", "--perms", "0755", "--dir", "/etc"]
        words += [*system_words(network=network), "--ro-bind", str(self.folder.people), "/etc/passwd"]
        words += ["--proc", "/proc", "--dev", "/dev"]
        for path in ("/home", "/var", "/var/lib"):
            words += ["--perms", "0755", "--dir", path]
        return [*words, "--ro-bind", str(self.database), f"/{DATABASE}", *self._layer_words()]

    def install(self, packages: Sequence[Path]) -> Completed:
        """Put package files into the layer, by pacman, which may refuse: its status is not 0 then."""
        config = self.closed / "pacman.conf"
        config.write_text(_PACMAN_CONFIG)
        inside = [f"/packages/{number}-{package.name}" for number, package in enumerate(packages)]
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-net", "--cap-drop", "ALL"]
        if self.folder.owner is None:
            words += ["--unshare-user", "--uid", "0", "--gid", "0"]
        for capability in _PACMAN_CAPABILITIES:
            words += ["--cap-add", capability]
        words += ["--ro-bind", "/usr", "/usr", *system_words(network=False)]
        words += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
        words += ["--tmpfs", _SCRATCH, "--bind", str(self.layer), "/layer", "--ro-bind", str(config), "/pacman.conf"]
        for package, name in zip(packages, inside, strict=True):
            words += ["--ro-bind", str(package), name]
        words += ["--", "pacman", "--upgrade", "--noconfirm", "--noscriptlet", "--noprogressbar", "--color", "never"]
        words += ["--config", "/pacman.conf", "--root", "/layer", "--dbpath", f"/layer/{DATABASE}"]
        words += ["--cachedir", _SCRATCH, "--logfile", "/dev/null", "--hookdir", "/nonexistent", *inside]
        return self.processes.run(
            words, env=BASE_VARIABLES, timeout_s=_INSTALL_S, statuses=range(256), output_limit=_OUTPUT_BYTES
        )

    @property
    def _mount(self) -> Path:
        return self.closed / "usr"

    def _layer_words(self) -> list[str]:
        """What packages of the layer have outside of `/usr`, but for system files that are shown already."""
        shown = system_words(network=True)
        parts = [self.layer / "opt", *sorted((self.layer / "etc").glob("*"))]
        found = [(str(part), f"/{part.relative_to(self.layer)}") for part in parts if part.exists()]
        return [word for part, place in found if place not in shown for word in ("--ro-bind", part, place)]
