"""A Nix store of its own, in a folder, without a daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

needs_nix = pytest.mark.skipif(
    shutil.which("nix-store") is None and not os.environ.get("CI"), reason="nix-store is not installed (nix-bin)"
)


@dataclass(frozen=True)
class NixStore:
    """One store; `directory` is what its paths begin with."""

    top: Path

    @property
    def directory(self) -> Path:
        return self.top / "store"

    def run(self, *words: str, given: bytes = b"") -> bytes:
        """What a program of Nix prints; its complaint fails the test."""
        (self.top / "etc").mkdir(parents=True, exist_ok=True)
        (self.top / "etc/nix.conf").write_text(
            "build-users-group =\nsandbox = false\nsubstitute = false\nfsync-metadata = false\n"
        )
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.top),
            "NIX_STORE_DIR": str(self.directory),
            "NIX_STATE_DIR": str(self.top / "var/nix"),
            "NIX_LOCALSTATE_DIR": str(self.top / "var"),
            "NIX_LOG_DIR": str(self.top / "var/log"),
            "NIX_CONF_DIR": str(self.top / "etc"),
        }
        done = subprocess.run(words, input=given, env=env, capture_output=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr.decode()}"
        return done.stdout

    def add(self, path: Path) -> str:
        """The path that a tree has in the store, from now on."""
        return self.run("nix-store", "--add", str(path)).decode().strip()

    def build(self, expression: str) -> str:
        """The path that an expression makes."""
        return self.run("nix-build", "--no-out-link", "-E", expression).decode().strip()
