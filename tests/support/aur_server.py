"""An AUR on loopback: a real sshd whose only command serves git repositories below one folder, with the AUR's rules."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.git import GitRepo

if TYPE_CHECKING:
    from collections.abc import Mapping

# Tests are sealed off from the variable, so it is looked at before they run.
IN_CI = bool(os.environ.get("CI"))
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")

# As the AUR does: a package that is not there reads as an empty repository, and the first push makes it.
_SERVE = """#!/bin/bash
set -eu
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
top={top}
[[ "$SSH_ORIGINAL_COMMAND" =~ ^git-(receive|upload)-pack\\ \\'/([a-z0-9@._+-]+)\\.git\\'$ ]] || {{ echo "no such command" >&2; exit 1; }}
verb=${{BASH_REMATCH[1]}} repository=$top/repositories/${{BASH_REMATCH[2]}}.git
echo "$verb ${{BASH_REMATCH[2]}}" >> "$top/asked"
[ ! -e "$top/before-$verb" ] || source "$top/before-$verb"
if [ ! -e "$repository" ]; then
  [ "$verb" = receive ] || repository=$top/empty.git
fi
if [ ! -e "$repository" ]; then
  # Two may come at once, and neither is to see half of it.
  made=$(mktemp -d "$top/new.XXXXXX")
  git init -q --bare -b master "$made"
  git -C "$made" config receive.denyNonFastForwards true
  cp "$top/update" "$made/hooks/update"
  mv -T "$made" "$repository" 2>/dev/null || rm -rf "$made"
fi
exec git-shell -c "git-$verb-pack '$repository'"
"""
_UPDATE_HOOK = """#!/bin/bash
[ "$1" = refs/heads/master ] || { echo "error: pushing to a branch other than master is restricted" >&2; exit 1; }
git ls-tree -l "$3" | while read -r _ kind _ size name; do
  case "$kind $name" in "tree keys"|"tree LICENSES"|blob*) ;; *) echo "error: the repository must not contain subdirectories" >&2; exit 1 ;; esac
  [ "$kind" = tree ] || [ "$size" -le 256000 ] || { echo "error: maximum blob size (250.00KiB) exceeded" >&2; exit 1; }
done
"""


def make_key(path: Path) -> str:
    """A key pair without passphrase at `path`; gives the private half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path.read_text()


@dataclass
class AurServer:
    """A running one; `key` is let in, and `hosts` is the file of its host keys."""

    folder: Path
    env: Mapping[str, str]
    port: int = 0
    key: str = ""
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def hosts(self) -> Path:
        return self.folder / "known_hosts"

    def settings(self) -> dict[str, str]:
        """What a repository's `.ci/config` needs to push here."""
        return {"CI_MANAGE_AUR": "true", "CI_AUR_PUSH_URL": self.url, "CI_AUR_KNOWN_HOSTS": str(self.hosts)}

    def repository(self, name: str) -> GitRepo:
        """A package's repository."""
        return GitRepo(self.folder / f"repositories/{name}.git", self.env)

    def new(self, name: str, files: Mapping[str, str], author: tuple[str, str]) -> GitRepo:
        """A package that is there already."""
        path = self.folder / f"repositories/{name}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "master", str(path)], check=True, env=dict(self.env))
        shutil.copy(self.folder / "update", path / "hooks/update")
        repository = self.repository(name)
        repository.commit(files, "there before", branch="master", author=author)
        return repository

    def asked(self) -> list[str]:
        """What was asked for: `receive NAME` or `upload NAME`."""
        path = self.folder / "asked"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def before(self, verb: str, script: str) -> None:
        """Bash that runs before a request is served."""
        (self.folder / f"before-{verb}").write_text(script)

    def start(self) -> AurServer:
        """Listen."""
        if SSHD is None:
            reason = "sshd is missing; on Debian: apt install openssh-server"
            if IN_CI:
                pytest.fail(reason)
            pytest.skip(reason)
        (self.folder / "repositories").mkdir(parents=True)
        self._script("serve", _SERVE.format(top=self.folder))
        self._script("update", _UPDATE_HOOK)
        self.key = make_key(self.folder / "user")
        make_key(self.folder / "host")
        public = (self.folder / "user.pub").read_text()
        (self.folder / "authorized").write_text(f'restrict,command="{self.folder}/serve" {public}')
        self._listen()
        host = (self.folder / "host.pub").read_text().rpartition(" ")[0]
        self.hosts.write_text(f"[127.0.0.1]:{self.port} {host}\n")
        return self

    def _listen(self) -> None:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
            # The newer key exchange takes longer than all the rest; a shell of the second level reads no ~/.bashrc.
            "KexAlgorithms curve25519-sha256\nSetEnv SHLVL=2\n"
        )
        argv = [str(SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("wb") as log:
            self._children.append(subprocess.Popen(argv, stdout=log, stderr=log))
        give_up = time.monotonic() + 20
        while "Server listening" not in (self.folder / "sshd.log").read_text():
            if self._children[-1].poll() is not None or time.monotonic() > give_up:
                raise AssertionError((self.folder / "sshd.log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """Hang up."""
        for child in self._children:
            child.terminate()
            child.wait(10)

    def _script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
