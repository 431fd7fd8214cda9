"""A package folder out of a project's own repository, for a package that is to be added.

Most projects have none: what is followed of them is their tags, and somebody else wrote the PKGBUILD. Where one lies at
the top of the repository, with `.SRCINFO`, it is taken with the files it names, and not with the rest of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.observation import CouldNotAsk, Moved, SourceOutcome, Unusable
from ci_toolkit.model.version_choice import choose_version
from ci_toolkit.sources.forge_tags import Tag, fetch_remote
from ci_toolkit.sources.package_folder import Folder, read_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.formats.forge_project import ForgeProject
    from ci_toolkit.formats.source_url import GitRemote
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.sources.spec import SourceTools

_DESCRIPTION = frozenset({"PKGBUILD", ".SRCINFO"})


def observe_new(project: ForgeProject, tags: Sequence[Tag], tools: SourceTools) -> SourceOutcome:
    """The folder at the newest tag that has one, else on the default branch, whose version says which tags count."""
    try:
        remote = fetch_remote(project, tools)
        head = tools.heads.ask(remote, ["HEAD"]).get("HEAD")
        if head is None:
            return CouldNotAsk(reason=f"{remote.url} has no default branch")
        folder = _folder(remote, "HEAD", head, tools)
        if folder.fault:
            reason = f"{project.shown} cannot be added from there: on its default branch {folder.fault}"
            return Unusable(revision=head, reason=f"{reason}; add its package from elsewhere, then follow the tags")
        return _at_newest_tag(remote, tags, folder, tools) or _moved(head, folder)
    except UpstreamError as error:
        return CouldNotAsk(reason=error.what)


def _at_newest_tag(remote: GitRemote, tags: Sequence[Tag], folder: Folder, tools: SourceTools) -> SourceOutcome | None:
    """The folder at the newest tag; None when there is no tag that looks like the version, or no folder at it."""
    try:
        pkgver = SrcInfo.parse(folder.files[".SRCINFO"].content, file=".SRCINFO").pkgver
    except FormatError:
        return None
    by_name = {tag.name: tag for tag in tags}
    chosen = choose_version(by_name, current=pkgver)
    if chosen is None:
        return None
    tag = by_name[chosen.tag]
    tagged = _folder(remote, f"refs/tags/{tag.name}", tag.commit, tools)
    return None if tagged.fault else _moved(tag.commit, tagged, link=tag.link)


def _folder(remote: GitRemote, ref: str, commit: Oid, tools: SourceTools) -> Folder:
    with tools.upstreams.fetched(remote, {ref: commit}) as fetched:
        if ref in fetched.failures:
            raise UpstreamError(f"{remote.url} cannot be fetched: {fetched.failures[ref]}")
        folder = _read(fetched.repository, commit, _DESCRIPTION)
        if folder.fault:
            return folder
        return _read(fetched.repository, commit, _DESCRIPTION | set(_named(folder.files)))


def _read(repository: Repository, commit: Oid, only: frozenset[str]) -> Folder:
    folder = read_folders(repository, [commit], only=only)[commit]
    if isinstance(folder, UpstreamError):
        raise folder
    return folder


def _named(files: Mapping[str, UpstreamFile]) -> Iterator[str]:
    """The files beside PKGBUILD that `.SRCINFO` names."""
    try:
        srcinfo = SrcInfo.parse(files[".SRCINFO"].content, file=".SRCINFO")
    except FormatError:
        return
    for section in (srcinfo.base, *srcinfo.packages):
        for key in ("source", "install", "changelog"):
            yield from (value for _, value in section.values_all_arch(key) if "://" not in value and "::" not in value)


def _moved(revision: Oid, folder: Folder, *, link: str | None = None) -> Moved:
    return Moved(revision=revision, files=folder.files, formatted=None, link=link)
