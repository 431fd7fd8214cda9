"""Images that others are built on: found and fetched by skopeo, before any stranger's code runs, and kept by digest.

Nobody is told who asks: images that need a password cannot be had.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.effects.addresses import public_address
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.files import sha256_of
from ci_toolkit.errors import MachineError, ProcessError, UpstreamError
from ci_toolkit.formats.image_layout import (
    LARGEST_DOCUMENT_BYTES,
    digest_of,
    image_for,
    is_index,
    parse_index,
    parse_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.formats.image_platform import ImagePlatform
    from ci_toolkit.formats.image_reference import ImageReference
    from ci_toolkit.recipes.build_sources import SourceFetcher

MANIFEST = "manifest.json"
_POLICY = Path("/etc/containers/policy.json")
_KEPT = ("PATH", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_ASK_S = 120.0
_LARGEST_BYTES = 16 << 30
_DAY_S, _MONTH_S = 86_400.0, 30 * 86_400.0
_PARTIAL = ".part-"


class WantedImage(NamedTuple):
    """An image that another is built on, for one platform."""

    reference: ImageReference
    platform: ImagePlatform


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image for one platform: its own digest, and its manifest."""

    reference: ImageReference
    digest: str
    manifest: bytes

    @property
    def pinned(self) -> str:
        """Its name with its digest."""
        return self.reference.at(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImages:
    """Asks registries; over https, and plain http only with this very machine where local upstreams are allowed."""

    processes: Processes
    env: Mapping[str, str]
    allow_local: bool

    @classmethod
    def of(cls, fetcher: SourceFetcher) -> BaseImages:
        """One that asks as sources of packages are asked for."""
        env = {name: fetcher.env[name] for name in _KEPT if name in fetcher.env}
        return cls(processes=fetcher.processes, env=env, allow_local=fetcher.downloads.web.manners.allow_local)

    def head(self, wanted: WantedImage) -> str:
        """The digest that a name stands for now; nobody is asked where it says so itself. Errors as of `find`."""
        return wanted.reference.digest or self.find(wanted).digest

    def find(self, wanted: WantedImage) -> FoundImage:
        """What a name leads to now; UpstreamError when it cannot be had, FormatError when it is no image."""
        reference = wanted.reference
        content, digest = self._document(reference, reference.digest)
        if is_index(content, file=str(reference)):
            listed = parse_index(content, file=str(reference))
            digest = image_for(listed, wanted.platform, file=str(reference)).digest
            content, digest = self._document(reference, digest)
        parse_manifest(content, file=str(reference))
        return FoundImage(reference=reference, digest=digest, manifest=content)

    def fetch(
        self,
        image: FoundImage,
        cache: Path,
        *,
        say: Callable[[str], None],
        run: Callable[[Sequence[str], Mapping[str, str]], None],
    ) -> Path:
        """A folder of the form of skopeo's `dir:`, from the cache where it is there.

        `run` runs a program into the log, and leaves when that fails; UpstreamError when an image is not what its
        manifest says. Who reads the folder holds no lock: it is removed when nobody has asked for it for a month.
        """
        folder = cache / image.digest.replace(":", "-")
        with locked(cache / f"{folder.name}.lock"):
            if folder.is_dir():
                say(f"kept {image.pinned}")
                os.utime(folder)
                return folder
            say(f"fetch {image.pinned}")
            self._fetched(image, folder, run)
            return folder

    def _fetched(
        self, image: FoundImage, folder: Path, run: Callable[[Sequence[str], Mapping[str, str]], None]
    ) -> None:
        manifest = parse_manifest(image.manifest, file=str(image.reference))
        if sum(blob.size_bytes for blob in manifest.blobs) > _LARGEST_BYTES:
            raise UpstreamError(f"{image.pinned} has more than {_LARGEST_BYTES >> 30} GiB")
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_PARTIAL))
        try:
            words = ["copy", "--quiet", "--src-no-creds", *self._plain("--src-tls-verify=false", image.reference)]
            words += ["--preserve-digests", f"docker://{image.pinned}", f"dir:{partial}"]
            run([*self._skopeo(), *words], self.env)
            _check(partial, image)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _document(self, reference: ImageReference, digest: str | None) -> tuple[bytes, str]:
        self._check_address(reference)
        asked = reference.at(digest) if digest else str(reference)
        words = ["inspect", "--raw", "--no-creds", *self._plain("--tls-verify=false", reference), f"docker://{asked}"]
        try:
            content = self.processes.run(
                [*self._skopeo(), *words], env=self.env, timeout_s=_ASK_S, output_limit=LARGEST_DOCUMENT_BYTES
            ).stdout
        except ProcessError as error:
            raise UpstreamError(f"{asked} cannot be had: {error.said}") from error
        found = digest_of(content)
        if digest is not None and found != digest:
            raise UpstreamError(f"{asked} is not what its digest says: it is {found}")
        return content, found

    def _skopeo(self) -> list[str]:
        path = shutil.which("skopeo", path=self.env.get("PATH", os.defpath))
        if path is None:
            raise MachineError("images that others are built on cannot be fetched here", hint="apt install skopeo")
        # What the machine's owner says about signatures holds; without a word anything is taken.
        policy = [] if _POLICY.exists() else ["--insecure-policy"]
        return ["prlimit", f"--fsize={_LARGEST_BYTES}", "--core=0", "--", path, *policy]

    def _check_address(self, reference: ImageReference) -> None:
        if not self.allow_local and not any("proxy" in name.lower() for name in self.env):
            public_address(reference.host_name, reference.port)

    def _plain(self, option: str, reference: ImageReference) -> list[str]:
        return [option] if self.allow_local and _is_here(reference.host_name) else []


def sweep_images(cache: Path) -> None:
    """Remove what nobody built on for a month, and what fetches left that were killed."""
    if not cache.is_dir():
        return
    for path in cache.iterdir():
        kept_s = _DAY_S if path.name.startswith(_PARTIAL) else _MONTH_S
        if path.is_dir() and time.time() - path.stat().st_mtime > kept_s:
            shutil.rmtree(path, ignore_errors=True)


def _check(folder: Path, image: FoundImage) -> None:
    try:
        if digest_of((folder / MANIFEST).read_bytes()) != image.digest:
            raise UpstreamError(f"{image.pinned} came with another manifest")
        for blob in parse_manifest(image.manifest, file=str(image.reference)).blobs:
            path = folder / blob.hexadecimal
            if path.stat().st_size != blob.size_bytes or sha256_of(path) != blob.hexadecimal:
                raise UpstreamError(f"{image.pinned} came with another blob {blob.digest}")
    except OSError as error:
        raise UpstreamError(f"{image.pinned} came without all its parts: {error.strerror}") from error


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
