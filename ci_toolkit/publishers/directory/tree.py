"""The tree of files that clients of a plain directory see.

    index.html                       for people
    index.json                       for programs: the ledger
    SHA256SUMS, SHA256SUMS.sig       of every file below, and the signature of that
    signing-key.gpg                  the public key
    hello/latest -> 1.0-1
    hello/1.0-1/hello-1.0-1-any.tar
    hello/1.0-1/hello-any.tar        the same under a name that stays from version to version
    hello/1.0-1/SHA256SUMS           of this folder alone, also with its signature

What was published before and is still kept has its folder, too, so that whoever has older checksums finds the files.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import link_or_copy, write_file
from ci_toolkit.errors import MachineError, RefusedError
from ci_toolkit.publishers.directory.page import index_page
from ci_toolkit.publishers.kept_ledger import format_kept_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.kept_files import KeptFiles
    from ci_toolkit.publishers.kept_ledger import KeptLedger, KeptPackage
    from ci_toolkit.publishers.signing_key import SigningKey

LEDGER = "index.json"
SUMS = "SHA256SUMS"
_LATEST = "latest"
_PAGE = "index.html"
_KEY = "signing-key.gpg"
_TAKEN = frozenset({SUMS, f"{SUMS}.sig"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryTree:
    """A tree to be made at `top`, which shares with the one at `before` what has not changed."""

    top: Path
    before: Path
    files: KeptFiles
    key: SigningKey
    public: bytes

    def make(self, ledger: KeptLedger, *, name: str) -> None:
        """Make all of it, so that it survives a power cut, too; `name` is the repository's."""
        self.top.mkdir(parents=True)
        folders: dict[str, dict[str, KeptPackage]] = defaultdict(dict)
        for package in ledger.everything:
            folders[f"{package.base}/{package.version}"].setdefault(package.file, package)
        for place, packages in folders.items():
            self._make_version(place, packages)
        for base, version in {package.base: package.version for package in ledger.packages.values()}.items():
            os.symlink(version, self.top / base / _LATEST)  # noqa: PTH211 - all writes here are of os, for tests
        self._sign("", _sums({package.facts["path"]: package.sha256 for package in ledger.everything}))
        write_file(self.top / _KEY, self.public)
        write_file(self.top / LEDGER, format_kept_ledger(ledger))
        write_file(self.top / _PAGE, index_page(ledger, name=name, key=_KEY, fingerprint=self.key.fingerprint))
        for folder, _, _ in os.walk(self.top):
            os.chmod(folder, 0o755)  # noqa: PTH101, S103 - a web server reads it
            _synchronize(folder)

    def _make_version(self, place: str, packages: dict[str, KeptPackage]) -> None:
        folder = self.top / place
        folder.mkdir(parents=True)
        sums = {}
        for file, package in packages.items():
            link_or_copy(self._found(package), folder / file)
            sums[file] = package.sha256
        for file, package in packages.items():
            alias = file.replace(f"-{package.version}", "", 1)
            if alias not in sums and alias not in _TAKEN and not alias.startswith((".", "-")):
                os.symlink(file, folder / alias)  # noqa: PTH211 - likewise
                sums[alias] = package.sha256
        self._sign(place, _sums(sums))

    def _found(self, package: KeptPackage) -> Path:
        """Where a file is kept, if need be again, as it is published; MachineError when it is lost."""
        path, published = self.files.place(package.sha256), self.before / package.facts["path"]
        if path.is_file():
            return path
        if not published.is_file():
            hint = "put it back from a copy of the directory: the last publication stays until then"
            raise MachineError(f"{package.facts['path']} is lost, and it is published or kept", hint=hint)
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(published, path)
        return path

    def _sign(self, place: str, content: bytes) -> None:
        """Write the checksums of a folder and their signature, or take those that are there already."""
        path, old = self.top / place / SUMS, self.before / place / SUMS
        signature, old_signature = path.with_name(f"{SUMS}.sig"), old.with_name(f"{SUMS}.sig")
        if self._has_same_key() and old_signature.is_file() and old.read_bytes() == content:
            link_or_copy(old, path)
            link_or_copy(old_signature, signature)
        else:
            write_file(path, content)
            write_file(signature, self.key.sign(path))

    def _has_same_key(self) -> bool:
        path = self.before / _KEY
        return path.is_file() and path.read_bytes() == self.public


def checked_place(package: KeptPackage) -> str:
    """Where a package's file is published; RefusedError for names that the tree has for something else."""
    for text, taken in (
        (package.base, _TAKEN | {LEDGER, _PAGE, _KEY}),
        (package.version, frozenset({_LATEST})),
        (package.file, _TAKEN),
    ):
        if text in taken:
            raise RefusedError("is a name that a published directory has for something else", key=text)
    return f"{package.base}/{package.version}/{package.file}"


def _sums(sums: dict[str, str]) -> bytes:
    """As `sha256sum` writes and checks them."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(sums.items())).encode()


def _synchronize(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
