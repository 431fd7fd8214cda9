"""Taking over a repository that the bash template runs, in one commit, and giving it back in one more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.backends.spec import build_fault
from ci_toolkit.deciding.two_readings import Difference, package_differences, settings_differences
from ci_toolkit.effects.template_files import is_template_path, is_template_version
from ci_toolkit.errors import GitError, RefusedError
from ci_toolkit.formats.git_objects import FILE_MODE, Identity, ObjectDraft
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import SETTINGS_PATH, Settings, parse_settings
from ci_toolkit.pipelines.caller_files import Service, caller_files
from ci_toolkit.pipelines.reading import ARTIFACTS, read_packages
from ci_toolkit.pipelines.tree_edits import Files, files_of, tree_with
from ci_toolkit.plugins import load_backend, load_sources, source_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.git_repository import ListedFile
    from ci_toolkit.model.names import Oid
    from ci_toolkit.pipelines.workshop import Workshop

ASIDE = ".ci/before-ci-toolkit"
_ADOPTED, _RETURNED = "Adopted-With", "Returned-From"
_EXTRA_JOBS = re.compile(r"\.gitlab-ci-[^/]*\.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What the commit does and what will be different; `aside` maps edited files to where they are kept."""

    commit: Oid
    removed: tuple[str, ...]
    written: tuple[str, ...]
    aside: Mapping[str, str]
    left: tuple[str, ...]
    differences: tuple[Difference, ...]
    settings: Settings
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """One conversion of the commit that is checked out."""

    workshop: Workshop
    service: Service

    def run(self) -> Adoption:
        """Make the commit; no branch points to it yet. RefusedError where there is nothing to convert."""
        repository = self.workshop.repository
        head = _head(self.workshop)
        listing = repository.list_tree(head)
        files = files_of(listing)
        objects = ObjectDraft(hash_name=repository.hash_name)
        changes, aside = self._changes(files, objects)
        packages, strays, top = read_packages(repository, listing)
        config = KeyValueFile.parse(top.get(SETTINGS_PATH, b""), file=SETTINGS_PATH)
        settings = parse_settings(config, self.workshop.environ)
        sources, backend = load_sources(), load_backend(settings.backend)
        differences = (
            *settings_differences(config),
            *package_differences(
                packages,
                fault_of=lambda package: build_fault(backend, package),
                is_source=lambda text: source_for(text, sources) is not None,
            ),
            *(Difference(package=name, what="folder", old="a package", new=str(why)) for name, why in strays.items()),
        )
        message = f"chore(ci): adopt ci-toolkit\n\n{_ADOPTED}: ci-toolkit on {self.service}\n"
        commit = _commit(self.workshop, objects, listing, changes, settings, message)
        return Adoption(
            commit=commit,
            removed=tuple(sorted(path for path, file in changes.items() if file is None and path not in aside)),
            written=tuple(sorted(caller_files(self.service))),
            aside=aside,
            left=tuple(sorted(path for path in files if _EXTRA_JOBS.fullmatch(path))),
            differences=differences,
            settings=settings,
            packages=len(packages),
        )

    def _changes(self, files: Files, objects: ObjectDraft) -> tuple[dict[str, tuple[str, Oid] | None], dict[str, str]]:
        """What becomes of each file, and where those of the template's that somebody edited are kept."""
        of_template = [path for path in files if is_template_path(path)]
        if not of_template:
            raise RefusedError(
                "there is no file of the bash template here", hint="ci-toolkit init writes what a new repository needs"
            )
        contents = self.workshop.repository.read_blobs(files[path][1] for path in of_template)
        changes: dict[str, tuple[str, Oid] | None] = {path: None for path in ARTIFACTS if path in files}
        aside: dict[str, str] = {}
        callers = caller_files(self.service)
        for path in of_template:
            content = contents[files[path][1]]
            if content == callers.get(path):
                continue
            changes[path] = None
            if not is_template_version(path, content):
                aside[path] = f"{ASIDE}/{path.removeprefix('.ci/')}"
                changes[aside[path]] = files[path]
        for path, content in callers.items():
            if path in files and path not in of_template:
                raise RefusedError(f"{path} is there already", hint="move it away, or write the callers by hand")
            changes[path] = (FILE_MODE, objects.add("blob", content))
        return changes, aside


def undo_adoption(workshop: Workshop) -> tuple[Oid, tuple[str, ...]]:
    """A commit that takes the adoption back, with the paths that it restores; RefusedError when it cannot be."""
    repository = workshop.repository
    head = _head(workshop)
    found = repository.git.run(
        *("log", "--max-count=1", "--format=%H%n%B", "--extended-regexp", f"--grep=^({_ADOPTED}|{_RETURNED}): "),
        *("--end-of-options", head, "--"),
    ).stdout.decode(errors="replace")
    adopted, _, message = found.partition("\n")
    if not adopted or f"\n{_RETURNED}: " in message:
        raise RefusedError("nothing to undo: no adoption is in the history, or it was taken back already")
    before, after, now = (files_of(repository.list_tree(name)) for name in (f"{adopted}^", adopted, head))
    touched = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    later = [path for path in touched if now.get(path) != after.get(path)]
    if later:
        raise RefusedError(
            f"{', '.join(later)} changed since the adoption {adopted[:10]}", hint="undo that first, or revert by hand"
        )
    objects = ObjectDraft(hash_name=repository.hash_name)
    listing = repository.list_tree(head)
    _, _, top = read_packages(repository, listing)
    config = KeyValueFile.parse(top.get(SETTINGS_PATH, b""), file=SETTINGS_PATH)
    text = f"chore(ci): return from ci-toolkit\n\n{_RETURNED}: ci-toolkit, adopted in {adopted}\n"
    changes = {path: before.get(path) for path in touched}
    return _commit(workshop, objects, listing, changes, parse_settings(config, {}), text), tuple(touched)


def take_up(workshop: Workshop, commit: Oid, *, branch: str | None) -> str:
    """Point `branch`, a new one, to the commit, or move on what is checked out; gives the name of what points to it."""
    git = workshop.repository.git
    if branch is not None:
        git.run("branch", "--no-track", "--", branch, commit)
        return branch
    if workshop.repository.top is None:
        raise GitError("nothing is checked out here", hint="name a new branch with --new-branch")
    git.run(f"--work-tree={workshop.repository.top}", "merge", "--quiet", "--ff-only", "--end-of-options", commit)
    return git.run("rev-parse", "--abbrev-ref", "HEAD").stdout.decode().strip()


def _head(workshop: Workshop) -> Oid:
    head = workshop.repository.resolve("HEAD^{commit}")
    if head is None:
        raise GitError("nothing is committed here yet")
    return head


def _commit(
    workshop: Workshop,
    objects: ObjectDraft,
    listing: tuple[ListedFile, ...],
    changes: Mapping[str, tuple[str, Oid] | None],
    settings: Settings,
    message: str,
) -> Oid:
    """The commit on top of what is checked out, its objects written."""
    identity = Identity(name=settings.author_name, email=settings.author_email, seconds=workshop.style().now_s)
    tree = tree_with(objects, listing, changes)
    commit = objects.add_commit(tree=tree, parents=(_head(workshop),), identity=identity, message=message)
    workshop.repository.write_objects(objects)
    return commit
