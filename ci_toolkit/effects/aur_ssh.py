"""The AUR over SSH: one repository a package, its host keys pinned, the key in no file, argument or environment."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_command import Git, memory_file, upstream_environment
from ci_toolkit.effects.git_remote import PushResult, RefUpdate, Remote
from ci_toolkit.effects.git_repository import Repository
from ci_toolkit.errors import ConfigError, GitError
from ci_toolkit.formats.git_objects import Commit, ObjectDraft, TreeEntry, decode_commit, decode_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.model.names import Oid, Pkgbase

BRANCH = "refs/heads/master"  # the AUR takes no other
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[transfer]\n\tfsckObjects = true\n"
# The AUR's repositories are a few hundred KiB; whoever sends more is cut off.
_LARGEST_PACK_BYTES = 64 << 20
_SSH = (
    "ssh -F /dev/null -oBatchMode=yes -oStrictHostKeyChecking=yes -oGlobalKnownHostsFile=/dev/null -oUpdateHostKeys=no"
    " -oIdentitiesOnly=yes -oIdentityAgent=none -oPreferredAuthentications=publickey -oForwardAgent=no"
    " -oClearAllForwardings=yes -oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4 -oLogLevel=ERROR"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AurHead:
    """The newest commit of a package at the AUR, with the entries of its tree."""

    oid: Oid
    commit: Commit
    entries: tuple[TreeEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AurRepository:
    """One package's repository there, and a scratch repository here that holds what goes to and fro."""

    scratch: Repository
    remote: Remote

    def head(self) -> AurHead | None:
        """Where it is, None while the AUR has no such package; GitError when it cannot be asked."""
        refs, _ = self.remote.refs()
        oid = refs.get(BRANCH)
        if oid is None:
            return None
        self.remote.fetch([BRANCH], depth=1)
        found = self.scratch.read_objects([oid])[oid]
        if found is None or found[0] != "commit":
            raise GitError("it moved while it was read")
        commit = decode_commit(found[1])
        tree = self.scratch.read_objects([commit.tree])[commit.tree]
        return AurHead(oid=oid, commit=commit, entries=decode_tree(tree[1]) if tree else ())

    def push(self, objects: ObjectDraft, commit: Oid, *, onto: AurHead | None) -> PushResult:
        """Move it to `commit`, a child of `onto`, unless it has moved meanwhile; a new package is made."""
        self.scratch.write_objects(objects)
        return self.remote.push([RefUpdate(ref=BRANCH, old=onto.oid if onto else None, new=commit)])


@dataclass(frozen=True, slots=True, kw_only=True)
class AurDoor:
    """What lets in: `env` names the key's place, which only lasts as long as `open_aur` does."""

    processes: Processes
    env: Mapping[str, str]
    url: str
    folder: Path

    def repository(self, pkgbase: Pkgbase) -> AurRepository:
        """The package's repository; nothing is asked yet."""
        path = self.folder / f"{pkgbase}.git"
        for name in ("objects", "refs"):
            (path / name).mkdir(parents=True)
        (path / "config").write_text(_CONFIG)
        (path / "HEAD").write_text("ref: refs/heads/none\n")
        git = Git(processes=self.processes, git_dir=path, env=self.env, largest_file_bytes=_LARGEST_PACK_BYTES)
        scratch = Repository(git=git, hash_name="sha1", top=None)
        return AurRepository(
            scratch=scratch, remote=Remote(repository=scratch, name="AUR", address=f"{self.url}/{pkgbase}.git")
        )


@contextmanager
def open_aur(
    *, key: str, url: str, known_hosts: bytes, processes: Processes, environ: Mapping[str, str]
) -> Iterator[AurDoor]:
    """A door that `key`, the text of a private key, opens.

    ssh closes the descriptors that it inherits, so it opens the key's memory file through this process: nothing of the
    key is on a disk, and it is gone with this process however that ends.
    """
    descriptor = memory_file(_key_text(key).encode())
    try:
        with tempfile.TemporaryDirectory(prefix="ci-toolkit-aur-") as name:
            folder = Path(name)
            hosts = folder / "known_hosts"
            hosts.write_bytes(known_hosts)
            hosts_option = f'UserKnownHostsFile="{str(hosts).replace("%", "%%")}"'
            command = f"{_SSH} -o {shlex.quote(hosts_option)} -i /proc/{os.getpid()}/fd/{descriptor}"
            env = {
                **upstream_environment(environ, allow_local=False),
                "GIT_ALLOW_PROTOCOL": "ssh",
                "GIT_SSH_COMMAND": command,
                "GIT_SSH_VARIANT": "ssh",
            }
            yield AurDoor(processes=processes, env=env, url=url, folder=folder)
    finally:
        os.close(descriptor)


def pinned_hosts() -> bytes:
    """The AUR's own host keys, in the form of ssh's known_hosts."""
    return files("ci_toolkit.effects").joinpath("aur_known_hosts").read_bytes()


def _key_text(text: str) -> str:
    """The key as ssh reads it: CI services drop the last newline, or send CRLF."""
    lines = [line.rstrip() for line in text.strip().split("\n")]
    if "PRIVATE KEY-----" not in lines[0]:
        raise ConfigError("is no private key", key="AUR_KEY", hint="it is the whole text of the key's file")
    return "".join(f"{line}\n" for line in lines)
