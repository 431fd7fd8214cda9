"""Folders that lie in git repositories of others, for builds with Nix: fetched shallow, judged before they are written.

git gets a token by askpass and a key by a descriptor, for one host and no other; neither is in an argument, in a URL,
in its environment or on a disk.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_command import NETWORK_TIMEOUT_S, Git, memory_file
from ci_toolkit.effects.git_repository import Repository
from ci_toolkit.effects.remote_heads import address_options
from ci_toolkit.errors import ConfigError, GitError, UpstreamError
from ci_toolkit.formats.git_objects import EXECUTABLE_MODE, FILE_MODE, LINK_MODE, SUBMODULE_MODE
from ci_toolkit.model.names import is_oid
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.review.folder import link_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.effects.git_repository import ListedFile
    from ci_toolkit.model.names import Oid
    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.nix.keys import GitPlace

HOST_VARIABLE = "CI_NIX_GIT_HOST"
TOKEN_VARIABLE = "CI_NIX_GIT_TOKEN"  # noqa: S105 - its name, not a token
KEY_VARIABLE = "CI_NIX_GIT_KEY"
HOSTS_VARIABLE = "CI_NIX_GIT_KNOWN_HOSTS"
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[transfer]\n\tfsckObjects = true\n"
_FETCHED = "refs/heads/fetched"
_LARGEST_PACK_BYTES = 1 << 30
_MOST_FILES = 50_000
_LARGEST_FILE_BYTES = 256 << 20
_LARGEST_FOLDER_BYTES = 512 << 20
_LONGEST_PATH = 1_000
_LISTED_FOLDER = "040000"
_FILES = (FILE_MODE, EXECUTABLE_MODE, LINK_MODE)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END [A-Z ]*PRIVATE KEY-----\n")
_SSH = (
    "ssh -F /dev/null -oBatchMode=yes -oStrictHostKeyChecking=yes -oUpdateHostKeys=no -oIdentitiesOnly=yes"
    " -oIdentityAgent=none -oPreferredAuthentications=publickey -oForwardAgent=no -oClearAllForwardings=yes"
    " -oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4 -oLogLevel=ERROR"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFolder:
    """The files of a folder at a commit."""

    commit: str
    files: Mapping[str, UpstreamFile]


def fetch_folder(place: GitPlace, fetcher: SourceFetcher, environ: Mapping[str, str]) -> FetchedFolder:
    """The folder as it is there now; UpstreamError when it cannot be had or must not be taken.

    ConfigError when a key in the environment is none.
    """
    with (
        tempfile.TemporaryDirectory(prefix="ci-toolkit-nix-git-") as name,
        _credentials(place, environ) as (token, variables),
    ):
        path = Path(name) / "repository.git"
        for folder in ("objects", "refs/heads"):
            (path / folder).mkdir(parents=True)
        (path / "config").write_text(_CONFIG)
        (path / "HEAD").write_text(f"ref: {_FETCHED}\n")
        git = Git(
            processes=fetcher.processes,
            git_dir=path,
            env={**fetcher.env, **variables},
            token=token,
            largest_file_bytes=_LARGEST_PACK_BYTES,
        )
        repository = Repository(git=git, hash_name="sha1", top=None)
        return _folder(repository, place, _fetch(repository, place, fetcher))


def _fetch(repository: Repository, place: GitPlace, fetcher: SourceFetcher) -> str:
    wanted = place.commit or (f"refs/heads/{place.branch}" if place.branch else "HEAD")
    options = address_options(place.remote, allow_local=fetcher.downloads.web.manners.allow_local)
    words = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--stdin")
    try:
        repository.git.run(
            *options,
            *("-c", "fetch.unpackLimit=1"),
            "fetch",
            *words,
            "--end-of-options",
            place.remote.url,
            stdin=f"+{wanted}:{_FETCHED}\n".encode(),
            timeout_s=NETWORK_TIMEOUT_S,
        )
    except GitError as error:
        raise UpstreamError(f"{wanted} of {place.remote.url} cannot be fetched: {error.said}") from error
    commit = repository.resolve(f"{_FETCHED}^{{commit}}")
    if commit is None or not is_oid(commit) or (place.commit and commit != place.commit):
        raise UpstreamError(f"{place.remote.url} sent something else than {wanted}")
    return commit


def _folder(repository: Repository, place: GitPlace, commit: str) -> FetchedFolder:
    below = f"{place.subfolder}/" if place.subfolder else ""
    listed = [one for one in repository.list_tree(commit) if one.mode != _LISTED_FOLDER and one.path.startswith(below)]
    if not listed:
        raise UpstreamError(f"{place.remote.url} has no folder {place.subfolder} at {commit}")
    sizes = repository.sizes(one.oid for one in listed if one.mode in _FILES)
    fault = _fault(listed, sizes)
    if fault:
        raise UpstreamError(f"{place.remote.url} at {commit} cannot be taken: {fault}")
    contents = repository.read_blobs({one.oid for one in listed})
    files = {one.path.removeprefix(below): UpstreamFile(mode=one.mode, content=contents[one.oid]) for one in listed}
    fault = link_fault({path: file.content for path, file in files.items() if file.mode == LINK_MODE})
    if fault:
        raise UpstreamError(f"{place.remote.url} at {commit} cannot be taken: {fault}")
    return FetchedFolder(commit=commit, files=files)


def _fault(listed: list[ListedFile], sizes: Mapping[Oid, int]) -> str | None:
    if len(listed) > _MOST_FILES:
        return f"it has more than {_MOST_FILES:,} files"
    seen: set[str] = set()
    for one in listed:
        fault = _file_fault(one, sizes.get(one.oid))
        if fault is None and (one.path in seen or any(str(parent) in seen for parent in Path(one.path).parents)):
            fault = "is there twice"
        if fault:
            return f"{one.path!r} {fault}"
        seen.add(one.path)
    if sum(sizes[one.oid] for one in listed) > _LARGEST_FOLDER_BYTES:
        return f"it is larger than {_LARGEST_FOLDER_BYTES >> 20} MiB"
    return None


def _file_fault(one: ListedFile, size: int | None) -> str | None:
    if one.mode == SUBMODULE_MODE:
        return "is a submodule, and those are not fetched"
    if one.mode not in _FILES:
        return f"has the mode {one.mode}"
    if size is None or size > _LARGEST_FILE_BYTES:
        return "is missing" if size is None else f"is larger than {_LARGEST_FILE_BYTES >> 20} MiB"
    parts = one.path.split("/")
    if len(one.path) > _LONGEST_PATH or any(part in ("", ".", "..") for part in parts) or "\0" in one.path:
        return "has a path that no file has"
    return "would change how git works" if any(part.lower() == ".git" for part in parts) else None


@contextmanager
def _credentials(place: GitPlace, environ: Mapping[str, str]) -> Iterator[tuple[str | None, Mapping[str, str]]]:
    """A token, and variables that name a key's place, as far as they are for this host."""
    host = environ.get(HOST_VARIABLE, "").strip().lower()
    if not host or host != place.remote.host:
        yield None, {}
        return
    if place.remote.scheme == "https":
        yield environ.get(TOKEN_VARIABLE, "").strip() or None, {}
        return
    key = _key_text(environ.get(KEY_VARIABLE, ""))
    if place.remote.scheme != "ssh" or not key:
        yield None, {}
        return
    descriptor = memory_file(key.encode())
    try:
        # ssh closes the descriptors that it inherits, so it opens the key's memory file through this process.
        words = [*_SSH.split(" "), "-i", f"/proc/{os.getpid()}/fd/{descriptor}"]
        if hosts := environ.get(HOSTS_VARIABLE, "").strip():
            words += [f"-oUserKnownHostsFile={hosts}", "-oGlobalKnownHostsFile=/dev/null"]
        yield None, {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}
    finally:
        os.close(descriptor)


def _key_text(text: str) -> str:
    """The key as ssh reads it: CI services drop the last newline, or send CRLF."""
    key = "".join(f"{line.rstrip()}\n" for line in text.strip().split("\n")) if text.strip() else ""
    if key and _KEY.fullmatch(key) is None:
        raise ConfigError("is no private key", key=KEY_VARIABLE, hint="it is the whole text of the key's file")
    return key
