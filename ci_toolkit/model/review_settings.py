"""What the owner of a repository says about the rules of reviews."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.finding import Severity

REVIEW_SETTINGS_PATH = ".ci/review.toml"
OFFICIAL_REPOSITORIES = ("core", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """`.ci/review.toml` of the default branch, never of a review branch: whoever is reviewed must not switch rules.

    `severities` are the owner's own, by rule id, in the order of the file, and `lines` tells where each stands.
    `official_repositories` are the names of the databases whose packages may be depended on without a review, none
    while the rule is off. Which rule ids there are is only known where all rules are (see `RuleBook`).
    """

    severities: Mapping[str, Severity] = field(default_factory=dict)
    official_repositories: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    file: str = field(default=REVIEW_SETTINGS_PATH, compare=False)
