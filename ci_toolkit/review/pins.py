"""Commits that sources are pinned to: a forge serves a fork's commit under the parent's name, and nobody sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.source_url import parse_vcs_source
from ci_toolkit.model.finding import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.formats.srcinfo import SrcInfo

UNCONFIRMED = Rule(
    id="commit-unconfirmed",
    severity=Severity.MEDIUM,
    meaning="A source is pinned to a commit that is not known to belong to its repository.",
)
RULES = (UNCONFIRMED,)

_COMMIT = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9a-f]{40}|[0-9a-f]{64})(?![0-9A-Fa-f])")
_FORGE_FILE = re.compile(
    r"https?://(?P<host>(?:codeload\.|raw\.)?github(?:usercontent)?\.com|gitlab\.[a-z0-9.-]+|codeberg\.org|gitea\.com)"
    r"/(?P<owner>[A-Za-z0-9_.-]+)/(?P<name>[A-Za-z0-9_.-]+)/.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One commit that a source names; `repository` is the URL where it should be."""

    source: str
    commit: str
    repository: str

    def finding(self, why: str) -> Finding:
        """What to say when it is not known to be there."""
        text = f"Commit {self.commit[:12]} is not known to belong to {self.repository}: {why}."
        return Finding(rule=UNCONFIRMED.id, severity=UNCONFIRMED.severity, file=".SRCINFO", text=text, new=self.source)


def new_pins(old: SrcInfo | None, new: SrcInfo) -> tuple[Pin, ...]:
    """The commits that sources of `new` name and those of `old` do not, each once."""
    known = {(pin.commit, pin.repository) for pin in _pins(old)} if old else set()
    found = {(pin.commit, pin.repository): pin for pin in _pins(new)}
    return tuple(pin for key, pin in found.items() if key not in known)


def _pins(srcinfo: SrcInfo) -> Iterator[Pin]:
    for _, source in srcinfo.base.values_all_arch("source"):
        checkout = parse_vcs_source(source)
        if checkout is not None:
            if checkout.vcs == "git" and checkout.fragment_kind == "commit" and checkout.fragment_value:
                yield Pin(source=source, commit=checkout.fragment_value, repository=checkout.url)
            continue
        address = source.partition("::")[2] or source
        file, commit = _FORGE_FILE.fullmatch(address), _COMMIT.search(address)
        if file and commit:
            host = "github.com" if "github" in file["host"] else file["host"]
            repository = f"https://{host}/{file['owner']}/{file['name'].removesuffix('.git')}.git"
            yield Pin(source=source, commit=commit[0], repository=repository)
