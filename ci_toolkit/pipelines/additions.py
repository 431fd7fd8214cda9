"""What is written of new packages, and what is said of each: none comes without all that it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.formats.git_objects import FILE_MODE
from ci_toolkit.model.additions import INFO_PATH, DependencyTree, Request, config_file
from ci_toolkit.model.package_config import CONFIG_PATH
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.review.subject import tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.new_folders import NewFolder
    from ci_toolkit.review.subject import ReviewSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """Everything that may be added, judged."""

    folders: Mapping[Pkgbase, NewFolder]
    tree: DependencyTree
    request: Request
    judged: Mapping[Pkgbase, tuple[NewFolder, ReviewSubject]]

    def decide(self, snapshot: Snapshot) -> tuple[dict[Pkgbase, dict[str, tuple[str, bytes]]], list[Verdict]]:
        """What is written of each package that is still missing, and what is said of all of them."""
        missing = self.judged.keys() - snapshot.packages.keys()
        refused = {pkgbase for pkgbase, (_, subject) in self.judged.items() if subject.assessment.verdict == "refuse"}
        added: dict[Pkgbase, dict[str, tuple[str, bytes]]] = {}
        verdicts: dict[Pkgbase, Verdict] = {}
        for root in self.tree.roots:
            together = [pkgbase for pkgbase in self.tree.below(root) if pkgbase in missing]
            blocking = sorted(refused.intersection(together))
            for pkgbase in blocking:
                verdicts[pkgbase] = self._refused(pkgbase)
            if blocking and root not in refused and root in together:
                why = f"it needs {', '.join(blocking)}, which must not be taken"
                verdicts[root] = Verdict(package=root, code=Code.REFUSED, why=why, now="is not added")
            for pkgbase in together if not blocking else ():
                added[pkgbase] = self._files(pkgbase)
                verdicts[pkgbase] = self._added(pkgbase)
        return added, [verdicts[pkgbase] for pkgbase in sorted(verdicts)]

    def _files(self, pkgbase: Pkgbase) -> dict[str, tuple[str, bytes]]:
        folder, _ = self.judged[pkgbase]
        files = {path: (file.mode, file.content) for path, file in folder.files.items()}
        info = self._request(pkgbase).file()
        return {
            **files,
            CONFIG_PATH: (FILE_MODE, config_file(folder.wish.source)),
            **({INFO_PATH: (FILE_MODE, info)} if info else {}),
        }

    def _request(self, pkgbase: Pkgbase) -> Request:
        if pkgbase in self.tree.roots:
            return self.request
        return replace(self.request, reason=f"needed by {', '.join(self.tree.needed_by(pkgbase))}")

    def _added(self, pkgbase: Pkgbase) -> Verdict:
        folder, subject = self.judged[pkgbase]
        why = "asked for" if pkgbase in self.tree.roots else f"needed by {', '.join(self.tree.needed_by(pkgbase))}"
        if folder.wish.pkgbase != pkgbase:
            why = f"{folder.wish.pkgbase} is a package of it"
        findings = tally(subject.findings)
        return Verdict(
            package=pkgbase,
            code=Code.ADDED,
            why=f"{why}, from {folder.wish.source}{f'; found: {findings}' if findings else ''}",
            now="the on-commit that follows the push builds it",
            new=subject.new_version,
        )

    def _refused(self, pkgbase: Pkgbase) -> Verdict:
        _, subject = self.judged[pkgbase]
        worst = subject.findings[0]
        why = f"it must not be taken: {worst.text}"
        return Verdict(package=pkgbase, code=Code.REFUSED, why=why, now="is not added", new=subject.new_version)
