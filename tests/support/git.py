"""Real git repositories for tests."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        """A new bare repository whose default branch is main; options such as `receive__denyDeletes` configure it."""
        for name, content in _empty_repository():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).mkdir() if content is None else (path / name).write_bytes(content)
        with (path / "config").open("a") as config:
            for option, value in options.items():
                section, _, key = option.partition("__")
                config.write(f"[{section}]\n\t{key} = {value}\n")
        return cls(path, env)

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
        return read_ref(self._git_dir, f"refs/heads/{branch}")

    def refs(self) -> dict[str, str]:
        """All refs: name to object."""
        return {ref: oid for ref, oid in read_refs(self._git_dir).items() if ref != "HEAD"}

    def tree(self, revision: str) -> dict[str, bytes]:
        """All files of a commit."""
        rows = [row for row in self.git("ls-tree", "-r", "-z", revision).split("\0") if row]
        names = [row.partition("\t")[2] for row in rows]
        return dict(zip(names, self._blobs([row.split(" ", 3)[2][:40] for row in rows]), strict=True))

    def _blobs(self, oids: list[str]) -> Iterator[bytes]:
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        command = ["git", "-C", str(self.path), "cat-file", "--batch"]
        answer = subprocess.run(command, input=asked, capture_output=True, check=True, env=dict(self.env)).stdout
        position = 0
        for _ in oids:
            start = answer.index(b"\n", position) + 1
            position = start + int(answer[position:start].split(b" ")[2])
            yield answer[start:position]
            position += 1

    def peeled(self, oids: list[str]) -> dict[str, str]:
        """The commits behind tag objects, by tag object; a commit stands for itself."""
        asked = "".join(f"{oid}^{{}}\n" for oid in oids).encode()
        answers = self.git("cat-file", "--batch-check=%(objectname)", stdin=asked).split("\n")
        return dict(zip(oids, answers, strict=True))

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
        self.git("update-ref", f"refs/tags/{name}", revision)

    @property
    def _git_dir(self) -> Path:
        inside = self.path / ".git"
        return inside if inside.exists() else self.path


def read_ref(git_dir: Path, name: str) -> str | None:
    """The object that a ref names, straight from the files of a repository."""
    try:
        return (git_dir / name).read_text().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return _packed_refs(git_dir).get(name)


def read_refs(git_dir: Path) -> dict[str, str]:
    """A repository's refs, HEAD among them, straight from its files."""
    refs = _packed_refs(git_dir)
    for top, _, names in os.walk(git_dir / "refs"):
        for name in names:
            if not name.endswith(".lock"):
                path = Path(top) / name
                refs[str(path.relative_to(git_dir))] = path.read_text().strip()
    refs["HEAD"] = (git_dir / "HEAD").read_text().strip()
    pointed = {ref: refs.get(oid.removeprefix("ref: "), "") for ref, oid in refs.items() if oid.startswith("ref: ")}
    return {ref: oid for ref, oid in (refs | pointed).items() if oid}


def _packed_refs(git_dir: Path) -> dict[str, str]:
    packed = git_dir / "packed-refs"
    if not packed.exists():
        return {}
    rows = (line.split(" ") for line in packed.read_text().split("\n") if line and line[0] not in "#^")
    return {row[1]: row[0] for row in rows}


@cache
def _empty_repository() -> tuple[tuple[str, bytes | None], ...]:
    """What git makes a bare repository of: path to content, None for a folder. Asking it once a process is enough."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "init", "-q", "--bare", "--template=", "-b", "main", name]
        subprocess.run(command, check=True, env=env)
        (top / "hooks").mkdir()
        paths = sorted(top.rglob("*"))
        return tuple((str(path.relative_to(top)), path.read_bytes() if path.is_file() else None) for path in paths)


def _data(body: bytes) -> str:
    return f"data {len(body)}\n{body.decode('latin-1')}\n"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
