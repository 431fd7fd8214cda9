"""git as a program: which environment it gets, and what its failures say."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import GitError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Completed, Processes

LOCAL_TIMEOUT_S = 300.0
NETWORK_TIMEOUT_S = 600.0

# What a caller's GIT_* variables may set without turning git towards another repository or index.
_KEPT = (
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_NO_VERIFY",
)
_KEPT_PREFIXES = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")

_NOT_FOR_GIT = (
    "ACCESS_TOKEN",
    "AUR_KEY",
    "CI_NIX_CACHE_TOKEN",
    "CI_NIX_GIT_KEY",
    "CI_NIX_GIT_TOKEN",
    "CI_NIX_SIGNING_KEY",
    "CI_SIGNING_KEY",
    "CI_SIGNING_PASSPHRASE",
)

_KEPT_FOR_STRANGERS = (
    "PATH",
    "TMPDIR",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

# Hooks of a repository are not ours to run, and nobody answers a prompt.
_ALWAYS = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git on one repository: `git_dir` is its `.git` folder or a bare repository, `env` the whole environment.

    `largest_file_bytes` ends a git that writes a larger file, as a pack that a stranger sends without end.
    """

    processes: Processes
    git_dir: Path
    env: Mapping[str, str]
    token: str | None = None
    largest_file_bytes: int | None = None

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        timeout_s: float = LOCAL_TIMEOUT_S,
        statuses: Container[int] = (0,),
    ) -> Completed:
        """Run `git ARGUMENTS`; GitError when it does not end with one of `statuses`."""
        argv = ("git", f"--git-dir={self.git_dir}", *_ALWAYS, *arguments)
        limit = () if self.largest_file_bytes is None else ("prlimit", f"--fsize={self.largest_file_bytes}", "--")
        with _askpass(self.token) as (variables, descriptors):
            try:
                return self.processes.run(
                    (*limit, *argv),
                    env={**self.env, **variables},
                    timeout_s=timeout_s,
                    stdin=stdin,
                    statuses=statuses,
                    pass_fds=descriptors,
                )
            except ProcessError as error:
                raise GitError(_without_prefix(error.problem, (*limit, *argv), len(limit)), said=error.said) from error


def own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for the user's own repository and remote: theirs, without what redirects git elsewhere.

    The token goes another way, and the keys are no business of this git.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if (name not in _NOT_FOR_GIT and not name.startswith("GIT_"))
        or name in _KEPT
        or name.startswith(_KEPT_PREFIXES)
    }
    return {**kept, **_QUIET}


def upstream_environment(environ: Mapping[str, str], *, allow_local: bool, proxy: str | None = None) -> dict[str, str]:
    """The environment for strangers' repositories: no configuration, credentials, keys or token of the user."""
    kept = {name: environ[name] for name in _KEPT_FOR_STRANGERS if name in environ}
    if proxy:
        kept |= {"http_proxy": proxy, "https_proxy": proxy}
    return {
        **kept,
        **_QUIET,
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git" + (":file" if allow_local else ""),
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes",
    }


_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    # A server that accepts and then says nothing for a minute has given up; one that is busy says so every 5 seconds.
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
    "LC_ALL": "C.UTF-8",
}

# git calls this with its question; the token comes from an inherited descriptor, never from argv or the environment.
_ASKPASS_SCRIPT = """#!/bin/sh
case "$1" in
  Username*) echo oauth2 ;;
  *) cat /proc/self/fd/{token} ;;
esac
"""


@contextmanager
def _askpass(token: str | None) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """Lend git a token: variables and descriptors to hand to it, both closed and gone afterwards."""
    if not token:
        yield {}, ()
        return
    secret = memory_file(token.encode())
    script = memory_file(_ASKPASS_SCRIPT.format(token=secret).encode(), executable=True)
    try:
        yield {"GIT_ASKPASS": f"/proc/self/fd/{script}"}, (secret, script)
    finally:
        os.close(secret)
        os.close(script)


def memory_file(content: bytes, *, executable: bool = False) -> int:
    """A descriptor of a file that is on no disk and that its owner alone may open; the caller closes it."""
    descriptor = os.memfd_create("ci-toolkit")
    os.fchmod(descriptor, 0o700 if executable else 0o600)
    os.write(descriptor, content)
    return descriptor


def _without_prefix(problem: str, argv: tuple[str, ...], before: int) -> str:
    """`problem` with `git --git-dir=… -c …`, and `before` words that come first, cut down to `git` and subcommand."""
    shown = " ".join(argv[:12])
    short = " ".join(("git", *argv[before + 2 + len(_ALWAYS) :][:6]))
    return problem.replace(shown, short)
