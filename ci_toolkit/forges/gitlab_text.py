"""Texts and answers of GitLab's API (v4): what is sent must be no command, what comes must be what it claims to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ForgeError
from ci_toolkit.forges.client import ForgeIssue, ForgeReview
from ci_toolkit.forges.cutting import cut_before_last_line, one_line
from ci_toolkit.model.names import Oid, is_oid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.forges.client import ReviewStatus

DRAFT = "Draft: "
LONGEST_TITLE = 255  # docs.gitlab.com/api/merge_requests
_LONGEST_DESCRIPTION = 1_000_000
# `/merge` or `/approve` at the start of a line is carried out with the rights of the token, through the API as well
# (docs.gitlab.com/user/project/quick_actions).
_QUICK_ACTION = re.compile(r"^(?=/)", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_STATUS: Mapping[str, ReviewStatus] = {"opened": "open", "locked": "open", "closed": "closed", "merged": "merged"}


def harmless(text: str) -> str:
    """Markdown in which no line is a quick action."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    kept = _QUICK_ACTION.sub("\\\\", _CONTROL.sub("", lines).strip("\n"))
    return cut_before_last_line(kept, _LONGEST_DESCRIPTION)


def titled(title: str, *, draft: bool) -> str:
    """A title on one line; drafts are told by its beginning."""
    return one_line(f"{DRAFT if draft else ''}{title}", LONGEST_TITLE)


def is_draft(title: str) -> bool:
    """Whether a title says that its merge request is a draft."""
    return title.lower().startswith(("draft:", "[draft]", "(draft)"))


def review_of(answer: Mapping[str, Any]) -> ForgeReview:
    """A merge request; ForgeError when the answer is none."""
    try:
        status = _STATUS[answer["state"]]
        sha = answer.get("sha")
        return ForgeReview(
            number=_whole(answer["iid"]),
            url=_text(answer["web_url"]),
            branch=_text(answer["source_branch"]),
            target=_text(answer["target_branch"]),
            status=status,
            title=_text(answer["title"]),
            body=_text(answer.get("description") or ""),
            head=Oid(sha) if isinstance(sha, str) and is_oid(sha) else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ForgeError("the answer is no merge request of GitLab's API") from error


def is_from_project(answer: Mapping[str, Any]) -> bool:
    """Whether a merge request's branch lies in the project itself and not in a fork."""
    return answer.get("source_project_id") == answer.get("target_project_id")


def issue_of(answer: Mapping[str, Any]) -> ForgeIssue:
    """An issue; ForgeError when the answer is none."""
    try:
        return ForgeIssue(
            number=_whole(answer["iid"]),
            url=_text(answer["web_url"]),
            title=_text(answer["title"]),
            body=_text(answer.get("description") or ""),
            is_open=answer["state"] == "opened",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ForgeError("the answer is no issue of GitLab's API") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value
