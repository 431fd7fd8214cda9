"""New content of a package folder, with everything that is found in it, compared with what the repository has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.deciding.content import content_of
from ci_toolkit.formats.git_objects import ObjectDraft, object_name
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.plan import Change
from ci_toolkit.review.assessing import Judge, asked_by_source
from ci_toolkit.review.rules import CANNOT_TELL, Place, found
from ci_toolkit.review.trust import trust_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.formats.srcinfo import SrcInfo
    from ci_toolkit.formats.state import PackageState
    from ci_toolkit.model.finding import Assessment, Finding
    from ci_toolkit.model.observation import Moved, Observations
    from ci_toolkit.model.package import Package, Snapshot

_PKGBUILD = "PKGBUILD"


@dataclass(frozen=True, slots=True)
class ChangeJudging:
    """What a package's upstream brings, judged. `known_people` are all maintainers remembered, folded."""

    snapshot: Snapshot
    observations: Observations
    judge: Judge
    known_people: frozenset[str]

    def change(self, package: Package, moved: Moved, srcinfo: SrcInfo, state: PackageState) -> Change | None:
        """The change; None when what is compared with was not read, because it came while upstreams were asked."""
        files = dict(moved.files)
        if moved.formatted is not None:
            files[_PKGBUILD] = replace(files[_PKGBUILD], content=moved.formatted)
        assessment = self._assess(package, moved, files, state)
        if assessment is None:
            return None
        hash_name = self.snapshot.hash_name
        names = {
            path: (file.mode, object_name("blob", file.content, hash_name=hash_name)) for path, file in files.items()
        }
        return Change(
            pkgbase=package.pkgbase,
            files=files,
            content=ObjectDraft(hash_name=hash_name).add_folder(names),
            revision=moved.revision,
            old_version=package.version,
            new_version=srcinfo.version,
            assessment=assessment,
            maintainers=moved.maintainers,
            old_maintainers=state.maintainers,
            link=moved.link,
        )

    def is_ours_already(self, package: Package, change: Change) -> bool:
        """Whether the folder has this content, but for the formatting of PKGBUILD."""
        ours = package.upstream_files()
        pkgbuild, theirs = ours.get(_PKGBUILD), change.files.get(_PKGBUILD)
        if pkgbuild is not None and theirs is not None and theirs.mode == pkgbuild.mode:
            formatted = self.observations.our_formatted.get(pkgbuild.oid)
            if formatted == theirs.content:
                blob = object_name("blob", theirs.content, hash_name=self.snapshot.hash_name)
                ours[_PKGBUILD] = replace(pkgbuild, oid=blob)
        return change.content == content_of(ours, self.snapshot.hash_name)

    def _assess(
        self, package: Package, moved: Moved, files: dict[str, UpstreamFile], state: PackageState
    ) -> Assessment | None:
        """What is found in what would be committed, which is what would be built."""
        blobs = self.observations.our_blobs
        ours = package.upstream_files()
        if any(file.oid not in blobs for file in ours.values()):
            return None
        return self.judge.assess(
            {path: UpstreamFile(mode=file.mode, content=blobs[file.oid]) for path, file in ours.items()},
            files,
            allowed=package.config.allow_patterns,
            evaluated=moved.evaluated,
            also=self._besides_files(moved, state),
        )

    def _besides_files(self, moved: Moved, state: PackageState) -> Iterator[Finding]:
        yield from trust_findings(
            state.maintainers,
            moved.maintainers,
            self.snapshot.trusted_maintainers,
            known=self.known_people,
            had_record=state.upstream_revision is not None or state.pkgbuild_timestamp is not None,
        )
        yield from moved.unconfirmed
        if moved.review:
            yield asked_by_source(moved.review)
        if moved.formatted is None and _PKGBUILD in moved.files:
            yield found(CANNOT_TELL, Place(), "PKGBUILD is no script that the formatter understands.")
