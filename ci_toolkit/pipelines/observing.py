"""Asking all upstreams at once; nothing is written, and whatever fails is an outcome of its package."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.names import Oid, Pkgbase, nearest
from ci_toolkit.model.observation import (
    CannotMake,
    CouldNotAsk,
    DatabaseReport,
    HeadReport,
    Moved,
    NewVersion,
    NothingToPull,
    Observation,
    Observations,
    SourceOutcome,
    SourceReport,
    UpstreamFile,
)
from ci_toolkit.model.vcs import followed
from ci_toolkit.pipelines.confirming import with_confirmations
from ci_toolkit.pipelines.described_version import described_version
from ci_toolkit.pipelines.evaluating import with_evaluations
from ci_toolkit.plugins import source_for
from ci_toolkit.sources.databases import observe_databases
from ci_toolkit.sources.spec import SourceRequest, SourceTools
from ci_toolkit.sources.update_hook import run_hook, wants_hook
from ci_toolkit.sources.vcs_heads import observe_heads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from ci_toolkit.effects.git_repository import Repository
    from ci_toolkit.effects.shfmt import Shfmt
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.recipes.makepkg.new_version import NewVersionMaker
    from ci_toolkit.sources.spec import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Asks upstreams about packages of a snapshot; `heavy` runs what takes processors and disk, not just waiting."""

    sources: Sequence[Source]
    tools: SourceTools
    shfmt: Shfmt
    repository: Repository
    maker: NewVersionMaker
    heavy: Executor

    def observe(self, snapshot: Snapshot, pkgbases: Iterable[Pkgbase]) -> Observations:
        """One observation for each of `pkgbases` whose configuration can be read."""
        packages = [snapshot.packages[pkgbase] for pkgbase in pkgbases]
        readable = [package for package in packages if package.config_fault is None]
        outcomes, by_kind = self._sort_out(readable, snapshot)
        # The kinds and the heads wait for the network at the same time; each spreads its own requests over the pool.
        with ThreadPoolExecutor(max_workers=len(by_kind) + 2, thread_name_prefix="source") as kinds:
            heads = kinds.submit(observe_heads, readable, self.tools)
            asked = kinds.submit(self._databases, snapshot, limited=len(packages) < len(snapshot.packages))
            reports = list(kinds.map(lambda source: source.observe(by_kind[source], self.tools), by_kind))
            found_heads = heads.result()
            databases = asked.result()
        for report in reports:
            outcomes.update(self._made(report, snapshot))
        outcomes.update(self._hooked(readable, outcomes, snapshot))
        next_heads = observe_heads(_following_another(readable, outcomes), self.tools)
        outcomes, blobs, formatted = self._formatted(outcomes, snapshot)
        before = _our_descriptions(outcomes, snapshot, blobs)
        outcomes = with_evaluations(outcomes, before, self.maker.makepkg, self.heavy)
        outcomes = with_confirmations(outcomes, snapshot, self.tools)
        return Observations(
            packages={
                package.pkgbase: _observation(package, outcomes, found_heads, next_heads) for package in readable
            },
            our_blobs=blobs,
            our_formatted=formatted,
            memory=_merged(reports),
            databases=databases,
        )

    def _databases(self, snapshot: Snapshot, *, limited: bool) -> DatabaseReport | None:
        """What the databases tell; a run that is limited to some packages needs no more of them than names.

        Versions that such a run learnt would move what the other packages are compared with.
        """
        official = snapshot.review.official_repositories
        if limited and not official:
            return None
        report = observe_databases(self.tools, official)
        return replace(report, versions={}) if report and limited else report

    def _sort_out(
        self, packages: Iterable[Package], snapshot: Snapshot
    ) -> tuple[dict[Pkgbase, SourceOutcome], dict[Source, list[SourceRequest]]]:
        outcomes: dict[Pkgbase, SourceOutcome] = {}
        by_kind: dict[Source, list[SourceRequest]] = {}
        for package in packages:
            text = "nvchecker" if package.config.nvchecker else package.config.source
            source = source_for(text, self.sources) if text else None
            if source is None:
                hint = nearest(text or "", [kind.name for kind in self.sources])
                unknown = CouldNotAsk(
                    reason=f"CI_PKGBUILD_SOURCE names no kind of source: {text!r}; {hint}".rstrip("; ")
                )
                outcomes[package.pkgbase] = unknown if text else NothingToPull()
                self.tools.done(package.pkgbase)
                continue
            state = snapshot.state.package(package.pkgbase)
            request = SourceRequest(
                package=package,
                text=text or "",
                revision=state.upstream_revision,
                timestamp_s=state.pkgbuild_timestamp,
            )
            by_kind.setdefault(source, []).append(request)
        return outcomes, by_kind

    def _made(self, report: SourceReport, snapshot: Snapshot) -> dict[Pkgbase, SourceOutcome]:
        """The outcomes of a kind, with files made for the versions that were announced."""
        finished: dict[Pkgbase, SourceOutcome] = {}
        announced: dict[Pkgbase, NewVersion] = {}
        for pkgbase, outcome in report.outcomes.items():
            if isinstance(outcome, NewVersion):
                announced[pkgbase] = outcome
            else:
                finished[pkgbase] = outcome
        folders = self._our_files(announced, snapshot, with_ours=False)

        def make(pkgbase: Pkgbase) -> SourceOutcome:
            package = snapshot.packages[pkgbase]
            srcinfo = package.srcinfo
            if package.is_described:
                return described_version(package, announced[pkgbase], folders[pkgbase])
            if srcinfo is None or "PKGBUILD" not in folders[pkgbase]:
                return CannotMake(version=announced[pkgbase].version, reason="PKGBUILD or .SRCINFO is missing")
            return self.maker.make(announced[pkgbase], folders[pkgbase], srcinfo)

        finished.update(zip(announced, self.heavy.map(make, announced), strict=True))
        return finished

    def _hooked(
        self, packages: Iterable[Package], outcomes: Mapping[Pkgbase, SourceOutcome], snapshot: Snapshot
    ) -> dict[Pkgbase, SourceOutcome]:
        """What the packages' own update hooks make of what their sources said."""
        due = [
            package
            for package in packages
            if wants_hook(
                package,
                snapshot.state.package(package.pkgbase),
                outcomes[package.pkgbase],
                in_review=package.pkgbase in snapshot.reviews,
            )
        ]
        folders = self._our_files([package.pkgbase for package in due], snapshot, with_ours=True)
        sandbox = self.maker.makepkg.sandbox
        results = self.heavy.map(
            lambda package: run_hook(package, outcomes[package.pkgbase], folders[package.pkgbase], sandbox), due
        )
        return {package.pkgbase: result for package, result in zip(due, results, strict=True)}

    def _our_files(
        self, pkgbases: Iterable[Pkgbase], snapshot: Snapshot, *, with_ours: bool
    ) -> dict[Pkgbase, dict[str, UpstreamFile]]:
        """The folders of some packages as they are in the repository, with or without what is the repository's own."""
        packages = [snapshot.packages[pkgbase] for pkgbase in pkgbases]
        listings = {one.pkgbase: one.files if with_ours else one.upstream_files() for one in packages}
        blobs = self.repository.read_blobs({file.oid for listing in listings.values() for file in listing.values()})
        return {
            pkgbase: {
                path: UpstreamFile(mode=file.mode, content=blobs[file.oid])
                for path, file in listing.items()
                if file.oid in blobs
            }
            for pkgbase, listing in listings.items()
        }

    def _formatted(
        self, outcomes: Mapping[Pkgbase, SourceOutcome], snapshot: Snapshot
    ) -> tuple[dict[Pkgbase, SourceOutcome], dict[Oid, bytes], dict[Oid, bytes | None]]:
        """Format the PKGBUILDs that came in, and ours beside them, in one go; and read what they are compared with."""
        moved = {pkgbase: outcome for pkgbase, outcome in outcomes.items() if isinstance(outcome, Moved)}
        folders = [snapshot.packages[pkgbase].upstream_files() for pkgbase in moved]
        blobs = self.repository.read_blobs({file.oid for folder in folders for file in folder.values()})
        pkgbuilds = [folder["PKGBUILD"].oid for folder in folders if "PKGBUILD" in folder]
        ours = {oid: blobs[oid] for oid in pkgbuilds}
        theirs = {
            pkgbase: outcome.files["PKGBUILD"].content
            for pkgbase, outcome in moved.items()
            if "PKGBUILD" in outcome.files
        }
        formatted = self.shfmt.format([*ours.values(), *theirs.values()], editorconfig=snapshot.editorconfig)
        finished = {pkgbase: replace(moved[pkgbase], formatted=formatted[text]) for pkgbase, text in theirs.items()}
        return {**outcomes, **finished}, blobs, {oid: formatted[text] for oid, text in ours.items()}


def _our_descriptions(
    outcomes: Mapping[Pkgbase, SourceOutcome], snapshot: Snapshot, blobs: Mapping[Oid, bytes]
) -> dict[Pkgbase, tuple[bytes, bytes]]:
    """PKGBUILD and `.SRCINFO` of ours, where the upstream moved and there is a PKGBUILD."""
    listings = {
        pkgbase: snapshot.packages[pkgbase].upstream_files()
        for pkgbase, outcome in outcomes.items()
        if isinstance(outcome, Moved)
    }
    return {
        pkgbase: (blobs[files["PKGBUILD"].oid], blobs[files[".SRCINFO"].oid] if ".SRCINFO" in files else b"")
        for pkgbase, files in listings.items()
        if "PKGBUILD" in files
    }


def _following_another(packages: Iterable[Package], outcomes: Mapping[Pkgbase, SourceOutcome]) -> Iterator[Package]:
    """Packages as they would be with their upstream's new version, where that follows another head."""
    for package in packages:
        outcome = outcomes.get(package.pkgbase)
        if not package.is_vcs or not isinstance(outcome, Moved):
            continue
        try:
            srcinfo = SrcInfo.parse(outcome.files[".SRCINFO"].content, file=".SRCINFO")
        except FormatError:
            continue  # the decision says so
        coming = replace(package, srcinfo=srcinfo)
        if followed(coming) != followed(package):
            yield coming


def _observation(
    package: Package,
    outcomes: Mapping[Pkgbase, SourceOutcome],
    heads: Mapping[Pkgbase, HeadReport],
    next_heads: Mapping[Pkgbase, HeadReport],
) -> Observation:
    coming = next_heads.get(package.pkgbase)
    return Observation(
        asked=package.config.source,
        source=outcomes.get(package.pkgbase) or CouldNotAsk(reason="its kind of source gave no answer for it"),
        head=heads[package.pkgbase].head,
        next_head=coming.head if coming else None,
        further=heads[package.pkgbase].further,
    )


def _merged(reports: Iterable[SourceReport]) -> dict[str, str]:
    return {key: value for report in reports for key, value in report.memory.items()}
