"""Which head a VCS package follows."""

from __future__ import annotations

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


def first_git_source(srcinfo: SrcInfo) -> VcsSource | None:
    """The first source that git fetches, in the order of the file and across architectures."""
    parsed = (parse_vcs_source(text) for _, text in srcinfo.base.values_all_arch("source"))
    return next((source for source in parsed if source is not None and source.vcs == "git"), None)
