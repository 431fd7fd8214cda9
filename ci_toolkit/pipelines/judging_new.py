"""New folders as they would be committed, with PKGBUILD formatted, and what is found in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.model.observation import Moved
from ci_toolkit.pipelines.asked_review import review_of_sides
from ci_toolkit.pipelines.evaluating import with_evaluations
from ci_toolkit.pipelines.sides import NOTHING, Side, refusal
from ci_toolkit.review.rules import CANNOT_TELL, Place, found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.pipelines.new_folders import NewFolder
    from ci_toolkit.pipelines.observing import Observer
    from ci_toolkit.review.assessing import Judge
    from ci_toolkit.review.subject import ReviewSubject

_PKGBUILD = "PKGBUILD"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJudging:
    """Judges them as an update that changes everything would be."""

    observer: Observer
    judge: Judge

    def judge_all(
        self, folders: Mapping[Pkgbase, NewFolder], *, editorconfig: bytes | None
    ) -> dict[Pkgbase, tuple[NewFolder, ReviewSubject]]:
        """Each folder with its final files, and its review."""
        whole = {pkgbase: folder for pkgbase, folder in folders.items() if not folder.fault}
        texts = {pkgbase: folder.files[_PKGBUILD].content for pkgbase, folder in whole.items()}
        formatted = self.observer.shfmt.format(texts.values(), editorconfig=editorconfig)
        moved = {
            pkgbase: Moved(revision=folder.revision, files=folder.files, formatted=formatted[texts[pkgbase]])
            for pkgbase, folder in whole.items()
        }
        evaluated = with_evaluations(moved, {}, self.observer.maker.makepkg, self.observer.heavy)
        results = {}
        for pkgbase, folder in folders.items():
            outcome = evaluated.get(pkgbase)
            results[pkgbase] = self._one(folder, outcome if isinstance(outcome, Moved) else None)
        return results

    def _one(self, folder: NewFolder, moved: Moved | None) -> tuple[NewFolder, ReviewSubject]:
        files = dict(folder.files)
        also = []
        if moved is not None and moved.formatted is not None:
            files[_PKGBUILD] = replace(files[_PKGBUILD], content=moved.formatted)
        elif moved is not None:
            also.append(found(CANNOT_TELL, Place(), "PKGBUILD is no script that the formatter understands."))
        new = Side(
            files=files,
            name=folder.pkgbase,
            revision=folder.revision,
            refused=(refusal(folder.fault),) if folder.fault else (),
        )
        subject = review_of_sides(NOTHING, new, self.judge, evaluated=moved.evaluated if moved else None, also=also)
        subject = replace(
            subject,
            pkgbase=folder.pkgbase,
            maintainers=folder.maintainers,
            upstream=folder.wish.source,
            link=folder.link,
        )
        return replace(folder, files=files), subject
