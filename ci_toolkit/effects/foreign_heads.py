"""Where the heads of strangers' Subversion, Mercurial, Bazaar and Fossil repositories are, asked with their programs.

URLs and branch names are strangers' text. Only what passes an allow-list of schemes and a narrow grammar becomes an
argument, so that nothing can be taken for an option or for another transport. Servers may name other transports, too
(svn follows a redirect to svn+ssh, a Bazaar branch may refer to another one), so no program finds an ssh to run.

What is checked is the address that the URL itself leads to. The programs resolve the name once more and follow
redirects to other HTTP servers by themselves; all that can come back from there is a revision, from svn not even that.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.effects.addresses import public_address
from ci_toolkit.effects.cache_files import locked
from ci_toolkit.errors import ConfigError, ProcessError, UpstreamError, shortened
from ci_toolkit.formats.source_url import parse_git_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.process import Completed, Processes
    from ci_toolkit.formats.source_url import GitRemote, VcsSource

_TIMEOUT_S = 60.0
_LONGER_S = {"clone": 300.0, "pull": 300.0}  # by subcommand
_COMPLAINT_MAX = 200

_SCHEMES = {
    "svn": ("https", "http", "svn"),
    "hg": ("https", "http"),
    "bzr": ("https", "http", "bzr"),
    "fossil": ("https", "http"),
}
_DEFAULT_PORTS = {"https": 443, "http": 80, "svn": 3690, "bzr": 4155}
_PROGRAMS = {"svn": ("svn",), "hg": ("hg",), "bzr": ("brz", "bzr"), "fossil": ("fossil",)}
_WITH_BRANCHES = ("hg", "fossil")  # makepkg stops at a branch of the others: libmakepkg's source/svn.sh and bzr.sh

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,127}")
_REVISION = re.compile(r"[A-Za-z0-9._@:-]{1,128}")
_ANSWERS = {
    "svn": re.compile(r"[0-9]+"),
    "hg": re.compile(r"[0-9a-f]{40}"),
    "bzr": _REVISION,
    "fossil": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
}
_BZR_REVISION = re.compile(r"([0-9]+(?:\.[0-9]+)*) (\S+)")
_FOSSIL_HASH = re.compile(r"^(?:hash|uuid): +([0-9a-f]+)(?: |$)", re.MULTILINE)
_FOSSIL_SKEW = "*** time skew ***"  # a warning; all other words on stderr are failures

_ANY_STATUS = range(-64, 256)  # signals are negative


class NotInstalledError(UpstreamError):
    """The program that could ask is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignHeads:
    """Asks for heads; `env` is the environment for strangers' repositories, `folder` may be lost at any time."""

    processes: Processes
    env: Mapping[str, str]
    folder: Path
    allow_local: bool

    def ask(self, source: VcsSource) -> str:
        """The revision that makepkg would check out: 1 to 128 characters of `[A-Za-z0-9._@:-]`.

        svn: the number of the last change below that path. hg: the node, 40 hexadecimal digits. bzr: the revision id,
        or the number if the id has other characters. fossil: the hash of a check-in, 40 or 64 digits. UpstreamError
        when it cannot be found out, NotInstalledError when there is no program for it.
        """
        remote = checked_remote(source, allow_local=self.allow_local)
        branch = _checked_branch(source)
        program = self._program(source.vcs)
        if remote.host is not None and not self.allow_local:
            public_address(remote.host, remote.port or _DEFAULT_PORTS[remote.scheme])
        try:
            with tempfile.TemporaryDirectory(prefix="ci-toolkit-heads.", ignore_cleanup_errors=True) as home:
                call = _Call(
                    processes=self.processes, env=self.env, path=Path(program), url=remote.url, home=Path(home)
                )
                answer = self._answer(source.vcs, call, branch)
        except OSError as error:
            raise UpstreamError(f"{remote.url} cannot be asked: {error.filename}: {error.strerror}") from error
        if not _ANSWERS[source.vcs].fullmatch(answer) or not _REVISION.fullmatch(answer):
            raise UpstreamError(f"{remote.url}: {Path(program).name} answers with no revision: {_plain(answer)!r}")
        return answer

    def _program(self, vcs: str) -> str:
        names = _PROGRAMS[vcs]
        for name in names:
            if found := shutil.which(name, path=self.env.get("PATH", "")):
                return found
        raise NotInstalledError(f"{names[0]} is not installed, so its sources are not followed")

    def _answer(self, vcs: str, call: _Call, branch: str | None) -> str:
        if vcs == "svn":
            return _ask_svn(call)
        if vcs == "hg":
            return _ask_hg(call, branch)
        if vcs == "bzr":
            return _ask_bzr(call)
        return _ask_fossil(call, branch, self.folder)


def checked_remote(source: VcsSource, *, allow_local: bool) -> GitRemote:
    """The repository of a source, fit to be an argument; UpstreamError when its URL may not be used.

    No user, no `@`, no `?`, no part that begins with a hyphen, no blanks or control characters, a scheme that the
    system is asked with: `ssh://-oProxyCommand=…`, `svn+ssh://…` and `lp:…` are refused here.
    """
    if source.url.startswith("lp:"):
        raise UpstreamError("lp: addresses are looked up by Launchpad and may lead to ssh; write https://…")
    scheme, colon, rest = source.url.partition("://")
    scheme = scheme.lower()
    if not colon or not (scheme in _SCHEMES.get(source.vcs, ()) or (scheme == "file" and allow_local)):
        shown = _plain(scheme, 20) if colon else "no scheme"
        raise UpstreamError(f"sources of {source.vcs} are not followed with this kind of URL: {shown}")
    if "@" in rest or re.search(r"(?:^|/)-", rest):
        raise UpstreamError(f"the URL of a {source.vcs} source has an `@`, or a part that begins with a hyphen")
    known = scheme in ("https", "http", "file")
    try:
        remote = parse_git_url(f"{scheme if known else 'git'}://{rest}", allow_local=allow_local)
    except ConfigError as error:
        raise UpstreamError(f"the URL of a {source.vcs} source {error.problem}") from error
    if known:
        return remote
    return type(remote)(
        url=f"{scheme}://{remote.url.partition('://')[2]}", scheme=scheme, host=remote.host, port=remote.port
    )


def _checked_branch(source: VcsSource) -> str | None:
    branch = source.fragment_value
    if source.fragment_kind is None and branch is None:
        return None
    if source.fragment_kind != "branch" or source.vcs not in _WITH_BRANCHES:
        kind = source.fragment_kind or "fragment"
        raise UpstreamError(f"makepkg checks out no {kind} of {source.vcs} whose head could be asked for")
    if branch is None or not _BRANCH.fullmatch(branch):
        raise UpstreamError(f"this cannot be the name of a branch: {_plain(branch or '')!r}")
    return branch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One program, at `path`, for one URL; `home` is an empty folder that goes away afterwards."""

    processes: Processes
    env: Mapping[str, str]
    path: Path
    url: str
    home: Path

    @property
    def program(self) -> str:
        """The program's name."""
        return self.path.name

    def run(self, *arguments: str) -> Completed:
        """Run the program; UpstreamError when it does not end in time, and not when its status is another than 0."""
        argv = (self.program, *arguments)
        try:
            return self.processes.run(
                argv,
                env={**self.env, **self._settings()},
                timeout_s=_LONGER_S.get(arguments[0], _TIMEOUT_S),
                cwd=self.home,
                statuses=_ANY_STATUS,
            )
        except ProcessError as error:
            raise self.failure(error.said.replace(" ".join(argv[:12]), self.program)) from error

    def output(self, *arguments: str) -> str:
        """What the program writes, without white space around it; UpstreamError when it fails."""
        done = self.run(*arguments)
        if done.status:
            raise self.complaint(done)
        return done.stdout.decode(errors="replace").strip()

    def complaint(self, done: Completed) -> UpstreamError:
        """The error that says what the program complained of: its first line, the rest may be the server's page."""
        lines = (line.strip() for line in done.stderr.decode(errors="replace").split("\n"))
        return self.failure(next(filter(None, lines), f"{self.program} ended with status {done.status}"))

    def failure(self, reason: str) -> UpstreamError:
        """The error for this URL."""
        return UpstreamError(f"{self.url} cannot be asked: {_plain(self.processes.redactor.clean(reason))}")

    def _settings(self) -> dict[str, str]:
        """No configuration, no log, no ssh: each program's own variables for it, and its own folder first in PATH."""
        empty = str(self.home)
        return {
            # brz of Debian 12 finds its library beside the first python3 in PATH, which may be a virtual environment's.
            "PATH": f"{self.path.parent.absolute()}:{self.env.get('PATH', '')}",
            "HOME": empty,
            "XDG_CONFIG_HOME": empty,
            "SVN_SSH": "false",
            "HGPLAIN": "1",
            "HGRCPATH": "",
            "HGRCSKIPREPO": "1",
            "BRZ_HOME": empty,
            "BRZ_LOG": "/dev/null",
            "BRZ_SSH": "false",
            "BZR_HOME": empty,
            "BZR_LOG": "/dev/null",
            "BZR_SSH": "false",
            "FOSSIL_HOME": empty,
            "FOSSIL_USER": "nobody",
        }


def _ask_svn(call: _Call) -> str:
    answer = call.output(
        *("info", "--non-interactive", "--no-auth-cache", f"--config-dir={call.home}"),
        *("--show-item=last-changed-revision", "--no-newline", "--revision=HEAD", "--", call.url),
    )
    if answer.startswith("Redirecting"):
        raise call.failure("it redirects to another address")
    return answer


def _ask_hg(call: _Call, branch: str | None) -> str:
    """Without a branch makepkg takes the bookmark `@` if there is one (libmakepkg's source/hg.sh)."""
    if branch is not None:
        return call.output(*_hg_identify(call, branch))
    bookmarked = call.run(*_hg_identify(call, "@"))
    if bookmarked.status == 0:
        return bookmarked.stdout.decode(errors="replace").strip()
    if b"unknown revision '@'" not in bookmarked.stderr:
        raise call.complaint(bookmarked)
    return call.output(*_hg_identify(call, "default"))


def _hg_identify(call: _Call, revision: str) -> tuple[str, ...]:
    options = ("--noninteractive", "--config=ui.ssh=false", "--template={node}", f"--rev={revision}")
    return ("identify", *options, "--", call.url)


def _ask_bzr(call: _Call) -> str:
    """`revision-info` answers `NUMBER ID`; an id begins with the committer's address, which may have any character."""
    answer = call.output("--no-plugins", "revision-info", f"--directory={call.url}")
    pair = _BZR_REVISION.fullmatch(answer)
    if pair is None:
        return answer
    number, identity = pair.groups()
    if identity == "null:":
        raise call.failure("nothing was ever committed to it")
    return identity if _REVISION.fullmatch(identity) else number


def _ask_fossil(call: _Call, branch: str | None, folder: Path) -> str:
    """Without a branch makepkg takes `tip`, the newest check-in of all branches (libmakepkg's source/fossil.sh)."""
    name = hashlib.sha256(call.url.encode()).hexdigest()[:32]
    clone = folder / f"{name}.fossil"
    with locked(folder / f"{name}.fossil.lock"):
        if _fossil_pulled(call, clone):
            done = _fossil_info(call, clone, branch)
            if done.status == 0 or b"cannot resolve name" in done.stderr:
                return _fossil_hash(call, done)
        _fossil_clone(call, clone)
        return _fossil_hash(call, _fossil_info(call, clone, branch))


def _fossil_pulled(call: _Call, clone: Path) -> bool:
    """Whether a clone is there and has now what its remote has.

    fossil 2.21 ends with status 0 after an unreachable server, a page of HTML and another project under the URL.
    """
    if not clone.exists():
        return False
    options = ("--once", "--ssh-command", "false")
    done = call.run("pull", call.url, "-R", str(clone), *options)
    said = [line for line in done.stderr.decode(errors="replace").split("\n") if line.strip()]
    fine = all(line.startswith(_FOSSIL_SKEW) for line in said)
    return done.status == 0 and fine and b"Error:" not in done.stdout


def _fossil_clone(call: _Call, clone: Path) -> None:
    """Clone beside the place and rename: what lies there may still be good when the remote is not."""
    fresh = clone.with_suffix(".new")
    _fossil_remove(fresh)
    options = ("--once", "--no-open", "--ssh-command", "false", "--admin-user", "nobody")
    try:
        done = call.run("clone", *options, "--", call.url, str(fresh))
        if done.status or not fresh.exists():
            raise call.complaint(done)
        _fossil_remove(clone)
        fresh.replace(clone)
    finally:
        _fossil_remove(fresh)


def _fossil_remove(database: Path) -> None:
    """Remove a database with the journals that SQLite would otherwise play back into its successor."""
    for suffix in ("-journal", "-wal", "-shm", ""):
        path = database.with_name(database.name + suffix)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _fossil_info(call: _Call, clone: Path, branch: str | None) -> Completed:
    return call.run("info", "-R", str(clone), "--", branch or "tip")


def _fossil_hash(call: _Call, done: Completed) -> str:
    found = _FOSSIL_HASH.search(done.stdout.decode(errors="replace"))
    if done.status or found is None:
        raise call.complaint(done)
    return found[1]


def _plain(text: str, limit: int = _COMPLAINT_MAX) -> str:
    """`text` in one line that no terminal acts upon."""
    return shortened("".join(mark if mark.isprintable() else " " for mark in text), limit)
