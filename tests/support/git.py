"""Real git repositories for tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    FileTree = Mapping[str, str | bytes]

PERSON = ("Ada Person", "ada@example.org")
BASE_TIME_S = 1_700_000_000


@dataclass
class GitRepo:
    """A repository on disk, written through plumbing so that thousands of files take one process."""

    path: Path
    env: Mapping[str, str]
    author: tuple[str, str] = PERSON
    _clock: list[int] = field(default_factory=lambda: [BASE_TIME_S])

    @classmethod
    def bare(cls, path: Path, env: Mapping[str, str], **options: str) -> GitRepo:
        """A new bare repository whose default branch is main."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True, env=dict(env))
        repo = cls(path, env)
        for key, value in options.items():
            repo.git("config", key.replace("__", "."), value)
        return repo

    def git(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> str:
        """Run git here; its output without the last newline."""
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], input=stdin, capture_output=True, check=False, env=dict(self.env)
        )
        if check and done.returncode:
            message = f"git {' '.join(arguments)}: {done.stderr.decode()}"
            raise AssertionError(message)
        return done.stdout.decode(errors="surrogateescape").rstrip("\n")

    def commit(
        self,
        files: FileTree,
        message: str = "change",
        *,
        branch: str = "main",
        remove: Iterable[str] = (),
        when: int | None = None,
        modes: Mapping[str, str] | None = None,
        replace_all: bool = False,
        author: tuple[str, str] | None = None,
    ) -> str:
        """Commit files on top of a branch and return the commit; `when` is its time in unix seconds."""
        self._clock[0] += 1
        seconds = self._clock[0] if when is None else when
        name, email = author or self.author
        ref = f"refs/heads/{branch}"
        parent = self.head(branch)
        lines = [f"commit {ref}\n", f"committer {name} <{email}> {seconds} +0000\n", _data(message.encode())]
        if parent:
            lines.append(f"from {parent}\n")
        if replace_all:
            lines.append("deleteall\n")
        out = "".join(lines).encode()
        for path in remove:
            out += f"D {path}\n".encode(errors="surrogateescape")
        for path, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            mode = (modes or {}).get(path, "100644")
            out += f"M {mode} inline {_quoted(path)}\n".encode(errors="surrogateescape") + _data(body).encode("latin-1")
        self.git("fast-import", "--quiet", "--force", stdin=out + b"\n")
        found = self.head(branch)
        assert found is not None
        return found

    def head(self, branch: str = "main") -> str | None:
        """The commit a branch points at."""
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False) or None

    def refs(self) -> dict[str, str]:
        """All refs: name to object."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").split("\n")
        return dict(line.split(" ") for line in lines if line)

    def tree(self, revision: str) -> dict[str, bytes]:
        """All files of a commit."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", revision).split("\0")
        return {name: self.show(f"{revision}:{name}") for name in names if name}

    def show(self, spec: str) -> bytes:
        """The content of a blob such as `main:a/PKGBUILD`."""
        done = subprocess.run(
            ["git", "-C", str(self.path), "cat-file", "blob", spec], capture_output=True, check=True, env=dict(self.env)
        )
        return done.stdout

    def subjects(self, revision: str = "main") -> list[str]:
        """Commit subjects, newest first."""
        return self.git("log", "--format=%s", revision).split("\n")

    def tag(self, name: str, revision: str) -> None:
        """Point a lightweight tag somewhere."""
        self.git("update-ref", f"refs/tags/{name}", self.git("rev-parse", revision))


def _data(body: bytes) -> str:
    return f"data {len(body)}\n{body.decode('latin-1')}\n"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
