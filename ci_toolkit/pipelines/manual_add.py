"""Packages that a person adds, as their upstreams have them now, with what else has to come for them to be built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, ToolkitError, UpstreamError
from ci_toolkit.model.additions import AUR, DependencyTree, Request, Wish
from ci_toolkit.model.verdict import Code, Verdict
from ci_toolkit.pipelines.additions import Additions
from ci_toolkit.pipelines.commit_messages import ADD_ACTION, list_message
from ci_toolkit.pipelines.editing import Edit, push_edit
from ci_toolkit.pipelines.judging_new import NewJudging
from ci_toolkit.pipelines.missing_dependencies import (
    DependencySearch,
    needs_of,
    official_names,
    own_names,
)
from ci_toolkit.pipelines.new_folders import FolderFetcher, NewFolder
from ci_toolkit.pipelines.outcome import Outcome
from ci_toolkit.review.assessing import Judge
from ci_toolkit.review.official import offered_names
from ci_toolkit.scheduling.schedule import make_schedule
from ci_toolkit.sources.aur_directory import fetch_directory
from ci_toolkit.sources.aur_lookup import names_in_aur

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ci_toolkit.backends.spec import Backend
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.pipelines.observing import Observer
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.review.spec import ReviewRules
    from ci_toolkit.sources.aur_lookup import AurTools


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAdd:
    """One run for a list of wishes; `with_dependencies` adds also what they need and only the AUR has."""

    workshop: Workshop
    observer: Observer
    aur: AurTools
    backend: Backend
    review_rules: tuple[ReviewRules, ...]
    wishes: Sequence[Wish]
    request: Request
    with_dependencies: bool = False
    dry_run: bool = False

    def run(self, snapshot: Snapshot) -> Outcome:
        """Push one commit with the new folders; ConfigError, and nothing at all, where a wish cannot be had."""
        self._refuse_names([wish.pkgbase for wish in self.wishes], snapshot)
        here = own_names(snapshot)
        official = official_names(self.observer.tools) if self.with_dependencies else frozenset()
        folders = self._fetched([wish for wish in self.wishes if wish.pkgbase not in snapshot.packages])
        coming = _by_name(folders, snapshot)
        tree = self._tree(coming, official | here) if self.with_dependencies and coming else None
        if tree:
            brought = dict.fromkeys(pkgbase for root in tree.roots for pkgbase in tree.below(root))
            more = [Wish(pkgbase=pkgbase, source=AUR) for pkgbase in brought if pkgbase not in coming]
            self._refuse_names([wish.pkgbase for wish in more], snapshot)
            coming |= _by_name(self._fetched(more, are_bases=True), snapshot)
        judging = NewJudging(observer=self.observer, judge=Judge.of(snapshot.review, self.review_rules))
        judged = judging.judge_all(coming, editorconfig=snapshot.editorconfig)
        additions = Additions(
            folders=coming, tree=tree or DependencyTree(roots=tuple(coming)), request=self.request, judged=judged
        )
        edit, seen, head = push_edit(
            self.workshop, snapshot, lambda now: self._decide(now, additions, folders), dry_run=self.dry_run
        )
        return Outcome(
            pipeline="add",
            dry_run=self.dry_run,
            base=seen.heads.main,
            head=head,
            verdicts=edit.verdicts,
            schedule=make_schedule(seen, {}, commit=head),
            notes=tuple(_notes(tree)) if self.with_dependencies else tuple(self._hints(coming, here)),
            new=tuple(subject for _, subject in judged.values()),
            tree=tree,
            pushed=() if self.dry_run or edit.is_empty else (f"refs/heads/{seen.branch}",),
        )

    def _refuse_names(self, pkgbases: Iterable[Pkgbase], snapshot: Snapshot) -> None:
        """ConfigError for names that no package of this repository can have."""
        taken = {entry.name for entry in snapshot.root} - snapshot.packages.keys()
        faults = []
        for pkgbase in pkgbases:
            fault = self.backend.name_fault(pkgbase)
            if pkgbase in taken:
                faults.append(f"{pkgbase}: something that is no package is called so here")
            elif fault and pkgbase not in snapshot.packages:
                faults.append(f"{pkgbase}: {fault}")
        if faults:
            raise ConfigError("; ".join(faults), hint="nothing was added")

    def _fetched(self, wishes: Sequence[Wish], *, are_bases: bool = False) -> dict[Wish, NewFolder]:
        """A folder for every wish; an error that names all of which there is none."""
        fetcher = FolderFetcher(sources=self.observer.sources, tools=self.observer.tools, aur=self.aur)
        found = fetcher.fetch(wishes, are_bases=are_bases)
        missing = {wish: error for wish, error in found.items() if isinstance(error, ToolkitError)}
        if missing:
            told = "; ".join(self._told(wish, error) for wish, error in missing.items())
            unasked = all(isinstance(error, UpstreamError) for error in missing.values())
            raise (UpstreamError if unasked else ConfigError)(told, hint="nothing was added")
        return {wish: folder for wish, folder in found.items() if isinstance(folder, NewFolder)}

    def _told(self, wish: Wish, error: ToolkitError) -> str:
        hint = self._nearest(wish.pkgbase) if wish.source == AUR and isinstance(error, ConfigError) else ""
        text = error.what if error.got == wish.pkgbase else f"{wish.pkgbase}: {error.what}"
        return f"{text}, {hint}" if hint else text

    def _nearest(self, name: str) -> str:
        try:
            return fetch_directory(self.aur).nearest(name)
        except UpstreamError:
            return ""

    def _tree(self, coming: Mapping[Pkgbase, NewFolder], here: frozenset[str]) -> DependencyTree:
        """What has to come too. Of a folder that must not be taken nothing is known, and nothing comes with it."""
        search = DependencySearch(directory=fetch_directory(self.aur), here=here)
        described = {pkgbase: folder.srcinfo for pkgbase, folder in coming.items() if folder.srcinfo}
        return replace(search.tree(described), roots=tuple(coming))

    def _hints(self, coming: Mapping[Pkgbase, NewFolder], here: frozenset[str]) -> Iterator[str]:
        """Dependencies that only the AUR has, and with databases also those that nobody is known to have."""
        needs = {pkgbase: needs_of(folder.srcinfo) for pkgbase, folder in coming.items() if folder.srcinfo}
        here |= offered_names(folder.srcinfo for folder in coming.values() if folder.srcinfo)
        missing = frozenset().union(*needs.values()) - here
        official: frozenset[str] | None = None
        if missing and self.observer.tools.settings.lib_databases:
            try:
                official = official_names(self.observer.tools)
            except UpstreamError as error:
                yield error.what
        missing -= official or frozenset()
        # Nothing in the AUR is called as something official is, so this is of use without databases, too.
        found = names_in_aur(sorted(missing), self.aur) if missing else frozenset()
        if found is None:
            yield "which dependencies only the AUR has is not known: its interface cannot be asked"
            return
        for pkgbase, names in needs.items():
            if there := sorted(names & missing & found):
                yield f"{pkgbase} needs {', '.join(there)} of the AUR; --with-deps adds what is missing"
            if official is not None and (unknown := sorted((names & missing) - found)):
                yield f"{pkgbase} needs {', '.join(unknown)}, which no package here nor in a database is or provides"

    def _decide(self, snapshot: Snapshot, additions: Additions, folders: Mapping[Wish, NewFolder]) -> Edit:
        self._refuse_names(additions.folders, snapshot)
        files, verdicts = additions.decide(snapshot)
        named = {folders[wish].pkgbase if wish in folders else wish.pkgbase: wish for wish in self.wishes}
        present = [
            Verdict(package=pkgbase, code=Code.PRESENT, why=_why_present(wish, pkgbase), now="is left as it is")
            for pkgbase, wish in named.items()
            if pkgbase in snapshot.packages
        ]
        return Edit(message=list_message(ADD_ACTION, "added", files), files=files, verdicts=(*verdicts, *present))


def _by_name(folders: Mapping[Wish, NewFolder], snapshot: Snapshot) -> dict[Pkgbase, NewFolder]:
    return {folder.pkgbase: folder for folder in folders.values() if folder.pkgbase not in snapshot.packages}


def _why_present(wish: Wish, pkgbase: Pkgbase) -> str:
    return "it is in the repository already" if wish.pkgbase == pkgbase else f"{wish.pkgbase} is a package of it"


def _notes(tree: DependencyTree | None) -> Iterator[str]:
    for pkgbase, names in tree.unknown.items() if tree else ():
        yield f"{pkgbase} needs {', '.join(names)}, which is neither here nor in any package database nor in the AUR"
