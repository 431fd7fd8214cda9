"""The keys of `.ci/config` about reviews: what they mean, and how a wrong value is answered."""

from __future__ import annotations

import pytest

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.finding import Severity
from ci_toolkit.model.settings import Settings, parse_settings


def settings(text: str, **environ: str) -> Settings:
    return parse_settings(KeyValueFile.parse(text.encode(), file=".ci/config"), environ)


def test_by_default_reviews_have_the_templates_labels_and_nothing_merges_itself() -> None:
    found = settings("")
    assert found.forge == "auto"
    assert found.review_labels == ("ci", "human-review", "update")
    assert (found.review_assignees, found.review_reviewers) == ((), ())
    assert (found.review_draft, found.review_auto_merge, found.dashboard) == (False, None, False)


def test_names_are_separated_by_commas_and_the_environment_wins() -> None:
    found = settings("CI_REVIEW_LABELS=a, b,,a\n", CI_HUMAN_REVIEW_ASSIGNEE="alice,bob")
    assert (found.review_labels, found.review_assignees) == (("a", "b"), ("alice", "bob"))


@pytest.mark.parametrize("severity", [Severity.LOW, Severity.MEDIUM, Severity.HIGH])
def test_a_severity_up_to_which_reviews_merge_themselves(severity: Severity) -> None:
    assert settings(f"CI_REVIEW_AUTO_MERGE={severity.word}\n").review_auto_merge is severity


@pytest.mark.parametrize("word", ["critical", "refuse", "yes", "Low", "2"])
def test_the_worst_is_never_merged_unseen(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"\nCI_REVIEW_AUTO_MERGE={word}\n")
    assert str(caught.value) == (
        f".ci/config line 2: CI_REVIEW_AUTO_MERGE is no severity that may be merged unseen: '{word}' "
        "(there are low, medium, high, or nothing)"
    )


def test_a_control_character_in_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="CI_REVIEW_LABELS has a control character"):
        settings("", CI_REVIEW_LABELS="a\x1b[31m")
