"""Reading and writing the objects of one repository, by few long-running git processes and never through a worktree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ci_toolkit.effects.git_command import Git, own_environment
from ci_toolkit.errors import GitError, ProcessError
from ci_toolkit.model.names import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.formats.git_objects import HashName, Kind, ObjectDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """One line of a recursive listing: `mode` as in `git ls-tree` (`040000` for a folder), `path` from the top."""

    mode: str
    oid: Oid
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository's objects."""

    git: Git
    hash_name: HashName
    top: Path | None

    def list_tree(self, treeish: str) -> tuple[ListedFile, ...]:
        """Every file and folder of a commit or tree, in git's order."""
        output = self.git.run("ls-tree", "-r", "-t", "-z", "--full-tree", "--end-of-options", treeish).stdout
        listed = []
        for record in output.decode(errors="surrogateescape").split("\0")[:-1]:
            head, _, path = record.partition("\t")
            mode, _, oid = head.split(" ")
            listed.append(ListedFile(mode=mode, oid=Oid(oid), path=path))
        return tuple(listed)

    def list_folders(self, treeish: str) -> dict[str, Oid]:
        """The folders at the top of a commit: name to tree."""
        output = self.git.run("ls-tree", "-d", "-z", "--full-tree", "--end-of-options", treeish).stdout
        records = (record.partition("\t") for record in output.decode(errors="surrogateescape").split("\0")[:-1])
        return {name: Oid(head.split(" ")[2]) for head, _, name in records if head.startswith("040000")}

    def read_objects(self, names: Iterable[str]) -> dict[str, tuple[Kind, bytes] | None]:
        """The objects called `names` (object names, or anything `git rev-parse` takes on one line); None: not there."""
        wanted = tuple(dict.fromkeys(names))
        if not wanted:
            return {}
        output = self.git.run("cat-file", "--batch", stdin=_lines(wanted)).stdout
        found: dict[str, tuple[Kind, bytes] | None] = {}
        position = 0
        for name in wanted:
            end = output.index(b"\n", position)
            fields = output[position:end].split(b" ")
            position = end + 1
            if len(fields) != 3 or fields[1] not in _KINDS:
                found[name] = None
                continue
            size = int(fields[2])
            found[name] = (cast("Kind", fields[1].decode()), output[position : position + size])
            position += size + 1
        return found

    def read_blobs(self, oids: Iterable[Oid]) -> dict[Oid, bytes]:
        """The contents of blobs; GitError when one is missing."""
        found: dict[Oid, bytes] = {}
        for name, entry in self.read_objects(oids).items():
            if entry is None or entry[0] != "blob":
                raise GitError(f"blob {name} is missing from {self.git.git_dir}", hint="git fsck tells what else is")
            found[Oid(name)] = entry[1]
        return found

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Sizes in bytes of those objects that are there."""
        wanted = tuple(dict.fromkeys(oids))
        if not wanted:
            return {}
        output = self.git.run("cat-file", "--batch-check", stdin=_lines(wanted)).stdout.decode()
        fields = [line.split(" ") for line in output.splitlines()]
        return {Oid(words[0]): int(words[2]) for words in fields if len(words) == 3 and words[1].encode() in _KINDS}

    def resolve(self, name: str) -> Oid | None:
        """The object that a revision names, or None."""
        done = self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, statuses=(0, 1, 128))
        return Oid(done.stdout.decode().strip()) if done.status == 0 else None

    def commits_between(self, old: Oid | None, new: Oid) -> tuple[tuple[Oid, str], ...]:
        """Commits in `new` and not in `old`, newest first, with their messages; without `old` only `new`."""
        limit, chosen = (("--max-count=1",), (new,)) if old is None else ((), (new, f"^{old}"))
        output = self.git.run("log", "-z", "--format=%H%n%B", *limit, "--end-of-options", *chosen, "--").stdout
        records = output.decode(errors="replace").split("\0")
        return tuple((Oid(record[:40].split("\n")[0]), record.partition("\n")[2]) for record in records if record)

    def last_changes(self, commit: Oid, folders: Iterable[str]) -> dict[str, int]:
        """When folders at the top changed last, in seconds since 1970, as far as a shallow history shows."""
        missing, found = set(folders), dict[str, int]()
        # Most of what is asked for changed lately, and a whole history takes seconds.
        for limit in (_RECENT, None):
            if missing:
                self._find_changes(commit, missing, found, limit)
        return found

    def _find_changes(self, commit: Oid, missing: set[str], found: dict[str, int], limit: int | None) -> None:
        # Of a merge only what it has from none of its parents (-c): the rest is in their histories.
        words = [
            "log",
            "-z",
            f"--format={'%x00' * _BEFORE_TIME}%ct",
            "--name-only",
            "--no-renames",
            "-c",
            "--root",
            "--no-show-signature",
        ]
        words += [] if limit is None else [f"--max-count={limit}"]
        output = self.git.run(*words, "--end-of-options", commit, "--").stdout.decode(errors="surrogateescape")
        time_s = 0
        for is_time, text in _times_and_paths(output):
            folder, is_inside, _ = text.partition("/")
            if is_time:
                time_s = int(text)
            elif is_inside and folder in missing:
                found[folder] = time_s
                missing.discard(folder)

    def not_in_history(self, heads: Iterable[Oid], of: Oid) -> frozenset[Oid]:
        """Those of `heads` that are no ancestors of commit `of`, as far as a shallow history shows.

        A commit that is not here at all is none: the history of `of` is.
        """
        wanted = frozenset(heads)
        present = self.sizes(wanted).keys()
        if not present:
            return wanted
        done = self.git.run("rev-list", "--stdin", stdin=_lines((*present, f"^{of}")))
        return (wanted - present) | (wanted & {Oid(line) for line in done.stdout.decode().split()})

    def is_ancestor(self, old: Oid, new: Oid) -> bool:
        """Whether `new` has `old` in its history."""
        done = self.git.run("merge-base", "--is-ancestor", "--end-of-options", old, new, statuses=(0, 1, 128))
        return done.status == 0

    def is_shallow(self) -> bool:
        """Whether history ends before its start."""
        return (self.git.git_dir / "shallow").exists()

    def write_objects(self, draft: ObjectDraft) -> None:
        """Write all objects of a draft at once; no name refers to them yet, so a crash leaves nothing behind."""
        if draft.objects:
            self.git.run("index-pack", "--stdin", "--strict", stdin=draft.pack())


_RECENT = 300
_BEFORE_TIME = 3
_KINDS = (b"commit", b"tree", b"blob", b"tag")


def _times_and_paths(output: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a log: whether it is a time, and its text.

    A path may hold any byte but NUL. A newline, or for a merge one more NUL, stands between a time and the first path.
    """
    empty, is_after_time = 0, False
    for piece in output.split("\0"):
        if not piece:
            empty, is_after_time = empty + 1, False
            continue
        is_time = empty >= _BEFORE_TIME
        yield is_time, piece.removeprefix("\n") if is_after_time else piece
        empty, is_after_time = 0, is_time


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode(errors="surrogateescape")


def open_repository(
    path: Path, *, processes: Processes, environ: Mapping[str, str], token: str | None = None
) -> Repository:
    """The repository that `path` lies in; GitError when there is none."""
    env = own_environment(environ)
    argv = ("git", "-C", str(path), "rev-parse", "--absolute-git-dir", "--show-object-format", "--is-bare-repository")
    try:
        lines = processes.run(argv, env=env, timeout_s=60).stdout.decode().split("\n")
    except ProcessError as error:
        hint = "run this inside a clone of the package repository, or name one with --repository"
        raise GitError(f"{path} is in no git repository that can be read: {error.said}", hint=hint) from error
    git_dir = type(path)(lines[0])
    git = Git(processes=processes, git_dir=git_dir, env=env, token=token)
    top = None if lines[2] == "true" else type(path)(_top(git, path))
    return Repository(git=git, hash_name="sha256" if lines[1] == "sha256" else "sha1", top=top)


def _top(git: Git, path: Path) -> str:
    done = git.processes.run(("git", "-C", str(path), "rev-parse", "--show-toplevel"), env=git.env, timeout_s=60)
    return done.stdout.decode().rstrip("\n")
