"""Strangers' package repositories, fetched into bare repositories of our own that CI may keep between runs.

One repository a URL. Nothing in it is trusted or needed: a damaged one is thrown away and fetched anew.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.cache_files import locked
from ci_toolkit.effects.git_command import NETWORK_TIMEOUT_S, Git
from ci_toolkit.effects.git_repository import Repository
from ci_toolkit.effects.remote_heads import address_options
from ci_toolkit.errors import GitError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.web import Web
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.model.names import Oid

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[transfer]\n\tfsckObjects = true\n"
# A package folder has at most 60 MiB; a pack is compressed and holds many, and whoever sends more is cut off.
_LARGEST_PACK_BYTES = 512 << 20
_MOST_FAILURES = 24
_PARTS_S = 120.0
_OPTIONS = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force", "--stdin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A repository and what of the wanted refs it does not have, with the reasons."""

    repository: Repository
    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCache:
    """A folder of bare repositories."""

    folder: Path
    processes: Processes
    web: Web
    clock: Clock
    env: Mapping[str, str]

    @contextmanager
    def fetched(self, remote: GitRemote, heads: Mapping[str, Oid]) -> Iterator[Fetched]:
        """The commits `heads` (ref to commit) of `remote`, by one fetch, or by several where some cannot be had.

        UpstreamError when none can be had. Another process that uses the same repository is waited for.
        """
        name = hashlib.sha256(remote.url.encode()).hexdigest()[:32]
        path = self.folder / f"{name}.git"
        with locked(self.folder / f"{name}.lock"):
            yield self._filled(path, remote, heads)

    def _filled(self, path: Path, remote: GitRemote, heads: Mapping[str, Oid]) -> Fetched:
        repository = self._open(path)
        missing = self._missing(repository, heads)
        failures = self._fetch_parts(repository, remote, missing)
        if missing and failures.keys() == missing.keys():
            # Either the remote fails, and does so again, or what lies here is damaged.
            shutil.rmtree(path, ignore_errors=True)
            repository = self._open(path)
            failures = self._fetch_parts(repository, remote, heads)
            if failures.keys() == heads.keys():
                reason = next(iter(failures.values()))
                raise UpstreamError(f"{remote.url} cannot be fetched: {reason}")
        return Fetched(repository=repository, failures=failures)

    def _fetch_parts(self, repository: Repository, remote: GitRemote, heads: Mapping[str, Oid]) -> dict[str, str]:
        """Fetch all of `heads` at once; where that fails, halves of them, so that a bad one does not keep out others.

        What could not be fetched, with the reason. Many failures in a row mean that more asking is of no use.
        """
        failures: dict[str, str] = {}
        parts = [dict(heads)] if heads else []
        failed_fetches = 0
        give_up_s = self.clock.monotonic() + _PARTS_S
        while parts:
            part = parts.pop(0)
            try:
                self._fetch(repository, remote, part)
            except GitError as error:
                failed_fetches += 1
                if len(part) == 1 or failed_fetches >= _MOST_FAILURES or self.clock.monotonic() > give_up_s:
                    failures.update(dict.fromkeys(part, error.said or error.problem))
                    continue
                refs, middle = list(part), len(part) // 2
                parts += [{ref: part[ref] for ref in half} for half in (refs[:middle], refs[middle:])]
        return failures

    def _open(self, path: Path) -> Repository:
        if not (path / "HEAD").exists():
            shutil.rmtree(path, ignore_errors=True)
            for folder in ("objects", "refs"):
                (path / folder).mkdir(parents=True)
            (path / "config").write_text(_CONFIG)
            (path / "HEAD").write_text("ref: refs/heads/none\n")
        git = Git(processes=self.processes, git_dir=path, env=self.env, largest_file_bytes=_LARGEST_PACK_BYTES)
        return Repository(git=git, hash_name="sha1", top=None)

    def _missing(self, repository: Repository, heads: Mapping[str, Oid]) -> dict[str, Oid]:
        try:
            present = repository.sizes(heads.values())
        except GitError:
            return dict(heads)
        return {ref: oid for ref, oid in heads.items() if oid not in present}

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
            timeout_s=min(NETWORK_TIMEOUT_S, self.web.remaining_s()),
        )
