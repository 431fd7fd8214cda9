"""Where branches and tags of strangers' repositories are, asked with as few requests as the protocol allows.

Over HTTP(S) one POST of git's `ls-refs` command (protocol version 2, which needs no `info/refs` first) over pooled
connections; `git ls-remote` for other schemes and for servers that do not speak version 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.addresses import public_address
from ci_toolkit.errors import FormatError, ProcessError, UpstreamError
from ci_toolkit.formats.pkt_line import decode_peeled_refs, decode_refs, encode_ls_refs
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ci_toolkit.effects.process import Processes
    from ci_toolkit.effects.web import Web
    from ci_toolkit.formats.source_url import GitRemote

_LIMIT_BYTES = 64 << 20
_TIMEOUT_S = 60.0
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"
_HEADERS = {
    "Git-Protocol": "version=2",
    "Content-Type": "application/x-git-upload-pack-request",
    "Accept": "application/x-git-upload-pack-result",
}
_ANSWER_TYPE = "application/x-git-upload-pack-result"
_DEFAULT_PORTS = {"ssh": 22, "git": 9418, "http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHeads:
    """Asks remotes for refs; `env` is the environment for git processes that talk to strangers."""

    web: Web
    processes: Processes
    env: Mapping[str, str]

    def ask(self, remote: GitRemote, refs: Iterable[str]) -> dict[str, Oid]:
        """Those of `refs` (`HEAD`, `refs/heads/x`) that are there; UpstreamError when it cannot be found out."""
        wanted = tuple(dict.fromkeys(refs))
        found = self._over_http(remote, encode_ls_refs(wanted), decode_refs)
        if found is None:
            found = self._with_git(remote, ("HEAD", *wanted))
        return {ref: found[ref] for ref in wanted if ref in found}

    def tags(self, remote: GitRemote) -> dict[str, Oid]:
        """All tags by name, without `refs/tags/`, and what they stand for: of annotated ones the commit behind.

        UpstreamError when it cannot be found out. Names are as the server sends them and may be anything.
        """
        found = self._over_http(remote, encode_ls_refs([_TAGS], peel=True), decode_peeled_refs)
        if found is None:
            listed = self._with_git(remote, ("HEAD", f"{_TAGS}*"))
            found = {name: listed.get(f"{name}^{{}}", oid) for name, oid in listed.items() if not name.endswith("^{}")}
        return {name.removeprefix(_TAGS): oid for name, oid in found.items() if name.startswith(_TAGS)}

    def tips(self, remote: GitRemote) -> frozenset[Oid]:
        """The commits that branches and tags stand for; UpstreamError when it cannot be found out.

        What else a service shows as refs, such as strangers' merge requests, does not count.
        """
        found = self._over_http(remote, encode_ls_refs([_BRANCHES, _TAGS], peel=True), decode_peeled_refs)
        if found is None:
            found = self._with_git(remote, ("HEAD", f"{_BRANCHES}*", f"{_TAGS}*"))
        return frozenset(oid for name, oid in found.items() if name.startswith((_BRANCHES, _TAGS)))

    def _over_http(
        self, remote: GitRemote, body: bytes, decode: Callable[[bytes], dict[str, Oid]]
    ) -> dict[str, Oid] | None:
        """What `ls-refs` says; None where the server, or the scheme, is none for it."""
        if remote.scheme not in ("http", "https"):
            return None
        url = f"{remote.url.rstrip('/')}/git-upload-pack"
        answer = self.web.post(url, body, limit_bytes=_LIMIT_BYTES, headers=_HEADERS, kind="ls-refs")
        if answer.headers.get("Content-Type", "") != _ANSWER_TYPE:
            return None
        try:
            return decode(answer.body)
        except FormatError as error:
            raise UpstreamError(f"{remote.url}: {error.what}") from error

    def _with_git(self, remote: GitRemote, patterns: tuple[str, ...]) -> dict[str, Oid]:
        options = address_options(remote, allow_local=self.web.manners.allow_local)
        self.web.requests["ls-remote"] += 1
        asked = dict.fromkeys(patterns)
        argv = ("git", *options, "ls-remote", "--quiet", "--end-of-options", remote.url, *asked)
        try:
            output = self.processes.run(
                argv, env=self.env, timeout_s=min(_TIMEOUT_S, self.web.remaining_s())
            ).stdout.decode(errors="replace")
        except ProcessError as error:
            raise UpstreamError(f"{remote.url} cannot be asked: {error.said}") from error
        pairs = (line.split("\t") for line in output.split("\n") if "\t" in line)
        found = {pair[1]: Oid(pair[0]) for pair in pairs if is_oid(pair[0])}
        if not found:
            # git takes a page of text or nothing at all for a repository without refs.
            raise UpstreamError(f"{remote.url} answers, but as no git repository does")
        return found


def address_options(remote: GitRemote, *, allow_local: bool) -> tuple[str, ...]:
    """Options with which git talks to the very address that was checked; ForbiddenAddressError when it may not be used.

    git resolves names itself, and a name may lead elsewhere the second time. It follows no redirects either.
    """
    options = ("-c", "protocol.version=2", "-c", "http.followRedirects=false")
    if allow_local or remote.host is None:
        return options
    port = remote.port or _DEFAULT_PORTS[remote.scheme]
    address = public_address(remote.host, port)
    if remote.scheme not in ("http", "https"):
        return options
    shown = f"[{address}]" if ":" in address else address
    return (*options, "-c", f"http.curloptResolve={remote.host}:{port}:{shown}")
