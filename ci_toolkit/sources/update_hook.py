"""`.CI/update.sh`: a package's own way to bring itself up to date, run in the sandbox with the network on.

It gets a private copy of the package folder and nothing else: no token, no repository, no home. What it leaves there is
taken back if it is regular files; `.CI` stays as it was. As in the bash template it runs in the folder, with `-euo
pipefail` and the package's name in PACKAGE.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.effects.sandbox import Limits, Program
from ci_toolkit.errors import ProcessError, UpstreamError
from ci_toolkit.formats.git_objects import ObjectDraft, object_name
from ci_toolkit.model.observation import CouldNotAsk, Moved, NothingToPull, SourceOutcome, Unmoved, Unusable
from ci_toolkit.model.package import is_ours
from ci_toolkit.review.folder import FolderEntry, folder_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.formats.state import PackageState
    from ci_toolkit.model.names import Oid
    from ci_toolkit.model.observation import UpstreamFile
    from ci_toolkit.model.package import Package

HOOK_PATH = ".CI/update.sh"
_WORDS = ("bash", "-euo", "pipefail", HOOK_PATH)
_LIMITS = Limits(time_s=300.0, output_bytes=1 << 20, file_bytes=64 << 20, folder_bytes=128 << 20)


def wants_hook(package: Package, state: PackageState, outcome: SourceOutcome, *, in_review: bool) -> bool:
    """Whether a package's hook runs, given what its source said.

    Not while a version of its source waits for a review: the hook would start from the old one and replace the review.
    """
    if HOOK_PATH not in package.files or not isinstance(outcome, Moved | Unmoved | NothingToPull):
        return False
    waits = in_review and state.review_content is not None
    return isinstance(outcome, NothingToPull | Moved) or not waits


def run_hook(
    package: Package, outcome: SourceOutcome, files: Mapping[str, UpstreamFile], sandbox: Sandbox
) -> SourceOutcome:
    """What becomes of a source's outcome; `files` is the whole folder as it is in the repository, `.CI` included."""
    if isinstance(outcome, Moved):
        ours = {path: file for path, file in files.items() if is_ours(path)}
        before = {**outcome.files, **ours}
    else:
        before = dict(files)
    program = Program(words=_WORDS, network=True, variables={"PACKAGE": package.pkgbase}, limits=_LIMITS)
    try:
        left = sandbox.run(program, before).files
    except (ProcessError, UpstreamError) as error:
        return CouldNotAsk(reason=f"{HOOK_PATH}: {error.what}")
    theirs = {path: file for path, file in left.items() if not is_ours(path)}
    if theirs == {path: file for path, file in before.items() if not is_ours(path)}:
        # Without another source it is this hook that says that nothing is new.
        return Unmoved() if isinstance(outcome, NothingToPull) else outcome
    names = {path: (file.mode, object_name("blob", file.content)) for path, file in theirs.items()}
    entries = [FolderEntry(path=path, mode=mode, oid=oid) for path, (mode, oid) in names.items()]
    sizes = {names[path][1]: len(file.content) for path, file in theirs.items()}
    fault = folder_fault(entries, sizes, is_described=package.is_described)
    content = _content(names)
    if fault:
        return Unusable(revision=content, reason=f"{HOOK_PATH} leaves a folder that cannot be: {fault}")
    if isinstance(outcome, Moved):
        return replace(outcome, files=theirs)
    return Moved(revision=content, files=theirs, formatted=None)


def _content(names: Mapping[str, tuple[str, Oid]]) -> Oid:
    """A name for what a hook made, as its revision."""
    return ObjectDraft(hash_name="sha1").add_folder(dict(names))
