"""git's object formats: trees, commits and packs as bytes (source: git's documentation, gitformat-pack).

Objects are made here, in memory, so that a decision can name the commits it leads to before anything is written, and so
that one `git index-pack` writes them all at once or not at all.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ci_toolkit.errors import FormatError
from ci_toolkit.model.names import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["commit", "tree", "blob"]
HashName = Literal["sha1", "sha256"]

TREE_MODE = "40000"
FILE_MODE = "100644"
EXECUTABLE_MODE = "100755"
LINK_MODE = "120000"
SUBMODULE_MODE = "160000"

_PACK_TYPE: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One entry of a tree: `mode` as git writes it in trees (`40000` for a folder), `name` without any slash."""

    mode: str
    name: str
    oid: Oid

    @property
    def is_tree(self) -> bool:
        """Whether the entry is a folder."""
        return self.mode == TREE_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who made a commit, and when (`seconds` since 1970, in UTC)."""

    name: str
    email: str
    seconds: int

    def line(self) -> str:
        """The form in a commit: `Name <email> seconds +0000`, without the characters that would end a field early."""
        clean = str.maketrans("", "", "<>\n\0")
        return f"{self.name.translate(clean)} <{self.email.translate(clean)}> {self.seconds} +0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What is wanted of a commit; names and addresses as they stand there, `message` with its trailers."""

    tree: Oid
    parents: tuple[Oid, ...]
    author_email: str
    committer_email: str
    committed_s: int
    message: str


def encode_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The bytes of a tree; entries come in any order and are sorted as git does (folders as if they ended in `/`)."""
    ordered = sorted(entries, key=lambda entry: entry.name.encode(errors="surrogateescape") + b"/" * entry.is_tree)
    return b"".join(
        f"{entry.mode} {entry.name}\0".encode(errors="surrogateescape") + bytes.fromhex(entry.oid) for entry in ordered
    )


def decode_tree(body: bytes, *, oid_bytes: int = 20) -> tuple[TreeEntry, ...]:
    """The entries of a tree in its own order; FormatError when the bytes are no tree."""
    entries: list[TreeEntry] = []
    position = 0
    while position < len(body):
        blank = body.find(b" ", position)
        end = body.find(b"\0", blank)
        following = end + 1 + oid_bytes
        if blank < 0 or end < 0 or following > len(body):
            raise FormatError("a git tree ends in the middle of an entry")
        entries.append(
            TreeEntry(
                mode=body[position:blank].decode("ascii", "replace").lstrip("0"),
                name=body[blank + 1 : end].decode(errors="surrogateescape"),
                oid=Oid(body[end + 1 : following].hex()),
            )
        )
        position = following
    return tuple(entries)


def encode_commit(*, tree: Oid, parents: Iterable[Oid], identity: Identity, message: str) -> bytes:
    """The bytes of a commit whose author and committer are the same."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {identity.line()}", f"committer {identity.line()}", "", message]
    return "\n".join(lines).encode(errors="surrogateescape")


def decode_commit(body: bytes) -> Commit:
    """The parts of a commit; FormatError when it has no tree, author or committer."""
    head, _, message = body.decode(errors="surrogateescape").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.split("\n"):
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    try:
        committer = fields["committer"][0]
        return Commit(
            tree=Oid(fields["tree"][0]),
            parents=tuple(Oid(parent) for parent in fields.get("parent", ())),
            author_email=_email(fields["author"][0]),
            committer_email=_email(committer),
            committed_s=int(committer.rpartition("> ")[2].split(" ")[0]),
            message=message,
        )
    except (KeyError, ValueError) as error:
        raise FormatError("a git commit lacks its tree, author or committer") from error


def _email(identity: str) -> str:
    return identity.partition("<")[2].partition(">")[0]


@dataclass(slots=True, kw_only=True)
class ObjectDraft:
    """Objects made in memory, to be written together; `add_…` gives the object's name."""

    hash_name: HashName = "sha1"
    objects: dict[Oid, tuple[Kind, bytes]] = field(default_factory=dict)

    def add(self, kind: Kind, body: bytes) -> Oid:
        """Take up an object."""
        oid = object_name(kind, body, hash_name=self.hash_name)
        self.objects[oid] = (kind, body)
        return oid

    def add_tree(self, entries: Iterable[TreeEntry]) -> Oid:
        """Take up a tree."""
        return self.add("tree", encode_tree(entries))

    def add_folder(self, files: Mapping[str, tuple[str, Oid]]) -> Oid:
        """Take up the trees of a folder, given as relative path to (mode, name of the blob); gives the top one."""
        here: list[TreeEntry] = []
        below: dict[str, dict[str, tuple[str, Oid]]] = {}
        for path, (mode, oid) in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                below.setdefault(first, {})[rest] = (mode, oid)
            else:
                here.append(TreeEntry(mode=mode, name=first, oid=oid))
        here += [TreeEntry(mode=TREE_MODE, name=name, oid=self.add_folder(inner)) for name, inner in below.items()]
        return self.add_tree(here)

    def add_commit(self, *, tree: Oid, parents: Iterable[Oid], identity: Identity, message: str) -> Oid:
        """Take up a commit."""
        return self.add("commit", encode_commit(tree=tree, parents=parents, identity=identity, message=message))

    def pack(self) -> bytes:
        """All objects as one pack, to be fed to `git index-pack --stdin`."""
        return encode_pack(self.objects.values(), hash_name=self.hash_name)


def object_name(kind: Kind, body: bytes, *, hash_name: HashName = "sha1") -> Oid:
    """The name git gives to this object."""
    return Oid(_digest(hash_name, f"{kind} {len(body)}\0".encode() + body).hex())


def encode_pack(objects: Iterable[tuple[Kind, bytes]], *, hash_name: HashName = "sha1") -> bytes:
    """A version-2 pack with every object whole (no deltas)."""
    parts = [_pack_entry(kind, body) for kind, body in objects]
    content = struct.pack(">4sII", b"PACK", 2, len(parts)) + b"".join(parts)
    return content + _digest(hash_name, content)


def _pack_entry(kind: Kind, body: bytes) -> bytes:
    size = len(body)
    byte = (_PACK_TYPE[kind] << 4) | (size & 0x0F)
    size >>= 4
    header = bytearray()
    while size:
        header.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    header.append(byte)
    return bytes(header) + zlib.compress(body, 1)


def _digest(hash_name: HashName, content: bytes) -> bytes:
    # SHA-1 is what git names objects with, not a protection of ours.
    return hashlib.new(hash_name, content, usedforsecurity=False).digest()
