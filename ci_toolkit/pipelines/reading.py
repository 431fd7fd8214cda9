"""Reading the repository at one commit: from git objects, in one pass, never from a worktree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError, GitError, ToolkitError
from ci_toolkit.formats.git_objects import TREE_MODE, TreeEntry, decode_commit, decode_tree, encode_tree, object_name
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, parse_recipe_file, version_file_of
from ci_toolkit.formats.review_toml import parse_review_settings
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.formats.state import RepositoryState, ReviewRecord, parse_state
from ci_toolkit.model.names import REVIEW_PREFIX, Oid, Pkgbase, is_pkgbase, parse_pkgbase, review_branch
from ci_toolkit.model.package import OURS, FolderFile, Package, RemoteHeads, Snapshot
from ci_toolkit.model.package_config import CONFIG_PATH, PackageConfig, misspelt_keys, parse_package_config
from ci_toolkit.model.review_settings import REVIEW_SETTINGS_PATH
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.effects.git_remote import Remote
    from ci_toolkit.effects.git_repository import ListedFile, Repository

SCHEDULED_TAG = "refs/tags/scheduled"
NO_REVIEWS: frozenset[Pkgbase] = frozenset()
ARTIFACTS = (".ci/deptree.txt", ".ci/schedule-params.txt", ".ci/schedule.json")
_MAINTAINERS_PATH = ".ci/aur-maintainers"
_WATERMARK_PATH = ".ci/aur-state"
_EDITORCONFIG_PATH = ".editorconfig"
_SRCINFO_PATH = ".SRCINFO"
_TOP_FILES = (SETTINGS_PATH, REVIEW_SETTINGS_PATH, _MAINTAINERS_PATH, _WATERMARK_PATH, _EDITORCONFIG_PATH)
_PACKAGE_FILES = (CONFIG_PATH, RECIPE_PATH, _SRCINFO_PATH)
_LARGEST_TEXT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotReader:
    """Reads snapshots of a remote's default branch. `branch` None: the branch that the remote calls its default."""

    repository: Repository
    remote: Remote
    environ: Mapping[str, str]
    branch: str | None = None

    def read(self, *, reviews: frozenset[Pkgbase] | None = None) -> Snapshot:
        """The remote as it is now. What is missing locally is fetched; no local ref changes.

        `reviews` limits which review branches are looked at; None: all of them.
        """
        branch, heads, state = self.read_state()
        return self._read_commit(heads, branch, state, reviews)

    def read_state(self) -> tuple[str, RemoteHeads, RepositoryState]:
        """The name of the default branch, where everything is now, and the state; packages are not looked at."""
        refs, default = self.remote.refs()
        branch = self.branch or default or "main"
        heads = _heads(refs, branch, self.remote.name)
        self._fetch_missing(heads, branch)
        return branch, heads, self._read_state(heads.state)

    def _read_commit(
        self, heads: RemoteHeads, branch: str, state: RepositoryState, wanted: frozenset[Pkgbase] | None
    ) -> Snapshot:
        """The snapshot of commit `heads.main`, all of whose objects are here."""
        listing = self.repository.list_tree(heads.main)
        packages, strays, top = read_packages(self.repository, listing)
        settings = parse_settings(KeyValueFile.parse(top.get(SETTINGS_PATH, b""), file=SETTINGS_PATH), self.environ)
        branches = {name: head for name, head in heads.reviews.items() if wanted is None or name in wanted}
        reviews = self._read_reviews(branches, state, settings.author_email)
        unmerged = self.repository.not_in_history(branches.values(), heads.main)
        return Snapshot(
            hash_name=self.repository.hash_name,
            branch=branch,
            heads=heads,
            root=tuple(_root_entry(entry) for entry in listing if "/" not in entry.path),
            packages=packages,
            settings=settings,
            state=state,
            trusted_maintainers=parse_maintainers(top.get(_MAINTAINERS_PATH, b"")),
            aur_watermark_s=_watermark(top.get(_WATERMARK_PATH)),
            reviews=reviews,
            merged_reviews=frozenset(name for name, head in branches.items() if head not in unmerged),
            strays=strays,
            tracked_artifacts=tuple(entry.path for entry in listing if entry.path in ARTIFACTS),
            editorconfig=top.get(_EDITORCONFIG_PATH),
            review=parse_review_settings(top.get(REVIEW_SETTINGS_PATH, b"")),
        )

    def _fetch_missing(self, heads: RemoteHeads, branch: str) -> None:
        wanted = {
            f"refs/heads/{branch}": heads.main,
            "refs/heads/state": heads.state,
            SCHEDULED_TAG: heads.scheduled_tag,
        }
        names = {ref: oid for ref, oid in wanted.items() if oid is not None}
        present = self.repository.sizes(names.values())
        missing = [ref for ref, oid in names.items() if oid not in present]
        if missing:
            self.remote.fetch(missing)

    def _read_state(self, head: Oid | None) -> RepositoryState:
        if head is None:
            return RepositoryState()
        listing = [entry for entry in self.repository.list_tree(head) if entry.mode.startswith("100")]
        blobs = self.repository.read_blobs(entry.oid for entry in listing)
        return parse_state({entry.path: blobs[entry.oid] for entry in listing})

    def _read_reviews(
        self, branches: Mapping[Pkgbase, Oid], state: RepositoryState, bot: str
    ) -> dict[Pkgbase, ReviewRecord]:
        """What is known of each review branch; only those that moved since the state was written are looked at."""
        known = {
            pkgbase: state.reviews[pkgbase]
            for pkgbase, head in branches.items()
            if pkgbase in state.reviews and state.reviews[pkgbase].head == head
        }
        unknown = {pkgbase: head for pkgbase, head in branches.items() if pkgbase not in known}
        if not unknown:
            return known
        present = self.repository.sizes(unknown.values())
        missing = [f"refs/heads/{review_branch(pkgbase)}" for pkgbase, head in unknown.items() if head not in present]
        if missing:
            # In a shallow clone a branch would pull in all history since it left the default branch.
            self.remote.fetch(missing, depth=1 if self.repository.is_shallow() else None)
        folders = {pkgbase: f"{head}:{pkgbase}" for pkgbase, head in unknown.items()}
        objects = self.repository.read_objects([*unknown.values(), *folders.values()])
        for pkgbase, head in unknown.items():
            commit, folder = objects[head], objects[folders[pkgbase]]
            if commit is None or commit[0] != "commit":
                raise GitError(f"branch {review_branch(pkgbase)} moved while it was read", hint="run it again")
            parsed = decode_commit(commit[1])
            by_bot = {parsed.author_email, parsed.committer_email} == {bot}
            content = self._content(folder[1]) if folder and folder[0] == "tree" else None
            known[pkgbase] = ReviewRecord(
                pkgbase=pkgbase, head=head, content=content, author="bot" if by_bot else "person"
            )
        return known

    def _content(self, tree: bytes) -> Oid:
        """The name of a package folder's tree without what belongs to the repository itself."""
        hash_name = self.repository.hash_name
        entries = decode_tree(tree, oid_bytes=20 if hash_name == "sha1" else 32)
        kept = (entry for entry in entries if entry.name not in OURS)
        return object_name("tree", encode_tree(kept), hash_name=hash_name)


def read_packages(
    repository: Repository, listing: Iterable[ListedFile]
) -> tuple[dict[Pkgbase, Package], dict[str, ToolkitError], dict[str, bytes]]:
    """The packages of a listing, folders that no package can be called, and the files that concern all, by path."""
    listed = tuple(listing)
    blobs = repository.read_blobs(_wanted_blobs(listed))
    more = _version_blobs(listed, blobs)
    if more:
        blobs = {**blobs, **repository.read_blobs(more)}
    top = {entry.path: blobs[entry.oid] for entry in listed if entry.path in _TOP_FILES and entry.oid in blobs}
    return (*_read_packages(listed, blobs), top)


def parse_maintainers(content: bytes) -> frozenset[str]:
    """`.ci/aur-maintainers`: one name a line, `#` starts a comment; in lower case (ASCII only)."""
    names = (line.partition(b"#")[0].strip() for line in content.split(b"\n"))
    return frozenset(name.lower().decode(errors="replace") for name in names if name)


def _heads(refs: Mapping[str, Oid], branch: str, remote: str) -> RemoteHeads:
    main = refs.get(f"refs/heads/{branch}")
    if main is None:
        raise GitError(f"{remote} has no branch {branch}", hint="push it first, or name another with --branch")
    prefix = f"refs/heads/{REVIEW_PREFIX}"
    names = {ref.removeprefix(prefix): oid for ref, oid in refs.items() if ref.startswith(prefix)}
    return RemoteHeads(
        main=main,
        state=refs.get("refs/heads/state"),
        # An annotated tag is followed by a line for the commit it stands for.
        scheduled=refs.get(f"{SCHEDULED_TAG}^{{}}", refs.get(SCHEDULED_TAG)),
        scheduled_tag=refs.get(SCHEDULED_TAG),
        reviews={Pkgbase(name): oid for name, oid in names.items() if is_pkgbase(name)},
    )


def _wanted_blobs(listing: Iterable[ListedFile]) -> set[Oid]:
    return {
        entry.oid
        for entry in listing
        if entry.mode.startswith("100") and (entry.path in _TOP_FILES or entry.path.partition("/")[2] in _PACKAGE_FILES)
    }


def _version_blobs(listing: tuple[ListedFile, ...], blobs: Mapping[Oid, bytes]) -> set[Oid]:
    """The files that say versions of described folders."""
    described = [entry for entry in listing if entry.path.endswith(f"/{RECIPE_PATH}") and entry.oid in blobs]
    if not described:
        return set()
    named = {f"{entry.path.partition('/')[0]}/{version_file_of(blobs[entry.oid])}" for entry in described}
    return {entry.oid for entry in listing if entry.path in named and entry.mode.startswith("100")}


def _root_entry(entry: ListedFile) -> TreeEntry:
    return TreeEntry(mode=entry.mode.lstrip("0"), name=entry.path, oid=entry.oid)


def _read_packages(
    listing: Iterable[ListedFile], blobs: Mapping[Oid, bytes]
) -> tuple[dict[Pkgbase, Package], dict[str, ToolkitError]]:
    folders: dict[str, tuple[Oid, dict[str, FolderFile]]] = {}
    for entry in listing:
        folder, slash, path = entry.path.partition("/")
        if folder.startswith("."):
            continue
        if not slash:
            if entry.mode.lstrip("0") == TREE_MODE:
                folders[folder] = (entry.oid, {})
        elif entry.mode.lstrip("0") != TREE_MODE:
            folders[folder][1][path] = FolderFile(mode=entry.mode, oid=entry.oid)
    packages: dict[Pkgbase, Package] = {}
    strays: dict[str, ToolkitError] = {}
    for name, (tree, files) in folders.items():
        try:
            pkgbase = parse_pkgbase(name)
        except ConfigError as error:
            strays[name] = error
        else:
            packages[pkgbase] = _read_package(pkgbase, tree, files, blobs)
    return packages, strays


def _read_package(pkgbase: Pkgbase, tree: Oid, files: Mapping[str, FolderFile], blobs: Mapping[Oid, bytes]) -> Package:
    config, config_fault, config_file = _read_config(pkgbase, _text(files, CONFIG_PATH, blobs))
    srcinfo, srcinfo_fault = None, None
    described = _text(files, RECIPE_PATH, blobs)
    try:
        srcinfo = _read_description(pkgbase, files, blobs)
    except (ConfigError, FormatError) as error:
        srcinfo_fault = error.located(package=pkgbase)
    return Package(
        pkgbase=pkgbase,
        tree=tree,
        files=files,
        config=config,
        srcinfo=srcinfo,
        config_fault=config_fault,
        srcinfo_fault=srcinfo_fault,
        warnings=(*config_file.warnings, *misspelt_keys(config_file)) if config_file else (),
        config_file=config_file,
        version_file=None if described is None else version_file_of(described),
    )


def _read_description(pkgbase: Pkgbase, files: Mapping[str, FolderFile], blobs: Mapping[Oid, bytes]) -> SrcInfo | None:
    """What `.CI/recipe.toml` says of a folder, else `.SRCINFO`; None without either."""
    described = _text(files, RECIPE_PATH, blobs)
    if described is not None:
        return parse_recipe_file(described, read=lambda path: _text(files, path, blobs)).srcinfo(pkgbase)
    text = _text(files, _SRCINFO_PATH, blobs)
    return None if text is None else SrcInfo.parse(text, file=_SRCINFO_PATH)


def _read_config(
    pkgbase: Pkgbase, text: bytes | None
) -> tuple[PackageConfig, ToolkitError | None, KeyValueFile | None]:
    if text is None:
        return PackageConfig(), None, None
    try:
        file = KeyValueFile.parse(text, file=CONFIG_PATH)
        return parse_package_config(file), None, file
    except (FormatError, ConfigError) as error:
        return PackageConfig(), error.located(package=pkgbase), None


def _text(files: Mapping[str, FolderFile], path: str, blobs: Mapping[Oid, bytes]) -> bytes | None:
    file = files.get(path)
    return blobs.get(file.oid) if file else None


def _watermark(content: bytes | None) -> int | None:
    text = (content or b"").strip()
    return int(text) if text.isdigit() and len(text) <= 12 else None
