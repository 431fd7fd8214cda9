"""What somebody sees while builds run: at a terminal, and in a log."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.model.job import Job, JobState
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.reports.build_progress import build_progress
from ci_toolkit.reports.surroundings import Place, Surroundings
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from ci_toolkit.building.build_listener import Listener

JOB = Job(
    number=7,
    pkgbase=Pkgbase("tool"),
    state=JobState.BUILDING,
    reason="its turn has come",
    request="r",
    commit="c",
    builder_class=None,
    queued_at_s=0.0,
)
FAILED = replace(JOB, state=JobState.FAILED, reason="in phase build: \x1b[2Jmakepkg failed", phases=(("build", 2.0),))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell(listener: Listener) -> None:
    listener.note("a, b depend on each other in a circle")
    listener.left(queued=3, waiting=2)
    listener.moved(replace(JOB, state=JobState.WAITING, reason="needs lib, whose job 1 comes first"))
    listener.moved(JOB)
    listener.phase(JOB, "build")


def test_a_log_has_one_line_for_each_beginning_and_each_end() -> None:
    stream = io.StringIO()
    with build_progress(stream=stream, surroundings=Surroundings(place=Place.PLAIN), clock=QuickClock()) as listener:
        tell(listener)
        listener.moved(FAILED)
    assert stream.getvalue().splitlines() == [
        "a, b depend on each other in a circle",
        "tool: building (job 7)",
        "tool: failed, in phase build: �[2Jmakepkg failed (2.0 s)",
    ]


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_shows_what_runs_below_what_has_ended(colours: bool) -> None:
    stream = Terminal()
    place = Surroundings(place=Place.TERMINAL, width=80, colours=colours)
    with build_progress(stream=stream, surroundings=place, clock=QuickClock()) as listener:
        tell(listener)
        listener.moved(replace(JOB, number=8, pkgbase=Pkgbase("other")))
        listener.moved(FAILED)
    shown = stream.getvalue()
    assert "tool: failed, in phase build: �[2Jmakepkg failed (2.0 s)" in shown
    assert "3 queued, 2 waiting" in shown
    below = shown.rpartition("(2.0 s)")[2]
    assert "other  begins  0 s" in below
    assert "tool" not in below
    assert shown.endswith("\x1b[2K")  # what ran is gone in the end
