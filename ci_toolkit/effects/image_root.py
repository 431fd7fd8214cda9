"""Arch roots from container images: pulled by podman, unpacked once for each digest, and kept in the cache.

Nothing of an image is ever run by unpacking it. podman makes a container that is never started and writes its files
into an archive; that is unpacked by this machine's tar, in namespaces where there is nothing but the archive and the
folder that it goes to, so that no link or name in it leads anywhere else. Devices are left out.

A root is unpacked beside its place and renamed, so one whose unpacking was killed is never used, and is removed by the
next that unpacks. Roots that nothing was built in for a week are removed, unless the image's name still means them.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.base_root import ArchRoot
from ci_toolkit.effects.cache_files import CacheFiles, locked
from ci_toolkit.effects.private_folder import remove_folder
from ci_toolkit.effects.sandbox import BASE_VARIABLES, system_words
from ci_toolkit.errors import MachineError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Completed, Processes

log = logging.getLogger(__name__)

_LOCAL = "localhost/"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAMES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "DBUS_SESSION_BUS_ADDRESS",
    "REGISTRY_AUTH_FILE",
    "STORAGE_DRIVER",
)
_PREFIXES = ("XDG_", "CONTAINERS_", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_PULL_S, _UNPACK_S, _ASK_S = 3_600.0, 1_800.0, 60.0
_FRESH_S = 3_600.0
_WEEK_S = 7 * 86_400.0
_OUTPUT_BYTES = 1 << 20
_PARTIAL = ".partial-"
_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID")


class _Known(NamedTuple):
    """The digest of an image, and podman's own number for it: names may mean another one a moment later."""

    digest: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRoots:
    """The roots of images; `folder` is where they are kept, which is to be entered by nobody else."""

    processes: Processes
    environ: Mapping[str, str]
    folder: Path
    clock: Clock

    def root(self, image: str) -> ArchRoot:
        """The root of an image, of which the registry is asked again after an hour.

        MachineError when podman is missing, the image is not to be had, or is no Arch system. When the registry cannot
        be asked the image that is here is used, with a warning.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # programs of an image are not for this machine's users
        with locked(self.folder / "lock"):
            digest, number = self._fresh(image) or self._current(image)
            root = self._place(image, digest)
            if not root.top.is_dir():
                self._unpack(image, number, root)
            (self.folder / f"{root.top.name}.lock").touch()
            self._sweep()
        return root

    def _place(self, image: str, digest: str) -> ArchRoot:
        name = digest.partition(":")[2]
        return ArchRoot(
            top=self.folder / name,
            image=digest,
            cache=self.folder / "packages" / _key(image),
            in_use=self.folder / f"{name}.lock",
        )

    def _fresh(self, image: str) -> _Known | None:
        """What the image was within the last hour, if that is unpacked."""
        known = CacheFiles(folder=self._tags).load(_key(image))
        match known:
            case {"digest": str(digest), "asked": float(asked)} if _DIGEST.fullmatch(digest):
                is_fresh = 0 <= self.clock.now() - asked < _FRESH_S and not image.startswith(_LOCAL)
                return _Known(digest, "") if is_fresh and self._place(image, digest).top.is_dir() else None
        return None

    def _current(self, image: str) -> _Known:
        """What the image is now, with all of it pulled."""
        if shutil.which("podman", path=self.environ.get("PATH", os.defpath)) is None:
            raise MachineError(
                f"builds are to run in the image {image}, and podman is not installed",
                hint="on Debian: apt install podman; or let CI_BUILD_ROOT name a folder with an Arch system",
            )
        fault = None if image.startswith(_LOCAL) else self._pull_fault(image)
        try:
            shape = ("--format", "{{.Digest}} {{.Id}}")
            text = self._podman("image", "inspect", *shape, "--", image, timeout_s=_ASK_S).stdout
        except ProcessError as error:
            hint = f"podman pull {image} tells more; CI_BUILD_ROOT names the image"
            raise MachineError(f"the image {image} cannot be had: {fault or error.said}", hint=hint) from error
        if fault:
            log.warning("%s cannot be pulled, so it is used as it is here: %s", image, fault)
        digest, _, number = text.decode(errors="replace").strip().partition(" ")
        if not _DIGEST.fullmatch(digest):
            raise MachineError(f"podman says that the digest of {image} is {digest!r}")
        CacheFiles(folder=self._tags).save(_key(image), {"digest": digest, "asked": float(self.clock.now())})
        return _Known(digest, number)

    def _pull_fault(self, image: str) -> str | None:
        try:
            self._podman("pull", "--quiet", "--", image, timeout_s=_PULL_S)
        except ProcessError as error:
            return error.said.rpartition("; ")[2]  # before it stand the attempts
        return None

    def _unpack(self, image: str, number: str, root: ArchRoot) -> None:
        for leftover in self.folder.glob(f"{_PARTIAL}*"):
            remove_folder(leftover)
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self.folder))
        try:
            files, archive = partial / "root", partial / "archive.tar"
            files.mkdir(mode=0o755)
            files.chmod(0o755)
            self._export(number, archive)
            self._extract(archive, files)
            try:
                ArchRoot(top=files).check()
            except MachineError as error:
                missing = error.problem.rpartition(": ")[2]
                raise MachineError(f"the image {image} is no Arch root: {missing}", hint=error.hint) from error
            files.rename(root.top)
        except ProcessError as error:
            raise MachineError(f"the image {image} cannot be unpacked: {error.said}") from error
        finally:
            remove_folder(partial)

    def _export(self, number: str, archive: Path) -> None:
        # By a name that a later run knows, in case that this one is killed before it removes the container.
        name = f"ci-toolkit-{_key(f'{self.folder} {number}')}"
        forget = ("rm", "--force", "--ignore", "--volumes", name)
        self._podman(*forget, timeout_s=_ASK_S)
        options = ("--pull=never", "--network=none", f"--name={name}")
        self._podman("create", *options, number, "true", timeout_s=_UNPACK_S)
        try:
            self._podman("export", f"--output={archive}", name, timeout_s=_UNPACK_S)
        finally:
            self._podman(*forget, timeout_s=_ASK_S)

    def _extract(self, archive: Path, files: Path) -> None:
        is_root = os.geteuid() == 0
        words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        words += ["--unshare-net", "--cap-drop", "ALL"]
        words += [] if is_root else ["--unshare-user", "--uid", "0", "--gid", "0"]
        for capability in _CAPABILITIES:
            words += ["--cap-add", capability]
        words += ["--ro-bind", "/usr", "/usr", *system_words(network=False), "--dev", "/dev"]
        words += ["--bind", str(files), "/root-of-image", "--ro-bind", str(archive), "/archive.tar", "--"]
        words += ["tar", "--extract", "--file=/archive.tar", "--directory=/root-of-image", "--numeric-owner"]
        words += ["--same-permissions", "--same-owner" if is_root else "--no-same-owner"]
        words += ["--exclude=dev/*", "--exclude=./dev/*"]
        self.processes.run(words, env=BASE_VARIABLES, timeout_s=_UNPACK_S, output_limit=_OUTPUT_BYTES)

    def _podman(self, *words: str, timeout_s: float) -> Completed:
        kept = {name: value for name, value in self.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
        return self.processes.run(("podman", *words), env=kept, timeout_s=timeout_s)

    def _sweep(self) -> None:
        """Remove roots that nobody uses, nor has for a week, and that no name of an image means any more."""
        tags = CacheFiles(folder=self._tags)
        meant = [tags.load(path.stem) for path in self._tags.glob("*.json")]
        digests = {known.get("digest") for known in meant if isinstance(known, dict)}
        for lock in self.folder.glob("*.lock"):
            top = lock.with_suffix("")
            if f"sha256:{top.name}" in digests or self.clock.now() - lock.stat().st_mtime < _WEEK_S:
                continue
            with lock.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                remove_folder(top)
                lock.unlink()

    @property
    def _tags(self) -> Path:
        return self.folder / "images"


def _key(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()[:16]
