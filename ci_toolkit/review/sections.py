"""The parts of a description in Markdown."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ci_toolkit.model.finding import Severity
from ci_toolkit.review.difference import difference
from ci_toolkit.review.links import upstream_links
from ci_toolkit.review.markdown import cell, code, fenced, link, prose
from ci_toolkit.review.subject import WORDS, place, shares_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ci_toolkit.model.finding import Finding
    from ci_toolkit.review.facts import ChecksumChange, Facts
    from ci_toolkit.review.subject import ReviewSubject

_MOST_LISTED = 15
_MOST_ALARMS = 5
_LONGEST_NAME = 100
_SHOWN_DIGITS = 12
_MOST_LINES = 40
_FEW_LINES = 8
_ASIDE = 80  # characters for blank lines, and for the remark that lines have no room


def alarms(subject: ReviewSubject) -> str:
    """The worst findings as a box that cannot be overlooked; empty when none is critical."""
    worst = [finding for finding in subject.findings if finding.severity >= Severity.CRITICAL]
    if not worst:
        return ""
    # One sentence for the same lines is enough here; all of them stand below.
    apart = [worst[0], *(after for before, after in pairwise(worst) if not shares_lines(before, after))]
    lines = [_alarm(finding) for finding in apart[:_MOST_ALARMS]]
    if len(apart) > _MOST_ALARMS:
        lines.append(f"… and {len(apart) - _MOST_ALARMS} more of this kind below.")
    if subject.maintainers_changed:
        lines.append(f"The maintainer changed, too: {_maintainers(subject).removeprefix('**changed:** ')}.")
    return "> [!CAUTION]\n" + "\n>\n".join(f"> {line}" for line in lines)


def _alarm(finding: Finding) -> str:
    """What, where, and the line itself where it is one."""
    text = (finding.new or "").strip()
    shown = f": {code(text, limit=_LONGEST_NAME)}" if text and "\n" not in text else ""
    return f"**{_sentence(finding)}** ({code(place(finding), limit=_LONGEST_NAME)}){shown}"


def _sentence(finding: Finding) -> str:
    return prose(finding.text.removesuffix("."))


def table(subject: ReviewSubject) -> str:
    """Version, maintainers, links and revision, as far as they are known."""
    rows = [("Version", _versions(subject))]
    if subject.maintainers is not None:
        rows.append(("Maintainer", _maintainers(subject)))
    links = " · ".join(link(label, url) for label, url in upstream_links(subject))
    if links or subject.upstream:
        rows.append(("Upstream", links or cell(subject.upstream or "")))
    if subject.revision:
        rows.append(("Revision", cell(subject.revision)))
    if subject.branch:
        target = f" → {cell(subject.target)}" if subject.target else ""
        rows.append(("Branch", f"{cell(subject.branch)}{target}"))
    head = f"| Package | {cell(subject.pkgbase)} |\n| --- | --- |\n"
    return head + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _versions(subject: ReviewSubject) -> str:
    old, new = subject.old_version, subject.new_version
    if new is None:
        return "not known"
    if old is None:
        return f"{cell(new)} (new here)"
    return f"{cell(new)} (the same)" if old == new else f"{cell(old)} → {cell(new)}"


def _maintainers(subject: ReviewSubject) -> str:
    now = f"**{_names(subject.maintainers or ()) or 'nobody, the package is orphaned'}**"
    if not subject.maintainers_changed:
        return _names(subject.maintainers or ()) or now
    before = _names(subject.old_maintainers or ()) or "nobody (it was orphaned)"
    return f"**changed:** {before} → {now}"


def _names(people: Sequence[str]) -> str:
    shown = [cell(name, limit=_LONGEST_NAME) for name in people[:_MOST_LISTED]]
    more = len(people) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def news(facts: Facts) -> str:
    """New hosts, new commands and other checksums, a line each; empty when there are none."""
    rows = (
        ("New hosts", _by_file(facts.hosts)),
        ("New commands", _by_file(facts.commands)),
        ("Changed checksums", "; ".join(_limited([_checksums(change) for change in facts.checksums]))),
    )
    return "\n".join(f"- **{title}:** {text}" for title, text in rows if text)


def _by_file(pairs: Sequence[tuple[str, str]]) -> str:
    """Names with the file they are in, such as `curl`, `bash` in `foo.install`; `npm` in `PKGBUILD`."""
    files: dict[str, list[str]] = {}
    for name, file in pairs[:_MOST_LISTED]:
        files.setdefault(file, []).append(_name(name))
    shown = [f"{', '.join(names)} in {_name(file)}" for file, names in files.items()]
    more = len(pairs) - _MOST_LISTED
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _limited(items: Sequence[str]) -> list[str]:
    more = len(items) - _MOST_LISTED
    return [*items[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]


def _name(text: str) -> str:
    return code(text, limit=_LONGEST_NAME)


def _checksums(change: ChecksumChange) -> str:
    name = _name(change.array)
    old, new = change.old, change.new
    if old is None or new is None:
        if not old and not new:
            return f"{name} cannot be read without running the file"
        return f"{name} {'is gone, or cannot be read without running the file' if old else 'is new'}"
    steps = [(before, after) for before, after in zip(old, new, strict=False) if before != after]
    skipped = sum(after == "SKIP" for _, after in steps)
    counts = f"{len(steps)} of {len(old)} changed"
    if len(old) != len(new):
        counts += f", and there were {len(old)} and are {len(new)}"
    if skipped:
        counts += f", **{skipped} skipped now**"
    example = f": {_digits(steps[0][0])} → {_digits(steps[0][1])}" if len(steps) == 1 else ""
    return f"{name}: {counts}{example}"


def _digits(checksum: str) -> str:
    return code(checksum if len(checksum) <= _SHOWN_DIGITS else f"{checksum[:_SHOWN_DIGITS]}…")


def findings_by_severity(findings: Sequence[Finding], *, room: int, package: str) -> str:
    """All findings with their lines, the worst first, in at most about `room` characters.

    Where there is not enough room, lines of the less severe are left out first, then the less severe themselves.
    """
    harmless = [finding for finding in findings if finding.severity is Severity.MINOR]
    findings = [finding for finding in findings if finding.severity is not Severity.MINOR]
    folded = _folded(harmless, room // 8)
    room -= len(folded)
    heads = [_head(finding) for finding in findings]
    kept = _that_fit(heads, room * 2 // 3)
    spare = room - sum(map(len, heads[:kept])) - _ASIDE * kept
    blocks: list[str] = []
    seen: set[tuple[str | None, str | None]] = set()
    severity = None
    for number, (finding, head) in enumerate(zip(findings[:kept], heads[:kept], strict=True)):
        if finding.severity is not severity:
            severity = finding.severity
            blocks.append(f"### {WORDS[severity].capitalize()}")
        blocks.append(head)
        if number + 1 == kept or not shares_lines(finding, findings[number + 1]):
            lines = _lines_once(finding, seen, spare)
            spare -= len(lines)
            blocks += [lines] if lines else []
    if kept < len(findings):
        left = findings[kept:]
        blocks.append(
            f"**{len(left)} more findings** ({_severities(left)}) have no room here; "
            f"{code(f'ci-toolkit review {package}')} prints all of them."
        )
    return "\n\n".join([*blocks, *filter(None, [folded])])


def _folded(harmless: Sequence[Finding], room: int) -> str:
    """What is harmless, in a part that is opened by those who want to see it."""
    if not harmless:
        return ""
    items = [f"- {_head(finding)}" for finding in harmless]
    kept = items[: _that_fit(items, room)]
    if len(kept) < len(items):
        kept.append(f"- and {len(items) - len(kept)} more")
    title = f"{len(harmless)} harmless {'change' if len(harmless) == 1 else 'changes'}"
    return "\n".join(["<details>", f"<summary>{title}</summary>", "", *kept, "", "</details>"])


def _severities(findings: Iterable[Finding]) -> str:
    return ", ".join(WORDS[severity] for severity in sorted({finding.severity for finding in findings}, reverse=True))


def _that_fit(texts: Sequence[str], room: int) -> int:
    for number, text in enumerate(texts):
        room -= len(text) + _ASIDE
        if room < 0:
            return number
    return len(texts)


def _head(finding: Finding) -> str:
    """One paragraph: what, where, and which rule says so. It begins with a word of ours."""
    what = _sentence(finding)
    shown = f"**{what}**" if finding.severity >= Severity.HIGH else what
    where = code(place(finding), limit=_LONGEST_NAME)
    return f"In {where}: {shown} (rule {code(finding.rule, limit=_LONGEST_NAME)})"


def _lines_once(finding: Finding, seen: set[tuple[str | None, str | None]], room: int) -> str:
    """The lines of a finding, unless an earlier one has shown the same."""
    key = (finding.old, finding.new)
    if key == (None, None):
        return ""
    if key in seen:
        return "Those lines are shown above."
    for most_lines in (_MOST_LINES, _FEW_LINES) if room > _ASIDE else ():
        shown = difference(finding.old, finding.new, most_lines=most_lines)
        block = fenced(shown, "diff") if shown else ""
        if len(block) <= room:
            seen.add(key)
            return block
    return f"Its lines have no room here: {_count(finding)}."


def _count(finding: Finding) -> str:
    return f"{_lines(finding.old)} before, {_lines(finding.new)} now"


def _lines(text: str | None) -> int:
    return len((text or "").splitlines())


def decision(subject: ReviewSubject) -> Iterator[str]:
    """How to take the change, how to decline it, and what happens then."""
    if subject.assessment.verdict == "refuse":
        yield "- **Close** this: it must not be taken, and the toolkit never takes it by itself."
        yield "- You are told again when upstream changes once more."
        return
    target = code(subject.target) if subject.target else "the default branch"
    yield f"- **Merge** this to take it: it becomes part of {target}, and the package is built."
    yield "- **Close** this to decline it: nothing is applied, and you are asked again when upstream changes once more."
    yield "- **Leave** it open, and it stays as it is: nothing is ever applied because nobody answered."
    if subject.branch and subject.target:
        command = f"git fetch && git diff origin/{subject.target}...origin/{subject.branch}"
        yield f"- See all of it with {code(command)}, or what is said here with " + code(
            f"ci-toolkit review {subject.pkgbase}"
        )
