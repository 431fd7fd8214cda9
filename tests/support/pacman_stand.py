"""A published folder, a publisher's home with a key, and clients with a root of their own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ci_toolkit.cli.main import main
from ci_toolkit.cli.surface import Terminal
from ci_toolkit.effects.redaction import Redactor
from tests.support.sealed import sealed_environment
from tests.support.world import Result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.built import BuiltPackages

_KEY = """{protection}
Key-Type: eddsa
Key-Curve: ed25519
Key-Usage: sign
Name-Real: test
Expire-Date: 0
{passphrase}
%commit
"""
TODAY = 1_763_700_000.0
DAY_S = 86_400.0


class SteppingClock:
    """Time that goes on when a test says so, and a little with every question."""

    def __init__(self) -> None:
        self.time = TODAY

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        self.time += 0.01
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def new_key(folder: Path, *, passphrase: str = "") -> tuple[bytes, bytes]:
    """A new key: its secret and its public half, exported."""
    folder.mkdir(mode=0o700)
    # As a rule gpg takes a tenth of a second for every use of a passphrase.
    (folder / "gpg-agent.conf").write_text("s2k-count 65536\n")
    env = {"PATH": os.environ["PATH"], "GNUPGHOME": str(folder)}
    protected = {"protection": "", "passphrase": f"Passphrase: {passphrase}"}
    asked = _KEY.format(**(protected if passphrase else {"protection": "%no-protection", "passphrase": ""}))
    loopback = ["--pinentry-mode", "loopback", f"--passphrase={passphrase}"] if passphrase else []
    argv = ["gpg", "--batch", "--quiet", "--gen-key"]
    subprocess.run(argv, input=asked.encode(), env=env, check=True, capture_output=True)
    secret, public = (
        subprocess.run(["gpg", "--batch", "--armor", *loopback, what], env=env, check=True, capture_output=True).stdout
        for what in ("--export-secret-keys", "--export")
    )
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=env, check=False)
    return secret, public


class PacmanStand:
    """`ci-toolkit publish` on one folder, and what clients get from it."""

    def __init__(self, folder: Path, built: BuiltPackages, key: bytes) -> None:
        folder.mkdir()
        self.folder, self.built = folder, built
        self.top = folder / "repository"
        self.served = self.top / "x86_64"
        self.own = self.served / ".demo"
        self.key_file = folder / "key.asc"
        self.key_file.write_bytes(key)
        self.env = sealed_environment(folder / "publisher")
        self.clock = SteppingClock()

    def words(self, verb: str, *words: object) -> list[str]:
        """The arguments of one invocation."""
        place = ("--repo", self.top, "--name", "demo", "--arch", "x86_64")
        key = () if verb in ("list", "copy") else ("--key-file", self.key_file)
        return ["publish", verb, *map(str, (*words, *place, *key))]

    def run(self, verb: str, *words: object, **variables: str) -> Result:
        """One invocation in this process."""
        return self.run_words(self.words(verb, *words), **variables)

    def run_words(self, words: list[str], **variables: str) -> Result:
        """Likewise, with all arguments given."""
        stdout, stderr, environ = io.StringIO(), io.StringIO(), {**self.env, **variables}
        terminal = Terminal(
            stdout=stdout, stderr=stderr, environ=environ, clock=self.clock, redactor=Redactor(environ), cwd=self.folder
        )
        try:
            status = main(words, terminal)
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Result(status, stdout.getvalue(), stderr.getvalue())

    def spawn(self, *words: str, wrapper: tuple[str, ...] = ("-m", "ci_toolkit")) -> subprocess.Popen[str]:
        """One invocation in a process of its own."""
        argv = [sys.executable, *wrapper, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe, text=True)

    def publish(self, *builds: tuple[str, str]) -> None:
        """Add what was built, which has to succeed; a folder that begins with it is a copy of the first that did."""
        first = self.built.folder / f"published-{os.getpid()}" / " ".join(map("-".join, builds))
        begins = not self.top.exists()
        if begins and first.exists():
            shutil.copytree(first, self.top, symlinks=True)
            return
        for base, version in builds:
            done = self.run("add", *self.built.files(base, version), "--base", base)
            assert done.status == 0, done.stderr
        if begins:
            shutil.copytree(self.top, first, symlinks=True)

    def versions(self) -> dict[str, str]:
        """What is listed."""
        return {row["name"]: row["version"] for row in self.run("list", "--json").json}

    def client(self, name: str = "client", *, trusts: Path | None = None) -> Client:
        """A new client, which trusts the published key, or that in another file."""
        return Client(self.folder / name, self.served, trusts or self.served / "demo.gpg")


class Client:
    """pacman in a root of its own, which demands trusted signatures of everything."""

    def __init__(self, root: Path, served: Path, public_key: Path, *, name: str = "demo") -> None:
        self.root = root
        for folder in ("var/lib/pacman", "cache", "gnupg"):
            (root / folder).mkdir(parents=True, mode=0o700)
        (root / "pacman.conf").write_text(
            "[options]\nArchitecture = x86_64\nSigLevel = Required DatabaseRequired TrustedOnly\n"
            f"[{name}]\nServer = file://{served}\n"
        )
        self._gpg("--import", str(public_key))
        listed = self._gpg("--with-colons", "--list-keys")
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        self._gpg("--import-ownertrust", text=f"{fingerprint}:6:\n")
        # What pacman looks for to see whether there is a keyring; gpg goes on with its own file.
        (root / "gnupg/pubring.gpg").touch()

    def pacman(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One call, with what it says in its `stdout`."""
        as_root = () if os.getuid() == 0 else ("unshare", "--user", "--map-root-user")
        place = ("--root", self.root, "--dbpath", self.root / "var/lib/pacman", "--cachedir", self.root / "cache")
        files = ("--config", self.root / "pacman.conf", "--logfile", self.root / "log", "--gpgdir", self.root / "gnupg")
        argv = [*as_root, "pacman", *map(str, (*place, *files)), "--noconfirm", *words]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root), "LC_ALL": "C"}
        return subprocess.run(
            argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
        )

    def installed(self) -> dict[str, str]:
        """Installed packages and their versions."""
        lines = self.pacman("-Q").stdout.splitlines()
        return dict(line.split() for line in lines if line and not line.startswith(("warning:", "error:", "::")))

    def _gpg(self, *words: str, text: str = "") -> str:
        argv = ["gpg", "--homedir", str(self.root / "gnupg"), "--batch", "--quiet", "--no-autostart", *words]
        return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout
