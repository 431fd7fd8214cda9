"""What one package's observation leads to; nothing that another package's upstream does changes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci_toolkit.deciding.content import content_of
from ci_toolkit.deciding.heads import HeadDecision, decide_heads
from ci_toolkit.deciding.people import (
    with_applied,
    with_merged_review,
    with_review,
    with_same_content,
    with_unmoved,
)
from ci_toolkit.errors import FormatError, shortened
from ci_toolkit.formats.dates import format_time
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, version_in
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.formats.state import HeldRevision
from ci_toolkit.formats.version import is_version_text
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.names import review_branch
from ci_toolkit.model.observation import (
    Absent,
    CannotMake,
    CouldNotAsk,
    Lagging,
    Moved,
    NothingToPull,
    Observation,
    Observations,
    Unmoved,
    Unusable,
)
from ci_toolkit.model.plan import Change, PackageDecision
from ci_toolkit.model.verdict import Code, Verdict, Weight
from ci_toolkit.review.cooldown import held_until, public_since
from ci_toolkit.review.trust import is_trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ci_toolkit.deciding.bumps import Libraries, LibraryChange
    from ci_toolkit.deciding.changes import ChangeJudging
    from ci_toolkit.formats.state import PackageState, ReviewRecord
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Package, Snapshot
    from ci_toolkit.review.spec import ReviewRules


_LONGEST_LINE = 80
_LONGEST_LIST = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a decision depends on besides snapshot and observations.

    `selected` None: every package. `refused_pushes` are reviews whose branch the remote would not take. `build_fault`
    is the backend's word on what it would not build, `now_s` the time in unix seconds, `plugins` add rules to reviews.
    """

    build_fault: Callable[[Package], str | None]
    now_s: int
    selected: frozenset[Pkgbase] | None = None
    refused_pushes: Mapping[Pkgbase, str] = field(default_factory=dict)
    plugins: tuple[ReviewRules, ...] = ()

    def includes(self, pkgbase: Pkgbase) -> bool:
        """Whether this run is about a package."""
        return self.selected is None or pkgbase in self.selected


@dataclass(frozen=True, slots=True)
class PackageDeciding:
    """One package's decision in the making."""

    snapshot: Snapshot
    observations: Observations
    circumstances: Circumstances
    package: Package
    before: Verdict | None
    libraries: Libraries
    judging: ChangeJudging

    @property
    def state(self) -> PackageState:
        """What is remembered of it."""
        state = self.snapshot.state.package(self.package.pkgbase)
        if state.review_maintainers is None:
            return state
        return with_merged_review(state, content_of(self.package.upstream_files(), self.snapshot.hash_name))

    @property
    def review(self) -> ReviewRecord | None:
        """Its review branch."""
        return self.snapshot.reviews.get(self.package.pkgbase)

    def decide(self) -> PackageDecision:
        """The decision, with its verdict."""
        package, state = self.package, self.state
        if package.config_fault is not None:
            return self._stays(Code.BAD_CONFIG, package.config_fault.what_and_where)
        observation = self.observations.packages.get(package.pkgbase)
        if observation is None or observation.asked != package.config.source:
            return self._stays(Code.APPEARED, "it came, or its source changed, while upstreams were asked")
        decision = self._decide_source(observation)
        head = decide_heads(state, observation, changed=decision.applied)
        return self._combine(decision, head)

    def _decide_source(self, observation: Observation) -> PackageDecision:
        match observation.source:
            case NothingToPull():
                return self._without_upstream()
            case CouldNotAsk(reason=reason):
                return self._stays(Code.UNREACHABLE, reason)
            case Lagging(reason=reason):
                return self._stays(Code.LAGGING, reason)
            case Absent(reason=reason):
                return self._stays(Code.ABSENT, reason)
            case CannotMake(version=version, reason=reason):
                return self._cannot_make(version, reason)
            case Unmoved() as unmoved:
                return self._unmoved(unmoved)
            case Unusable(revision=revision, reason=reason, timestamp_s=timestamp_s):
                return self._refused(revision, reason, timestamp_s)
            case Moved() as moved:
                return self._moved(moved)

    def _without_upstream(self) -> PackageDecision:
        state = replace(self.state, pkgbuild_timestamp=None, upstream_revision=None, held=None)
        if self.package.config.source is None:
            why = "CI_PKGBUILD_SOURCE is not set; set it to custom if that is on purpose"
            return self._decision(Code.NO_SOURCE, why, state=state)
        return self._decision(Code.NOTHING_TO_PULL, "its source is custom", state=state)

    def _cannot_make(self, version: str, reason: str) -> PackageDecision:
        versions = (self.package.version, version)
        return self._decision(Code.UNMAKEABLE, reason, now="stays due", versions=versions)

    def _unmoved(self, unmoved: Unmoved) -> PackageDecision:
        known = unmoved.revision or self.state.upstream_revision
        refused = self.before is not None and self.before.code in (Code.REFUSED, Code.REFUSED_BEFORE)
        state = replace(self.state, pkgbuild_timestamp=unmoved.timestamp_s, upstream_revision=known)
        state = with_unmoved(state, unmoved.maintainers, refused=refused)
        pending = state.review_content
        if pending is None:
            first = self.state.upstream_revision is None and self.state.pkgbuild_timestamp is None
            if first:
                why = "nothing was known of it; what is in the repository now is the baseline"
                return self._decision(Code.BASELINE, why, state=state)
            if self.before is not None and refused:
                return self._decision(
                    Code.REFUSED_BEFORE, self.before.why, state=state, now="waits for a newer revision"
                )
            return self._decision(Code.UNCHANGED, "its upstream has not moved", state=state)
        if pending == content_of(self.package.upstream_files(), self.snapshot.hash_name):
            state = replace(state, review_content=None)
            return self._decision(Code.UNCHANGED, "its reviewed update has been merged", state=state)
        if self.review is not None:
            now = f"merge or close branch {review_branch(self.package.pkgbase)}"
            return self._decision(Code.REVIEW_PENDING, "its update waits for a review", state=state, now=now)
        why = "its review was closed without merging"
        return self._decision(Code.REVIEW_CLOSED, why, state=state, now="waits for a newer revision")

    def _refused(self, revision: str, reason: str, timestamp_s: int | None) -> PackageDecision:
        state = replace(self.state, upstream_revision=revision, pkgbuild_timestamp=timestamp_s, held=None)
        why = f"upstream {revision[:10]} must not be taken: {reason}"
        return self._decision(Code.REFUSED, why, state=state, now="waits for a newer revision")

    def _moved(self, moved: Moved) -> PackageDecision:
        timestamp_s = self.state.pkgbuild_timestamp if moved.timestamp_s is None else moved.timestamp_s
        taken = replace(self.state, upstream_revision=moved.revision, pkgbuild_timestamp=timestamp_s)
        try:
            srcinfo = self._coming(moved)
        except FormatError as error:
            return self._refused(moved.revision, str(error), timestamp_s)
        if not is_version_text(srcinfo.pkgver):
            return self._refused(moved.revision, f".SRCINFO: {srcinfo.pkgver!r} is no version", timestamp_s)
        change = self.judging.change(self.package, moved, srcinfo, self.state)
        if change is None:
            return self._stays(Code.APPEARED, "its folder changed while upstreams were asked")
        if self.judging.is_ours_already(self.package, change):
            known = self.state.upstream_revision is not None
            state = with_same_content(taken, moved.maintainers)
            why = "its upstream moved without a change to the package" if known else "its upstream has the same content"
            return self._decision(Code.UNCHANGED if known else Code.BASELINE, why, state=state)
        since_s = public_since(moved.revision, moved.public_s, self.state.held, self.circumstances.now_s)
        until_s = held_until(since_s, self.snapshot.settings.review_cooldown_hours, self.circumstances.now_s)
        if since_s is not None and until_s is not None:
            return self._held_back(change, since_s, until_s)
        return self._weigh(change, moved, taken)

    def _coming(self, moved: Moved) -> SrcInfo:
        """What the folder will be; FormatError where that cannot be read."""
        if not self.package.is_described:
            return SrcInfo.parse(moved.files[".SRCINFO"].content, file=".SRCINFO")
        if self.package.srcinfo is None:
            raise FormatError("cannot be read", file=RECIPE_PATH)
        path = self.package.version_file
        if path is None:
            return self.package.srcinfo
        if path not in moved.files:
            raise FormatError("is missing, and says which version is built", file=path)
        return replace(self.package.srcinfo, pkgver=version_in(moved.files[path].content, file=path))

    def _weigh(self, change: Change, moved: Moved, taken: PackageState) -> PackageDecision:
        """Whether a change is applied or a person looks at it first."""
        applied = with_applied(taken, moved.maintainers)
        offered = with_review(taken, change.content, moved.maintainers)
        if change.assessment.verdict == "refuse":
            return self._refused(change.revision, _worst(change), taken.pkgbuild_timestamp)
        if change.assessment.verdict == "minor":
            return self._apply(change, applied, _harmless(change))
        if moved.review:
            return self._send_to_review(change, offered)
        if not self.snapshot.settings.human_review:
            return self._apply(change, applied, f"reviews are off; {_worst(change)}")
        if is_trusted(moved.maintainers, self.snapshot.trusted_maintainers):
            return self._apply(change, applied, f"trusted: {', '.join(moved.maintainers or ())}; {_worst(change)}")
        return self._send_to_review(change, offered)

    def _held_back(self, change: Change, since_s: int, until_s: int) -> PackageDecision:
        """The revision stays due; a newer one has its own time to wait."""
        now_s = self.circumstances.now_s
        why = f"upstream {change.revision[:10]} is public since {format_time(since_s)}"
        if since_s > now_s:
            why = f"upstream {change.revision[:10]} is dated {format_time(since_s)}, which is still to come"
        why += f"; CI_REVIEW_COOLDOWN is {self.snapshot.settings.review_cooldown_hours} hours"
        return self._decision(
            Code.COOLING,
            why,
            state=replace(self.state, held=HeldRevision(revision=change.revision, since_s=min(since_s, now_s))),
            now=f"waits until {format_time(until_s)}",
            versions=(change.old_version, change.new_version),
        )

    def _apply(self, change: Change, state: PackageState, why: str) -> PackageDecision:
        decision = self._decision(
            Code.APPLIED,
            why,
            state=state,
            versions=(change.old_version, change.new_version),
            builds=True,
        )
        return replace(decision, applied=change, drops_review="a newer update has been applied")

    def _send_to_review(self, change: Change, offered: PackageState) -> PackageDecision:
        branch = review_branch(self.package.pkgbase)
        versions = (change.old_version, change.new_version)
        refusal = self.circumstances.refused_pushes.get(self.package.pkgbase)
        if refusal is not None:
            return self._decision(Code.PUSH_REFUSED, f"branch {branch} was refused: {refusal}", versions=versions)
        why = _worst(change)
        if self.review is None:
            if self.state.review_content == change.content:
                closed = "its review was closed without merging"
                return self._decision(Code.REVIEW_CLOSED, closed, state=offered, now="waits for a newer revision")
            opened = self._decision(
                Code.REVIEW_OPENED, why, state=offered, now=f"review branch {branch}", versions=versions
            )
            return replace(opened, reviewed=change)
        if self.review.content == change.content:
            now = f"merge or close branch {branch}"
            return self._decision(
                Code.REVIEW_PENDING, "its update waits for a review", state=offered, now=now, versions=versions
            )
        if self.review.author == "person":
            held = f"people have committed to {branch}; upstream {change.revision[:10]} is not put there"
            return self._decision(Code.REVIEW_HELD, held, now=f"merge or delete branch {branch}", versions=versions)
        updated = self._decision(
            Code.REVIEW_UPDATED, why, state=offered, now=f"review branch {branch}", versions=versions
        )
        return replace(updated, reviewed=change)

    def _stays(self, code: Code, why: str) -> PackageDecision:
        return self._decision(code, why, now="stays due" if code in (Code.UNREACHABLE, Code.LAGGING) else "")

    def _decision(
        self,
        code: Code,
        why: str,
        *,
        state: PackageState | None = None,
        now: str = "",
        versions: tuple[str | None, str | None] = (None, None),
        builds: bool = False,
    ) -> PackageDecision:
        old, new = versions
        verdict = Verdict(package=self.package.pkgbase, code=code, why=why, now=now, old=old, new=new)
        return PackageDecision(pkgbase=self.package.pkgbase, verdict=verdict, state=state or self.state, builds=builds)

    def _combine(self, decision: PackageDecision, head: HeadDecision) -> PackageDecision:
        """Source and head are decided each on its own; the verdict names the more important of the two."""
        package, verdict = self.package, decision.verdict
        # An update that is applied is built anyway, with the new libraries.
        triggers = () if decision.applied else self.libraries.triggers(package, self.snapshot.settings)
        wants_build = decision.builds or head.moved or bool(triggers)
        if head.moved and not decision.applied:
            quiet = verdict.code.weight is Weight.QUIET
            why = head.why if quiet else f"{verdict.why}; {head.why}"
            verdict = replace(verdict, code=Code.REBUILT if quiet else verdict.code, why=why)
            if quiet:
                verdict = replace(verdict, old=head.old, new=head.new)
        if triggers:
            verdict = _with_triggers(verdict, triggers)
            decision = replace(decision, config=self.libraries.bumped(package))
        problems = [*head.problems]
        if package.srcinfo_fault is not None and not (decision.applied or decision.reviewed):
            problems.append(str(package.srcinfo_fault.what_and_where))
        fault = self.circumstances.build_fault(package) if wants_build else None
        if fault:
            problems.append(fault)
        unknown = self.snapshot.state.unknown.get(package.pkgbase)
        if unknown is not None:
            problems.append(f"{unknown}; it was recorded anew and nothing was scheduled for it")
        if problems and verdict.code.weight is Weight.QUIET:
            code = head.code or (Code.BAD_SRCINFO if package.srcinfo_fault else verdict.code)
            verdict = replace(
                verdict, code=Code.BAD_STATE if unknown else code, why="; ".join(problems), now=verdict.now
            )
            problems = []
        builds = wants_build and package.config.on_trigger is None and fault is None
        return replace(
            decision,
            verdict=replace(
                verdict, now=self._now(verdict, wants_build, builds), builds=builds, problems=tuple(problems)
            ),
            state=replace(decision.state, git_commit=head.commit, vcs_heads=head.further),
            builds=builds,
        )

    def _now(self, verdict: Verdict, wants_build: bool, builds: bool) -> str:
        if builds:
            return "; ".join(filter(None, (verdict.now, "is built")))
        if wants_build and self.package.config.on_trigger is not None:
            waits = f"is built when TRIGGER={self.package.config.on_trigger} runs"
            return "; ".join(filter(None, (verdict.now, waits)))
        return verdict.now or ("stays due" if verdict.code is Code.UNREACHABLE else "")


def _with_triggers(verdict: Verdict, triggers: tuple[LibraryChange, ...]) -> Verdict:
    """The verdict with the libraries that ask for a rebuild as a reason, or as the reason."""
    chain = ", ".join(map(str, triggers))
    if verdict.code.weight is not Weight.QUIET:
        return replace(verdict, why=f"{verdict.why}; {chain}")
    first = triggers[0]
    return replace(verdict, code=Code.BUMPED, why=f"a library has a new version: {chain}", old=first.old, new=first.new)


def _harmless(change: Change) -> str:
    """What of a minor change is worth a word."""
    texts = dict.fromkeys(finding.text.rstrip(".") for finding in change.assessment.findings)
    return f"harmless: {shortened('; '.join(texts), _LONGEST_LIST)}" if texts else "only layout or comments change"


def _worst(change: Change) -> str:
    """The worst finding, with the line that it is about, and how many more there are above minor."""
    serious = [finding for finding in change.assessment.findings if finding.severity > Severity.MINOR]
    worst, more = serious[0], len(serious) - 1
    place = (worst.new or worst.old or "") if worst.line is not None else ""
    line = next((line.strip() for line in place.split("\n") if line.strip()), "")
    shown = f": {shortened(line, _LONGEST_LINE)!r}" if line else ""
    return f"{worst.severity.word}: {worst.text.rstrip('.')}{shown}{f' (and {more} more)' if more else ''}"
