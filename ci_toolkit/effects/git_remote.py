"""Talking to a git remote: its refs, fetching by name without touching a local ref, and one atomic push."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.git_command import NETWORK_TIMEOUT_S
from ci_toolkit.errors import GitError
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci_toolkit.effects.git_repository import Repository

_USERINFO = re.compile(r"(https?://)[^/@]*@")
_PORCELAIN = re.compile(r"^(?P<flag>[ +\-*!=t])\t(?P<refs>[^\t]*)\t(?P<summary>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """One ref to move from `old` (None: must not exist) to `new` (None: remove it); nothing else may have moved it."""

    ref: str
    old: Oid | None
    new: Oid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What became of a push; `refusals` maps the refs that the remote refused for their own sake to its reason."""

    done: bool
    refusals: dict[str, str]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A named remote of a repository; `address` is what git is given for it: its name, or a URL."""

    repository: Repository
    name: str
    address: str

    def refs(self) -> tuple[dict[str, Oid], str | None]:
        """Every branch and tag, and the name of the default branch (`main`) if the remote tells."""
        lines = _ref_lines(self._run("ls-remote", "--symref", "--end-of-options", self.address))
        symbolic = [target.removeprefix("ref: refs/heads/") for target, ref in lines if ref == "HEAD"]
        default = next((name for name in symbolic if not is_oid(name)), None)
        return {ref: Oid(oid) for oid, ref in lines if is_oid(oid)}, default

    def fetch(self, names: Iterable[str], *, depth: int | None = None, deepen_fully: bool = False) -> None:
        """Bring in the objects of refs or commits; no ref of the local repository changes."""
        wanted = "".join(f"{name}\n" for name in dict.fromkeys(names)).encode()
        options = ["--quiet", "--no-tags", "--refmap=", "--no-write-fetch-head", "--no-auto-maintenance"]
        if depth is not None:
            options.append(f"--depth={depth}")
        if deepen_fully:
            options.append("--unshallow")
        self._run("fetch", *options, "--stdin", "--end-of-options", self.address, stdin=wanted)

    def push(self, updates: Iterable[RefUpdate], *, options: Iterable[str] = ()) -> PushResult:
        """Move all refs, or none: each only if it still is where `old` says."""
        arguments = ["push", "--atomic", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"]
        refspecs = []
        for update in updates:
            arguments.append(f"--force-with-lease={update.ref}:{update.old or ''}")
            refspecs.append(f"{update.new or ''}:{update.ref}")
        arguments += [f"--push-option={option}" for option in options]
        done = self.repository.git.run(
            *arguments,
            "--end-of-options",
            self.address,
            *refspecs,
            timeout_s=NETWORK_TIMEOUT_S,
            statuses=range(256),
        )
        clean = self.repository.git.processes.redactor.clean
        refusals = _refusals(clean(done.stdout.decode(errors="replace")))
        return PushResult(done=done.status == 0, refusals=refusals, message=clean(done.complaint))

    def _run(self, *arguments: str, stdin: bytes = b"") -> str:
        try:
            return self.repository.git.run(*arguments, stdin=stdin, timeout_s=NETWORK_TIMEOUT_S).stdout.decode(
                errors="surrogateescape"
            )
        except GitError as error:
            raise GitError(
                f"remote {self.name} cannot be reached: {error.said}",
                hint="check the remote's address with git remote -v, and the credentials it needs",
            ) from error


def open_remote(repository: Repository, name: str) -> Remote:
    """The remote called `name`.

    A CI service puts a user and a token of its own into the remote's URL, which may read and not push. Where the owner
    has given another token, that one counts: git is then given the URL without the user.
    """
    address = name
    if repository.git.token:
        url = repository.git.run("remote", "get-url", "--", name, statuses=(0, 2)).stdout.decode().strip()
        if _USERINFO.match(url):
            address = _USERINFO.sub(r"\1", url)
    return Remote(repository=repository, name=name, address=address)


def _ref_lines(output: str) -> list[tuple[str, str]]:
    return [(left, right) for left, tab, right in (line.partition("\t") for line in output.split("\n")) if tab]


def _refusals(porcelain: str) -> dict[str, str]:
    r"""Refs that were refused for their own sake, from lines such as `!\tabc:refs/heads/x\t[remote rejected] (why)`."""
    refused: dict[str, str] = {}
    for line in porcelain.split("\n"):
        match = _PORCELAIN.match(line)
        if match is None or match["flag"] != "!" or _collateral(match["summary"]):
            continue
        refused[match["refs"].rpartition(":")[2]] = match["summary"]
    return refused


def _collateral(summary: str) -> bool:
    """Whether a ref was only refused because another one was: the push is atomic."""
    return "atomic push failed" in summary or "atomic transaction failed" in summary or "atomic push failure" in summary
