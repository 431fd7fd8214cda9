"""A review that a person asks for: of a package, or of any two versions of one. Nothing is changed anywhere."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.finding import Assessment
from ci_toolkit.model.names import Pkgbase, nearest
from ci_toolkit.model.review_settings import ReviewSettings
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings
from ci_toolkit.pipelines.open_reviews import our_side, subject_of_branch
from ci_toolkit.pipelines.sides import NOTHING, Side, refusal
from ci_toolkit.review.assessing import Judge
from ci_toolkit.review.facts import Facts, facts_of
from ci_toolkit.review.links import source_comparison
from ci_toolkit.review.subject import ReviewSubject
from ci_toolkit.sources.aur_lookup import fetch_aur_package

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.model.package import Package
    from ci_toolkit.pipelines.upstream_access import UpstreamAccess
    from ci_toolkit.pipelines.workshop import Workshop
    from ci_toolkit.review.spec import ReviewRules
    from ci_toolkit.sources.aur_lookup import AurTools

log = logging.getLogger(__name__)


def review_of_sides(
    old: Side,
    new: Side,
    judge: Judge,
    *,
    allowed: Sequence[re.Pattern[str]] = (),
    evaluated: bytes | None = None,
    also: Iterable[Finding] = (),
) -> ReviewSubject:
    """What the change from `old` to `new` amounts to; ConfigError when `old` is nothing to compare with.

    The rest is as for `Judge.assess`.
    """
    if old.refused:
        raise ConfigError("the old version cannot be compared with", got=old.refused[0].text)
    assessment = Assessment(findings=new.refused)
    if not new.refused:
        assessment = judge.assess(old.files, new.files, allowed=allowed, evaluated=evaluated, also=also)
    now = new.srcinfo
    is_new = not old.files
    return ReviewSubject(
        pkgbase=now.pkgbase if now else new.name or old.name or "the package",
        assessment=assessment,
        old_version=None if is_new else old.version or "unknown",
        new_version=new.version,
        old_revision=old.revision,
        revision=new.revision,
        compare=source_comparison(old.sources, new.sources),
        facts=Facts() if new.refused else facts_of(old.files, new.files),
    )


def review_of_package(
    name: str, workshop: Workshop | None, access: UpstreamAccess, plugins: tuple[ReviewRules, ...]
) -> ReviewSubject:
    """The open review of a package of the repository; else what the AUR has now, against what the repository has.

    Without a repository, or when the package is not in it, it is judged as a new one. ConfigError when there is no such
    package anywhere.
    """
    if workshop is None:
        settings = parse_settings(KeyValueFile.empty(file=SETTINGS_PATH), access.environ)
        return _from_aur(name, NOTHING, None, access.aur_tools(settings), Judge.of(ReviewSettings(), plugins))
    pkgbase = Pkgbase(name)
    snapshot = workshop.reader.read(reviews=frozenset({pkgbase}))
    judge = Judge.of(snapshot.review, plugins)
    package = snapshot.packages.get(pkgbase)
    if package is not None and pkgbase in snapshot.reviews and pkgbase not in snapshot.merged_reviews:
        record, state = snapshot.reviews[pkgbase], snapshot.state.package(pkgbase)
        return subject_of_branch(package, record, state, snapshot, workshop.repository, judge)
    tools = access.aur_tools(snapshot.settings)
    if package is None:
        try:
            return _from_aur(name, NOTHING, None, tools, judge)
        except ConfigError as error:
            error.hint = nearest(name, snapshot.packages) or error.hint
            raise
    if package.config.source != "aur":
        hint = "ci-toolkit review OLD NEW compares any two folders or commits"
        source = package.config.source or "nowhere"
        raise ConfigError(f"has no open review, and its updates come from {source}", package=name, hint=hint)
    ours = our_side(package, snapshot, workshop.repository)
    old = replace(ours, revision=snapshot.state.package(pkgbase).upstream_revision)
    return _from_aur(name, old, package, tools, judge)


def _from_aur(name: str, old: Side, package: Package | None, tools: AurTools, judge: Judge) -> ReviewSubject:
    found = fetch_aur_package(name, tools)
    if found.is_behind:
        log.warning("the AUR announces a later change of %s than its mirror has; this is not about it", found.pkgbase)
    refused = (refusal(found.fault),) if found.fault else ()
    new = Side(files=found.files, name=found.pkgbase, revision=found.revision, refused=refused)
    subject = review_of_sides(old, new, judge, allowed=package.config.allow_patterns if package else ())
    return replace(
        subject, pkgbase=found.pkgbase, maintainers=found.maintainers, upstream="aur", revision=found.revision
    )
