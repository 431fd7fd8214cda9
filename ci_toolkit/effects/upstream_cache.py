"""Strangers' package repositories, fetched into bare repositories of our own that CI may keep between runs.

One repository a URL. Nothing in it is trusted or needed: a damaged one is thrown away and fetched anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_command import NETWORK_TIMEOUT_S, Git
from ci_toolkit.effects.git_repository import Repository
from ci_toolkit.effects.remote_heads import address_options
from ci_toolkit.errors import GitError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.web import Web
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.model.names import Oid

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[transfer]\n\tfsckObjects = true\n"
_OPTIONS = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force", "--stdin")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCache:
    """A folder of bare repositories."""

    folder: Path
    processes: Processes
    web: Web
    env: Mapping[str, str]

    @contextmanager
    def fetched(self, remote: GitRemote, heads: Mapping[str, Oid]) -> Iterator[Repository]:
        """A repository that holds the commits `heads` (ref to commit) of `remote`, brought in by one fetch.

        UpstreamError when the remote does not give them. Another process that uses the same repository is waited for.
        """
        name = hashlib.sha256(remote.url.encode()).hexdigest()[:32]
        path = self.folder / f"{name}.git"
        with _locked(self.folder / f"{name}.lock"):
            yield self._filled(path, remote, heads)

    def _filled(self, path: Path, remote: GitRemote, heads: Mapping[str, Oid]) -> Repository:
        try:
            repository = self._open(path)
            missing = self._missing(repository, heads)
            if missing:
                self._fetch(repository, remote, missing)
        except GitError:
            # Either the remote fails, and does so again, or what lies here is damaged.
            shutil.rmtree(path, ignore_errors=True)
            repository = self._open(path)
            self._fetch_anew(repository, remote, heads)
        return repository

    def _open(self, path: Path) -> Repository:
        if not (path / "HEAD").exists():
            shutil.rmtree(path, ignore_errors=True)
            for folder in ("objects", "refs"):
                (path / folder).mkdir(parents=True)
            (path / "config").write_text(_CONFIG)
            (path / "HEAD").write_text("ref: refs/heads/none\n")
        git = Git(processes=self.processes, git_dir=path, env=self.env)
        return Repository(git=git, hash_name="sha1", top=None)

    def _missing(self, repository: Repository, heads: Mapping[str, Oid]) -> dict[str, Oid]:
        try:
            present = repository.sizes(heads.values())
        except GitError:
            return dict(heads)
        return {ref: oid for ref, oid in heads.items() if oid not in present}

    def _fetch_anew(self, repository: Repository, remote: GitRemote, heads: Mapping[str, Oid]) -> None:
        try:
            self._fetch(repository, remote, heads)
        except GitError as error:
            raise UpstreamError(f"{remote.url} cannot be fetched: {error.said}") from error

    def _fetch(self, repository: Repository, remote: GitRemote, heads: Mapping[str, Oid]) -> None:
        options = address_options(remote, allow_local=self.web.manners.allow_local)
        self.web.requests["fetch"] += 1
        # Kept refs protect what is fetched from pruning; their names follow the branch, `HEAD` becoming a branch too.
        specs = "".join(f"+{ref}:refs/upstream/{ref}\n" for ref in heads)
        repository.git.run(
            *options,
            *("-c", "fetch.unpackLimit=1"),
            "fetch",
            *_OPTIONS,
            "--end-of-options",
            remote.url,
            stdin=specs.encode(),
            timeout_s=NETWORK_TIMEOUT_S,
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the system drops when the process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "XDG_CACHE_HOME names another place"
        raise UpstreamError(f"the cache {path.parent} cannot be written: {error.strerror}", hint=hint) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
