"""The report of builds as files: what it says, what it escapes, and what is written when."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import NotReadyError, RefusedError
from ci_toolkit.model.job import JobState
from ci_toolkit.reports.build_site.ansi_html import ansi_html, plain_log
from ci_toolkit.reports.build_site.pages import LONGEST_LOG, MOST_CARDS, MOST_GROUPS
from tests.support.histories import HOSTILE, START_S, every_state, history, record, write_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.model.job import Job

NEEDS = {"libring++": ("lib",), "p-succeeded": ("lib",), "p-queued": ("p-succeeded",)}
_VOID = {"meta", "input", "br", "img", "link"}


class Checker(HTMLParser):
    """Every tag is closed where it has to be; what links and ids there are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.scripts = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on")], attrs
        assert tag not in {"img", "link", "iframe", "object", "form"}, tag
        self.scripts += tag == "script"
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text())
    checker.close()
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)
    return checker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_site(history(every_state(), NEEDS, log=f"{HOSTILE}\n\x1b[1;31mred\x1b[0m\n"), tmp_path / "site")
    return tmp_path / "site"


def test_every_page_is_whole_and_every_link_leads_to_a_page(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 3 + 2 * len(JobState)
    for page in pages:
        found = checked(page)
        assert found.scripts == (page.name == "index.html")
        for link in found.links:
            target, _, mark = link.partition("#")
            if target:
                assert (page.parent / unquote(target)).resolve().is_file(), (page, link)
            elif mark:
                assert mark in found.ids


def test_strangers_text_is_shown_and_does_nothing(site: Path) -> None:
    for name in ("index.html", "builds/6.html", "packages/lib.html"):
        text = (site / name).read_text()
        assert "<script>window" not in text
        assert "<img" not in text
        assert "\x1b" not in text
        assert "window.hacked = 1" in checked(site / name).text


def test_the_overview_puts_first_what_somebody_has_to_look_at(site: Path) -> None:
    text = checked(site / "index.html").text
    order = ["Somebody has to look at", "Under way", "All packages"]
    assert [text.index(title) for title in order] == sorted(text.index(title) for title in order)
    looked_at = text[text.index(order[0]) : text.index(order[1])]
    assert "lib" in looked_at
    assert "p-timed-out" in looked_at
    assert re.search(r"holds\s+libring\+\+", looked_at)


def test_a_page_of_a_build_has_everything(site: Path) -> None:
    good = checked(site / "builds/5.html").text
    for shown in ("p-succeeded", "1.0-1", "1 min 10 s", "1 h 1 min", "ab" * 32, "120.6 KiB", "lib 1.0-1"):
        assert shown in " ".join(good.split()), shown
    bad = checked(site / "builds/6.html").text
    assert "4 in phase build" in bad
    assert '<span class="b c1">red</span>' in (site / "builds/6.html").read_text()
    assert (site / "logs/6.txt").read_text().startswith("</pre>")
    assert (site / "logs/6.txt").read_text().endswith("\nred\n")
    assert "nothing was begun" in checked(site / "builds/1.html").text


def test_a_job_that_built_nothing_links_to_the_log_of_the_one_that_did(folder: Path) -> None:
    first, second = record(1, "lib", JobState.SUCCEEDED), record(2, "lib", JobState.ALREADY_BUILT)
    second = replace(second, job=replace(second.job, log_of=1))
    write_site(history([first, second]), folder)
    assert "1.html#log" in checked(folder / "builds/2.html").links
    assert not (folder / "logs/2.txt").exists()


def test_of_a_long_log_the_end_is_shown_and_all_is_beside(folder: Path) -> None:
    log = "".join(f"line {number}\n" for number in range(40_000))
    write_site(history([record(1, "lib", JobState.FAILED)], log=log), folder)
    page = (folder / "builds/1.html").read_text()
    assert len(page) < LONGEST_LOG + 20_000
    assert "line 39999" in page
    assert "line 1\n" not in page
    assert "the whole log" in page
    assert (folder / "logs/1.txt").read_text() == log


def test_only_what_changed_is_written_and_what_is_forgotten_goes(folder: Path) -> None:
    records = every_state(reason="so")
    first = write_site(history(records, NEEDS), folder)
    assert (first.files, first.removed) == (first.written, 0)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    same = write_site(history(records, NEEDS), folder)
    assert (same.written, same.removed) == (0, 0)
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    later = write_site(history(records, NEEDS, as_of_s=1_800_000_000.0), folder)
    assert later.written == 2  # when it was made stands on two pages
    (folder / "builds/5.html").write_text("broken")
    assert write_site(history(records[:-1], NEEDS, as_of_s=1_800_000_000.0), folder).removed == 3
    assert "p-succeeded" in (folder / "builds/5.html").read_text()
    assert not (folder / f"builds/{len(records)}.html").exists()


def test_statistics_are_of_the_last_days(folder: Path) -> None:
    records = [
        *every_state(reason="so"),
        record(50, "lib", JobState.SUCCEEDED),
        record(2_000, "late", JobState.SUCCEEDED),
        *[record(number, f"p{number}", JobState.SUCCEEDED) for number in range(100, 100 + MOST_GROUPS)],
    ]
    write_site(history(records, as_of_s=START_S + 8 * 86_400 + 1_000), folder)
    page = checked(folder / "statistics.html")
    week, month = page.text.split("The last 7 days")[1].split("The last 30 days")
    assert "1: 1 succeeded" in week
    assert f"{MOST_GROUPS + 3:,} succeeded, 1 failed" in " ".join(month.split())
    assert "2 slots" in month
    assert "9 more are told by ci-toolkit stats --since 30d --by package --all" in " ".join(month.split())
    assert "(not noted)" in month, "of what an earlier version built nobody knows the recipe"
    assert page.links.index("packages/p-timed-out.html") < page.links.index("packages/p100.html")


def test_statistics_go_back_no_further_than_jobs_are_kept(folder: Path) -> None:
    for kept_days, titles in ((90, ["7", "30"]), (10, ["7", "10"]), (3, ["3"]), (0, [])):
        write_site(history(every_state(), kept_days=kept_days), folder)
        assert re.findall(r"The last (\d+) days", checked(folder / "statistics.html").text) == titles


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    (folder / "mine").write_text("x")
    with pytest.raises(RefusedError, match="has other files in it"):
        write_site(history(every_state()), folder)
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_of_very_many_packages_the_overview_puts_some_first_and_lists_all(folder: Path) -> None:
    states = [JobState.FAILED] * 150 + [JobState.QUEUED] * 250
    write_site(history([record(number, f"p{number}", state) for number, state in enumerate(states, 1)]), folder)
    page = checked(folder / "index.html")
    assert f"{150 - MOST_CARDS} more are in the list" in page.text
    assert f"{250 - MOST_CARDS} more are in the list" in page.text
    assert {f"packages/p{number}.html" for number in range(1, 401)} <= set(page.links)


def test_secrets_are_in_no_page_and_no_log(folder: Path) -> None:
    canary = "glpat-canary<&>1234"
    records = every_state(reason=f"cannot fetch https://me:pw@host/ with {canary}")
    write_site(history(records, NEEDS, log=f"git push {canary}\n"), folder, ACCESS_TOKEN=canary)
    everything = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert "canary" not in everything
    assert "me:pw" not in everything
    assert "git push [hidden]" in everything


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    write_site(history(every_state()), folder)
    elsewhere = tmp_path / "elsewhere"
    (folder / "logs").rename(elsewhere)
    (elsewhere / "mine").write_text("x")
    (folder / "logs").symlink_to(elsewhere)
    with pytest.raises(RefusedError, match="is a link"):
        write_site(history(every_state()), folder)
    assert (elsewhere / "mine").exists()


def test_what_a_killed_run_was_about_to_write_goes(folder: Path) -> None:
    (folder / "..ci-toolkit-builds.x1").touch()  # killed before anything was in its place
    write_site(history(every_state()), folder)
    for path in (".index.html.x2", "builds/.5.html.x3", "logs/.6.txt.x4"):
        (folder / path).write_text("half a pa")
    assert write_site(history(every_state()), folder).removed == 3
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == {".ci-toolkit-builds", ".nojekyll"}


def test_whoever_begins_at_the_overview_finds_every_page_after_a_killed_run(folder: Path) -> None:
    def killed(job: Job) -> Iterator[str]:
        raise KeyboardInterrupt(job.number)

    with pytest.raises(KeyboardInterrupt):
        write_site(replace(history(every_state()), log=killed), folder)
    assert not (folder / "index.html").exists()
    write_site(history(every_state()), folder)
    later = [*every_state()[2:], record(50, "new", JobState.FAILED)]
    with pytest.raises(KeyboardInterrupt):
        write_site(replace(history(later, as_of_s=1_800_000_000.0), log=killed), folder)
    links = checked(folder / "index.html").links
    assert "builds/1.html" in links
    assert all((folder / unquote(link.partition("#")[0])).exists() for link in links)


def test_a_log_that_is_forgotten_meanwhile_stops_nothing(folder: Path) -> None:
    def gone(job: Job) -> Iterator[str]:
        raise NotReadyError(f"job {job.number} has no log")

    write_site(replace(history([record(1, "lib", JobState.FAILED)]), log=gone), folder)
    assert "Log" in checked(folder / "builds/1.html").text
    assert not (folder / "logs/1.txt").exists()


LOGS = {
    "a progress bar": ("1 %\r50 %\r100 %\ndone\r\n", "100 %\ndone\n"),
    "words in another order": (
        "all \u202edab si\u202c good\n",
        "all \N{REPLACEMENT CHARACTER}dab si\N{REPLACEMENT CHARACTER} good\n",
    ),
    "a title for the terminal, and keys": ("a\x1b[>4;1mb\x1b[2Kc\x07\n", "abc\n"),
    "other scripts": ("größe 大小 👍\n", "größe 大小 👍\n"),
}


@pytest.mark.parametrize(("log", "shown"), LOGS.values(), ids=LOGS)
def test_a_log_says_what_a_terminal_would_have_shown_in_the_end(log: str, shown: str) -> None:
    assert plain_log(log) == ansi_html(log) == shown
    assert plain_log(f"\x1b[1;31m{log}\x1b[0m") == shown


@pytest.mark.parametrize(
    ("log", "markup"),
    [
        (
            "\x1b[31mred\x1b[1m both\x1b[39m bold\x1b[m none",
            '<span class="c1">red</span><span class="b c1"> both</span>',
        ),
        ("\x1b[38;5;196;1mx\x1b[0m", '<span class="b">x</span>'),
        ("\x1b[38;2;1;2;3;4mx", '<span class="u">x</span>'),
        ("\x1b[91m<b>\x1b[22;39my", '<span class="c9">&lt;b&gt;</span>y'),
    ],
)
def test_colours_become_classes(log: str, markup: str) -> None:
    assert markup in ansi_html(log)


@given(st.text(alphabet=st.sampled_from("a<&\"'\n\x1b[0;135mK\x07"), max_size=40))
def test_whatever_a_log_has_becomes_text_and_known_classes(log: str) -> None:
    markup = ansi_html(log)
    rest = re.sub(r'<span class="[bdiuc0-9 ]+">|</span>', "", markup)
    assert "<" not in rest
    assert markup.count("<span") == markup.count("</span>")
    assert "\x1b" not in markup
