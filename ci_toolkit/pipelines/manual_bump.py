"""Rebuilds that a person asks for by a bump, which stays in the repository and counts up in the package's release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.deciding.bumps import Libraries
from ci_toolkit.formats.git_objects import FILE_MODE
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import nearest
from ci_toolkit.model.package_config import CONFIG_PATH
from ci_toolkit.model.package_lists import choose_names, split_list
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.commit_messages import BUMP_ACTION, list_message
from ci_toolkit.pipelines.editing import Edit, push_edit
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.scheduling.dependencies import dependants_of, deptree_records
from ci_toolkit.scheduling.schedule import make_schedule
from ci_toolkit.sources.databases import observe_databases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.observation import DatabaseReport
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.sources.spec import SourceTools

KEY = "CI_PACKAGE_BUMP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualBump:
    """One run for a list of packages, and for those that depend on any of `libraries`; both as they were written."""

    workshop: Workshop
    tools: Callable[[Snapshot], SourceTools]
    wanted: Sequence[str]
    libraries: Sequence[str] = ()
    dry_run: bool = False

    def run(self, snapshot: Snapshot) -> Outcome:
        """Push one commit with the next bump of each; the on-commit that follows builds them."""
        self._reasons(snapshot)  # a list that means nothing is refused before anything is asked
        report = observe_databases(self.tools(snapshot), snapshot.review.official_repositories)
        edit, seen, head = push_edit(
            self.workshop, snapshot, lambda now: self._decide(now, report), dry_run=self.dry_run
        )
        return Outcome(
            pipeline="bump",
            dry_run=self.dry_run,
            base=seen.heads.main,
            head=head,
            verdicts=edit.verdicts,
            schedule=make_schedule(seen, {}, commit=head),
            notes=(*self._without_dependants(seen), *(report.problems if report else ())),
            pushed=() if self.dry_run or edit.is_empty else (f"refs/heads/{seen.branch}",),
        )

    def _reasons(self, snapshot: Snapshot) -> dict[Pkgbase, str]:
        """The packages that are meant, each with why."""
        records = deptree_records(snapshot.packages.values())
        found: dict[Pkgbase, list[str]] = {}
        for library in split_list(self.libraries):
            for pkgbase in dependants_of(library, records):
                found.setdefault(pkgbase, []).append(library)
        reasons = {pkgbase: f"it depends on {', '.join(names)}" for pkgbase, names in found.items()}
        if self.wanted or not split_list(self.libraries):
            reasons |= dict.fromkeys(choose_names(self.wanted, snapshot.packages), "asked for")
        return dict(sorted(reasons.items()))

    def _without_dependants(self, snapshot: Snapshot) -> Iterator[str]:
        records = deptree_records(snapshot.packages.values())
        known = {name for record in records for name in (*record.names, *record.dependencies)}
        for library in split_list(self.libraries):
            if not dependants_of(library, records):
                hint = "" if library in known else nearest(library, known)
                yield f"no package depends on {library}{f'; {hint}' if hint else ''}"

    def _decide(self, snapshot: Snapshot, report: DatabaseReport | None) -> Edit:
        libraries = Libraries.compared(report, snapshot.state.versions)
        is_partial = bool(report and report.problems)
        verdicts = []
        files: dict[Pkgbase, dict[str, tuple[str, bytes]]] = {}
        for pkgbase, why in self._reasons(snapshot).items():
            package = snapshot.packages[pkgbase]
            config = libraries.bumped(package)
            fault = _fault(package, libraries, is_partial=is_partial)
            if fault is None and config is not None:
                files[pkgbase] = {CONFIG_PATH: (FILE_MODE, config)}
            verdicts.append(fault or _verdict(package, libraries, config, why))
        return Edit(message=list_message(BUMP_ACTION, "bumped", files), files=files, verdicts=tuple(verdicts))


def _fault(package: Package, libraries: Libraries, *, is_partial: bool) -> Verdict | None:
    """Why a package gets no bump; `is_partial`: a database could not be read."""
    if package.config_fault is not None:
        return Verdict(package=package.pkgbase, code=Code.BAD_CONFIG, why=package.config_fault.what_and_where)
    if package.config.manage_aur:
        why = "CI_MANAGE_AUR is true: a package that is pushed to the AUR ignores bumps"
        now = f"raise its pkgrel, or have it built with ci-toolkit schedule {package.pkgbase}"
        return Verdict(package=package.pkgbase, code=Code.NOT_BUMPED, why=why, now=now)
    if is_partial and package.pkgbase not in libraries.versions:
        why = "which version of it is published is not known: a package database could not be read"
        return Verdict(package=package.pkgbase, code=Code.UNREACHABLE, why=why, now="is not bumped; run it again")
    return None


def _verdict(package: Package, libraries: Libraries, config: bytes | None, why: str) -> Verdict:
    if config is None:
        fault = package.srcinfo_fault.what_and_where if package.srcinfo_fault else "it has no .SRCINFO"
        known = libraries.versions.get(package.pkgbase) or package.version
        text = f"{known!r} is no version that a bump could name" if known else f"no version of it is known: {fault}"
        return Verdict(package=package.pkgbase, code=Code.BAD_SRCINFO, why=text, now="is not bumped")
    bump = KeyValueFile.parse(config, file=CONFIG_PATH).get(KEY) or ""
    base, _, count = bump.rpartition("/")
    return Verdict(
        package=package.pkgbase,
        code=Code.BUMPED,
        why=why,
        now="the on-commit that follows the push builds it",
        old=_known(package, libraries, base),
        new=f"{base}.{count}",
    )


def _known(package: Package, libraries: Libraries, base: str) -> str | None:
    """What is published, or as far as that is not known what was asked for last."""
    published, bump = libraries.versions.get(package.pkgbase), package.config.bump
    if published is None and bump is not None and base == f"{bump.version}-{bump.release}":
        return f"{base}.{bump.count}"
    return published or package.version
