"""Which heads a VCS package follows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ci_toolkit.formats.source_url import VcsSource, parse_vcs_source
from ci_toolkit.model.observation import NotFollowed

if TYPE_CHECKING:
    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.model.package import Package


def followed(package: Package) -> VcsSource | NotFollowed:
    """The source whose head a package follows: the first git one of its `.SRCINFO`, unless it is pinned."""
    if not package.is_vcs:
        return NotFollowed(reason="it is no VCS package")
    if package.srcinfo is None:
        return NotFollowed(reason="without .SRCINFO its git source is not known")
    source = first_git_source(package.srcinfo)
    if source is None:
        return NotFollowed(reason="it has no git source")
    if source.fragment_kind is None and source.fragment_value is not None:
        return NotFollowed(reason="makepkg does not know the fragment of its git source")
    if source.fragment_kind not in (None, "branch"):
        return NotFollowed(reason=f"its git source is pinned to a {source.fragment_kind}")
    return source


def further_followed(package: Package) -> dict[str, VcsSource]:
    """What else a package follows, by a key to remember its head under.

    With `CI_VCS_SOURCES=all` every VCS source that is not pinned; else the first of another system than git, for
    packages without any git source.
    """
    if not package.is_vcs or package.srcinfo is None:
        return {}
    sources = vcs_sources(package.srcinfo)
    first = next((source for source in sources if source.vcs == "git"), None)
    if package.config.all_vcs_sources:
        others = [source for source in sources if source != first]
    else:
        others = [] if first else list(sources[:1])
    return {source_key(source): source for source in others if _moves(source)}


def source_key(source: VcsSource) -> str:
    """A short name for a source in the state: 12 hexadecimal digits."""
    text = f"{source.vcs}+{source.url}#{source.fragment_value or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def first_git_source(srcinfo: SrcInfo) -> VcsSource | None:
    """The first source that git fetches, in the order of the file and across architectures."""
    return next((source for source in vcs_sources(srcinfo) if source.vcs == "git"), None)


def vcs_sources(srcinfo: SrcInfo) -> tuple[VcsSource, ...]:
    """All sources that are checked out, each once, in the order of the file and across architectures."""
    parsed = (parse_vcs_source(text) for _, text in srcinfo.base.values_all_arch("source"))
    return tuple(dict.fromkeys(source for source in parsed if source is not None))


def _moves(source: VcsSource) -> bool:
    return source.fragment_kind == "branch" or (source.fragment_kind is None and source.fragment_value is None)
