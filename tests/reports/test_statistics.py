"""What is said of statistics: figures in few signs, and what is not known said to be so."""

from __future__ import annotations

import pytest

from ci_toolkit.formats.byte_sizes import bytes_text
from ci_toolkit.model.build_statistics import JobSample, summarise
from ci_toolkit.model.job import JobState
from ci_toolkit.model.statistics_window import GroupBy, Window
from ci_toolkit.reports.statistics import duration_text, share_text, statistics_text

WINDOW = Window(begin_s=1_763_600_000.0, end_s=1_763_700_000.0)


def sample(package: str, *, size_bytes: int | None = None, state: JobState = JobState.SUCCEEDED) -> JobSample:
    at_s = WINDOW.begin_s
    return JobSample(package, None, None, state, at_s, at_s + 5, at_s + 99, 90.0, size_bytes)


def test_a_size_that_nobody_noted_is_marked_and_one_that_there_cannot_be_is_not() -> None:
    samples = [sample("old"), sample("new", size_bytes=1_024), sample("broken", state=JobState.FAILED)]
    text = statistics_text(summarise(samples, WINDOW, by=GroupBy.PACKAGE), most_rows=None)
    sizes = {line.split()[0]: line.split()[-1] for line in text.partition("\n\n")[2].splitlines()[1:4]}
    assert sizes == {"broken": "-", "old": "?", "new": "KiB"}
    assert "1.0 KiB made, half of the builds at most 1.0 KiB each; of 1 successful builds unknown" in text
    assert text.endswith("? is a size that nobody noted, as of builds by an earlier version\n")


def test_without_known_slots_nothing_is_said_of_their_use() -> None:
    text = statistics_text(summarise([sample("a")], WINDOW, by=GroupBy.WORKER), most_rows=None)
    assert "1 m 30 s of building\n" in text
    assert "(no worker)" in text


def test_names_from_elsewhere_keep_to_their_line_and_column() -> None:
    hostile = summarise([sample(f"a\x1b[2J\n{'x' * 500}")], WINDOW, by=GroupBy.PACKAGE)
    row = statistics_text(hostile, most_rows=None).splitlines()[-2]
    assert "\x1b" not in row
    assert len(row) < 140


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 m 00 s")],
        *[
            (185, "3 m 05 s"),
            (3_599.4, "59 m 59 s"),
            (3_599.6, "1 h 00 m"),
            (86_399, "23 h 59 m"),
            (86_400, "1 d 00 h"),
        ],
        (9_999_999, "115 d 17 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0, "0.0 %"), (0.0004, "< 0.1 %"), (0.0975, "9.8 %"), (0.9995, "> 99.9 %"), (1, "100.0 %")],
)
def test_a_share_is_not_rounded_to_all_or_nothing(share: float | None, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KiB"), (102_400, "100 KiB"), (5 << 20, "5.0 MiB"), (3 << 40, "3.0 TiB")],
)
def test_a_size_has_few_signs(size_bytes: int, text: str) -> None:
    assert bytes_text(size_bytes) == text
