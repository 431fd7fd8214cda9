"""Whether the commits that new versions are pinned to are heads of a branch or tag of the repositories they name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.formats.source_url import parse_git_url
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.observation import Moved
from ci_toolkit.review.pins import Pin, new_pins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.model.names import Oid, Pkgbase
    from ci_toolkit.model.observation import SourceOutcome
    from ci_toolkit.model.package import Snapshot
    from ci_toolkit.sources.spec import SourceTools


def with_confirmations(
    outcomes: Mapping[Pkgbase, SourceOutcome], snapshot: Snapshot, tools: SourceTools
) -> dict[Pkgbase, SourceOutcome]:
    """The outcomes, with a finding for every new commit that could not be confirmed; each repository is asked once."""
    pins = {pkgbase: _new_pins(moved, snapshot, pkgbase) for pkgbase, moved in outcomes.items()}
    repositories = list(dict.fromkeys(pin.repository for several in pins.values() for pin in several))
    answers = dict(zip(repositories, tools.pool.map(lambda url: _tips(url, tools), repositories), strict=True))
    found: dict[Pkgbase, SourceOutcome] = dict(outcomes)
    for pkgbase, several in pins.items():
        outcome = outcomes[pkgbase]
        if several and isinstance(outcome, Moved):
            doubts = (_doubt(pin, answers[pin.repository]) for pin in several)
            found[pkgbase] = replace(outcome, unconfirmed=tuple(doubt for doubt in doubts if doubt))
    return found


def _new_pins(outcome: SourceOutcome, snapshot: Snapshot, pkgbase: Pkgbase) -> tuple[Pin, ...]:
    if not isinstance(outcome, Moved) or ".SRCINFO" not in outcome.files:
        return ()
    try:
        coming = SrcInfo.parse(outcome.files[".SRCINFO"].content, file=".SRCINFO")
    except FormatError:
        return ()  # the decision refuses it
    return new_pins(snapshot.packages[pkgbase].srcinfo, coming)


def _tips(url: str, tools: SourceTools) -> frozenset[Oid] | str:
    """The commits that branches and tags stand for, or why they are not known."""
    try:
        remote = parse_git_url(url, allow_local=tools.settings.allow_local_upstreams)
        return tools.heads.tips(remote)
    except (ConfigError, UpstreamError) as error:
        return error.what


def _doubt(pin: Pin, answer: frozenset[Oid] | str) -> Finding | None:
    if isinstance(answer, str):
        return pin.finding(answer)
    return None if pin.commit in answer else pin.finding("no branch and no tag there stands for it")
