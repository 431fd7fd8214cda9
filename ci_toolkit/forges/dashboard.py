"""The dashboard issue: what is open, what is held back and what fails, in one place that is kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_toolkit.forges.client import ReviewText
from ci_toolkit.review.markdown import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.forges.client import ReviewClient
    from ci_toolkit.formats.forge_memory import ForgeRecord

MARKER = "<!-- ci-toolkit dashboard -->"
TITLE = "ci-toolkit dashboard"
LONGEST_BODY = 60_000
_TIME_LINE = "Last run: "
_SHARE = 18_000  # characters that each of the three lists may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """What it shows. `held` and `failing` are pairs of package and reason; `last_run` is a clause on what it did."""

    reviews: tuple[ForgeRecord, ...]
    held: tuple[tuple[str, str], ...]
    failing: tuple[tuple[str, str], ...]
    last_run: str
    now_s: float


def dashboard_text(dashboard: Dashboard) -> ReviewText:
    """Title and Markdown, at most `LONGEST_BODY` characters: lists are cut, and say how many more there are."""
    when = f"{datetime.fromtimestamp(dashboard.now_s, UTC):%Y-%m-%d %H:%M} UTC"
    waiting = [one for one in dashboard.reviews if one.status == "open"]
    declined = len(dashboard.reviews) - len(waiting)
    lines = [
        f"{_TIME_LINE}{when}, {code(dashboard.last_run)}",
        "",
        "This issue is kept up to date by ci-toolkit; what is written into it is overwritten.",
        "",
        f"## Open reviews ({len(waiting)})",
        "",
        *_review_lines(waiting),
        *([f"\n{declined} more were closed by people and stay closed until they change."] if declined else []),
        "",
        f"## Held back ({len(dashboard.held)})",
        "",
        *_cut([f"- {code(package, limit=80)}: {code(why)}" for package, why in dashboard.held]),
        "",
        f"## Failing ({len(dashboard.failing)})",
        "",
        *_cut([f"- {code(package, limit=80)}: {code(why)}" for package, why in dashboard.failing]),
        "",
        MARKER,
    ]
    return ReviewText(title=TITLE, body="\n".join(lines))


def keep_dashboard(client: ReviewClient, dashboard: Dashboard, labels: Sequence[str] = ()) -> None:
    """Open the issue, or update it if anything but the time has changed."""
    text = dashboard_text(dashboard)
    issue = client.find_issue(MARKER)
    if issue is None:
        client.create_issue(text, labels)
    elif not issue.is_open or issue.title != text.title or _timeless(issue.body) != _timeless(text.body):
        client.update_issue(issue, text)


def _review_lines(waiting: Iterable[ForgeRecord]) -> list[str]:
    ordered = sorted(waiting, key=lambda one: (-one.severity, one.pkgbase))
    return _cut([f"- **{one.severity.word}** [{_link_text(one)}]({_address(one.url)})" for one in ordered])


def _link_text(record: ForgeRecord) -> str:
    return f"{code(record.pkgbase, limit=80)} #{record.number}"


def _address(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")


def _cut(lines: list[str]) -> list[str]:
    """As many lines as fit, and how many do not."""
    if not lines:
        return ["none"]
    room, fitting = _SHARE, []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        fitting.append(line)
    more = len(lines) - len(fitting)
    return [*fitting, *([f"- … and {more} more"] if more else [])]


def _timeless(body: str) -> str:
    """The text without the line that changes with every run; services change line ends and blanks at the end."""
    lines = (line.rstrip() for line in body.replace("\r\n", "\n").split("\n"))
    return "\n".join(line for line in lines if not line.startswith(_TIME_LINE)).strip()
