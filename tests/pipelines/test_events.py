"""What plugins hear of pipelines."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import PluginError
from tests.pipelines.test_on_schedule import BAR, FOO, MAJOR, begin, newer
from tests.support.listening import Demanding, Failing, Mistaken, Recorder, install

if TYPE_CHECKING:
    from tests.support.world import World


def test_events_of_a_scheduled_run_come_once_after_the_push(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(world, FOO, BAR)
    world.upstreams.publish("foo", newer(FOO).files())
    files = newer(BAR).files()
    world.upstreams.publish("bar", {**files, "PKGBUILD": f"{files['PKGBUILD']}\n{MAJOR}\n"})
    heard = install(monkeypatch, Failing, Recorder)
    assert world.run("on-schedule", "--dry-run").status == 0
    assert heard == []
    result = world.run("on-schedule", "--json")
    assert result.status == 0, result.stderr
    assert [event for event, _ in heard] == [
        "upstreams_checked",
        "updates_applied",
        "review_opened",
        "schedule_handed_over",
    ]
    checked, updated, review, handed = (news for _, news in heard)
    assert checked.counts == {("aur", "moved"): 2}
    assert updated.commit == world.origin.head()
    assert [(one.pkgbase, one.old, one.new) for one in updated.packages] == [("foo", "1.0-1", "1.1-1")]
    assert (review.pkgbase, review.branch, review.severity, review.url) == ("bar", "update-bar", "critical", None)
    assert (handed.backend, handed.packages, handed.commit) == ("chaotic_manager", ("foo",), world.origin.head())
    assert "listener failing failed at schedule_handed_over: RuntimeError: it is broken" in result.stderr
    # Nothing new: only that it was looked.
    heard.clear()
    assert world.run("on-schedule").status == 0
    assert [(event, news.counts) for event, news in heard] == [("upstreams_checked", {("aur", "unmoved"): 2})]


def test_a_hand_over_of_a_commit_is_heard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(world, FOO, BAR)
    world.origin.commit({"foo/PKGBUILD": newer(FOO).pkgbuild()}, "feat: foo")
    heard = install(monkeypatch, Recorder)
    assert world.run("on-commit").status == 0
    [(event, news)] = heard
    assert (event, news.packages, news.repository) == ("schedule_handed_over", ("foo",), "samples")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [(Mistaken, "unknown hook 'build_ended'"), (Demanding, "hook 'builds_ended'")],
    ids=["an event that is none", "an argument that is none"],
)
def test_a_listener_that_does_not_fit_is_refused_with_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type, problem: str
) -> None:
    install(monkeypatch, Recorder, kind)
    result = world.run("plugins")
    assert result.status == PluginError.exit_status
    assert f"listeners: {getattr(kind, 'name')} from" in result.stderr  # noqa: B009 - not of every type
    assert problem in result.stderr


def test_listeners_and_notifiers_are_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Recorder)
    listed = [line.split()[:2] for line in world.run("plugins").stdout.splitlines()]
    assert ["listeners", "recorder"] in listed
    assert ["notifiers", "telegram"] in listed


def test_where_nobody_listens_nothing_is_loaded_for_it() -> None:
    program = (
        "import sys; import ci_toolkit.pipelines.on_schedule, ci_toolkit.pipelines.workshop as w;"
        " w.load_listeners(); print(*(name for name in ('pluggy', 'ci_toolkit.events') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
