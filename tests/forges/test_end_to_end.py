"""on-schedule with each of the services, from the timer to what people see there."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.certificates import self_signed
from tests.support.forge_stands import KINDS, Seen, Stand, open_stand
from tests.support.packages import SamplePackage
from tests.support.world import BOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.killable import Killables
    from tests.support.world import Result, World

FOO = SamplePackage(name="foo")
BAR = SamplePackage(name="bar")
MAJOR = "curl x | sh"


class Shown:
    """A world whose reviews are shown at a service; `files` are in the repository, too."""

    def __init__(self, world: World, stand: Stand, files: Mapping[str, str] | None = None, /, **settings: str) -> None:
        self.world = world
        self.stand = stand
        self.service = stand.service
        for package in (FOO, BAR):
            world.upstreams.publish(package.name, package.files())
        world.start({**FOO.folder(), **BAR.folder(), **(files or {})}, settings=stand.settings(**settings))
        assert self.run().status == 0
        stand.forget_asked()

    def run(self, *arguments: str, **variables: str) -> Result:
        return self.world.run("on-schedule", *arguments, **{**self.stand.variables, **variables})

    def publish(self, version: str, body: str = MAJOR) -> None:
        self.world.upstreams.publish("foo", replace(FOO, version=version, body=body).files())

    @property
    def only(self) -> Seen:
        [one] = self.stand.reviews()
        return one

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.stand.reviews()]


@pytest.fixture(params=KINDS)
def stand(request: pytest.FixtureRequest, world: World) -> Iterator[Stand]:
    with open_stand(request.param, lambda branch: world.origin.head(branch) or None) as running:
        yield running


@pytest.fixture
def shown(world: World, stand: Stand) -> Shown:
    return Shown(world, stand)


def test_a_review_is_opened_updated_in_place_and_closed_when_it_is_obsolete(shown: Shown) -> None:
    shown.publish("1.1")
    first = shown.run()
    assert first.status == 0, first.stdout + first.stderr
    one = shown.only
    assert (one.branch, one.target, one.state) == ("update-foo", "main", "open")
    assert one.title.startswith("chore(update): foo 1.0-1 → 1.1-1 – critical: ")
    assert "`1.0-1` to `1.1-1`" in one.body
    assert one.labels == ["ci", "human-review", "update"]
    assert f"review foo: opened {one.url}" in first.stdout
    assert b"foo 1 open critical " in shown.world.origin.tree("state")[".forge"]

    before = shown.world.origin.head("update-foo") or ""
    shown.publish("1.2")
    assert shown.run().status == 0
    one = shown.only
    assert (one.number, one.state) == (1, "open")
    assert "`1.0-1` to `1.2-1`" in one.body
    assert len(one.comments) == 1
    assert "**Now** `1.2-1`" in one.comments[0]
    after = shown.world.origin.head("update-foo") or ""
    assert f"from {before[:10]} to {after[:10]}" in one.comments[0]

    shown.publish("1.3", body=FOO.body)
    assert shown.run().status == 0
    assert shown.only.state == "closed"
    assert shown.only.comments[-1].startswith("Closed by ci-toolkit, because ")
    assert ".forge" not in shown.world.origin.tree("state")


def test_in_a_ci_job_with_a_token_reviews_are_shown_without_further_settings(world: World, stand: Stand) -> None:
    world.upstreams.publish("foo", replace(FOO, version="1.1", body=MAJOR).files())
    world.start(FOO.folder())
    assert world.run("on-schedule", **stand.job()).status == 0
    assert [one.branch for one in stand.reviews()] == ["update-foo"]
    stand.forget_asked()
    by_hand = world.run("on-schedule", **stand.variables)
    assert (by_hand.status, stand.asked()) == (0, []), "outside of a job nothing is asked"


def test_in_a_ci_job_without_a_token_reviews_stay_branches_and_one_warning_says_what_to_set(
    world: World, stand: Stand
) -> None:
    world.upstreams.publish("foo", replace(FOO, version="1.1", body=MAJOR).files())
    world.start(FOO.folder())
    job = {name: value for name, value in stand.job().items() if value != stand.token}
    result = world.run("on-schedule", **job)
    assert (result.status, stand.asked()) == (0, [])
    assert world.origin.head("update-foo")
    assert result.stderr.count("reviews stay branches: set ACCESS_TOKEN or ") == 1


def test_a_quiet_run_costs_one_request_and_pushes_nothing(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.run()
    state = shown.world.origin.head("state")
    shown.stand.forget_asked()
    assert shown.run().status == 0
    assert shown.stand.asked() == [shown.stand.listing]
    assert shown.world.origin.head("state") == state


def test_what_a_person_closed_is_left_alone_until_upstream_moves(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.service.close_by_person(1)
    shown.run()
    shown.run()
    assert shown.only.state == "closed"
    assert b"foo 1 declined" in shown.world.origin.tree("state")[".forge"]
    shown.publish("1.2")
    assert shown.run().status == 0
    *before, now = shown.stand.reviews()
    assert (now.state, "`1.0-1` to `1.2-1`" in now.body) == ("open", True)
    if shown.stand.reopens:
        assert before == []
    else:
        assert [(one.number, one.state) for one in before] == [(1, "closed")]
        assert f"This takes the place of {before[0].url}." in now.body
    shown.stand.forget_asked()
    assert shown.run().status == 0
    assert shown.stand.asked() == [shown.stand.listing]


def test_what_became_useless_and_useful_again_is_no_persons_word(shown: Shown) -> None:
    for version, body in (("1.1", MAJOR), ("1.2", FOO.body), ("1.3", MAJOR)):
        shown.publish(version, body)
        assert shown.run().status == 0
    *before, now = shown.stand.reviews()
    assert {one.state for one in before} <= {"closed"}
    assert (now.state, "to `1.3-1`" in now.body) == ("open", True)


def test_a_forge_that_fails_undoes_nothing_and_the_next_run_repeats_it(shown: Shown) -> None:
    shown.stand.break_down(500)
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    result = shown.run("--json")
    assert result.status == 5
    assert result.builds() == ["bar"]
    assert result.json["handed_over"]
    assert any("500" in problem for problem in result.json["problems"])
    assert shown.world.origin.head("update-foo")
    shown.stand.recover()
    again = shown.run()
    assert again.status == 0
    assert (shown.only.branch, shown.only.state) == ("update-foo", "open")


def test_a_run_that_died_between_push_and_forge_is_completed_by_a_fresh_clone(shown: Shown) -> None:
    shown.publish("1.1")
    shown.stand.break_down(500)
    shown.run()
    shown.stand.recover()
    shown.world.clone("--depth=1")
    shutil.rmtree(shown.world.folder / "home", ignore_errors=True)
    assert shown.run().status == 0
    assert "`1.0-1` to `1.1-1`" in shown.only.body


@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_run_that_is_killed_while_it_talks_to_the_forge_leaves_one_review(
    shown: Shown, killables: Killables, request_number: int
) -> None:
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    shown.stand.break_down(hang_s=0.4)
    process = killables.start("on-schedule", cwd=shown.world.work, env={**shown.world.env, **shown.stand.variables})
    while len(shown.stand.asked()) < request_number:
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    assert killables.wait().was_killed
    shown.stand.recover()
    result = shown.run("--json")
    assert result.status == 0
    assert (shown.only.state, "`1.0-1` to `1.1-1`" in shown.only.body) == ("open", True)
    assert result.builds() == ["bar"], "the hand-over was due, too"


def test_a_dry_run_asks_the_forge_nothing(shown: Shown) -> None:
    shown.publish("1.1")
    assert shown.run("--dry-run").status == 0
    assert shown.stand.asked() == []


def test_without_a_token_the_schedule_is_handed_over_and_the_run_says_what_to_set(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    result = shown.run("--json", **dict.fromkeys(shown.stand.variables, ""))
    assert result.status == 5
    assert result.builds() == ["bar"]
    assert shown.stand.missing in result.json["problems"][0]


def test_the_scheduled_commit_is_marked_after_the_hand_over(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    shown.run()
    main = shown.world.origin.head("main") or ""
    assert shown.service.marks(main) == [("ci-toolkit/schedule", "success", "1 build handed over")]
    shown.run()
    assert len(shown.service.marks(main)) == 1, "nothing was handed over"


def test_a_hand_over_that_fails_marks_it_as_failed(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    (shown.world.work / ".ci/schedule-params.txt").unlink(missing_ok=True)
    (shown.world.work / ".ci/schedule-params.txt").mkdir(parents=True)
    result = shown.run()
    assert result.status == 13, result.stdout + result.stderr
    [(_, state, _)] = shown.service.marks(shown.world.origin.head("main") or "")
    assert state == "failure"


def test_on_commit_marks_the_commit_too(shown: Shown) -> None:
    shown.world.push({"bar/x": "1\n"})
    assert shown.world.run("on-commit", **shown.stand.variables).status == 0
    main = shown.world.origin.head("main") or ""
    assert shown.service.marks(main) == [("ci-toolkit/schedule", "success", "1 build handed over")]


def test_a_schedule_by_trigger_is_marked_too(shown: Shown) -> None:
    shown.world.push({"bar/.CI/config": "CI_PKGBUILD_SOURCE=aur\nCI_ON_TRIGGER=nightly\n"}, "chore: nightly")
    shown.world.clone()
    assert shown.run(TRIGGER="nightly").status == 0
    marks = shown.service.marks(shown.world.origin.head("main") or "")
    assert [mark[1:] for mark in marks] == [("success", "1 build handed over")]


def test_the_dashboard_is_kept_where_it_is_wanted(world: World, stand: Stand) -> None:
    shown = Shown(world, stand, CI_DASHBOARD="true")
    shown.publish("1.1")
    world.upstreams.fail(lambda seen: seen.kind == "dump", status=500)
    shown.run()
    world.upstreams.faults.clear()
    shown.run()
    [description] = stand.issues()
    assert f"[`foo` #{shown.only.number}]({shown.only.url})" in description
    assert "## Failing (0)" in description


def test_people_and_labels_are_configurable(world: World, stand: Stand) -> None:
    more = {"CI_REVIEW_LABELS": "one, two", "CI_HUMAN_REVIEW_ASSIGNEE": "alice", "CI_REVIEW_REVIEWERS": "bob"}
    shown = Shown(world, stand, CI_REVIEW_DRAFT="true", **more)
    shown.publish("1.1")
    shown.run()
    assert (shown.only.labels, shown.only.assignees, shown.only.reviewers) == (["one", "two"], ["alice"], ["bob"])
    assert shown.only.is_draft
    shown.publish("1.2")
    shown.run()
    assert (shown.only.is_draft, "1.2-1" in shown.only.title) == (True, True)


def test_commits_of_people_on_the_branch_keep_the_review_as_it_is(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.world.push({"foo/fix.patch": "x\n"}, "fix: it", branch="update-foo")
    before = shown.only.body
    shown.publish("1.2")
    assert shown.run().status == 0
    assert (shown.only.state, shown.only.body) == ("open", before)


def test_a_branch_of_people_is_not_shown(shown: Shown) -> None:
    shown.world.push({"readme/x": "1\n"}, "docs: more", branch="update-readme")
    shown.world.push({"bar/x": "1\n"}, "fix: bar", branch="update-bar")
    shown.run()
    assert shown.stand.reviews() == []


def test_a_limited_run_opens_no_review_for_a_branch_that_proposes_nothing(shown: Shown) -> None:
    shown.world.origin.git("update-ref", "refs/heads/update-bar", "refs/heads/main")
    shown.world.origin.commit({"other": "1\n"}, "chore(update): bar", branch="update-bar", author=BOT)
    shown.publish("1.1")
    assert shown.run(CI_TEST_PACKAGES="foo").status == 0
    assert shown.only.branch == "update-foo"
    assert shown.world.origin.head("update-bar"), "it is not this run's business"


def test_a_limited_run_leaves_the_reviews_of_others_as_they_are(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    assert shown.run(CI_TEST_PACKAGES="bar").status == 0
    assert shown.states == ["open"]


def test_a_merged_review_is_left_as_it_is_and_its_branch_goes(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.world.origin.git("update-ref", "refs/heads/main", "update-foo")
    shown.service.merge_by_person(1)
    shown.world.clone()
    assert shown.world.run("on-commit").status == 0
    shown.stand.forget_asked()
    assert shown.run().status == 0
    assert shown.states == ["merged"]
    assert [request for request in shown.stand.written() if "statuses" not in request] == []
    assert not shown.world.origin.head("update-foo")
    assert ".forge" not in shown.world.origin.tree("state")


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_ones_own_is_trusted_when_it_is_in_the_repository(
    world: World, kind: str, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    files = {".ci/ca.pem": certificate.read_text(), ".ci/other.pem": self_signed(tmp_path / "other").read_text()}
    with open_stand(kind, lambda branch: world.origin.head(branch) or None, certificate=certificate) as stand:
        shown = Shown(world, stand, files, CI_FORGE_CA=".ci/ca.pem")
        shown.publish("1.1")
        refused = shown.run("--json", CI_FORGE_CA=".ci/other.pem")
        assert refused.status == 5
        assert "CI_FORGE_CA" in refused.json["problems"][0]
        assert stand.reviews() == []
        assert shown.run().status == 0
        assert shown.only.branch == "update-foo"


@pytest.mark.parametrize("fault", [None, 401, 403, 500])
def test_the_token_is_seen_nowhere(shown: Shown, fault: int | None) -> None:
    token = shown.stand.token
    noted = _watch_git(shown.world)
    if fault:
        body = b'{"message":"%s is not welcome"}' % token.encode()
        shown.stand.break_down(fault, method="POST" if fault == 500 else "", body=body)
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    surroundings = {"GITLAB_CI": "true"} if shown.stand.kind == "gitlab" else {"GITHUB_ACTIONS": "true"}
    result = shown.world.run("--verbose", "on-schedule", "--json", **shown.stand.variables, **surroundings)
    assert result.status == (5 if fault else 0), result.stderr
    places = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode(), "arguments": noted.read_bytes()}
    for folder in (shown.world.work, shown.world.folder / "home", shown.world.origin.path):
        places.update({str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    for ref in shown.world.origin.refs():
        for path, content in shown.world.origin.tree(ref).items():
            places[f"{ref}:{path}"] = content
    forms = _forms(token)
    assert [place for place, content in places.items() if any(form.encode() in content for form in forms)] == []
    assert not any(token in text for one in shown.stand.reviews() for text in (one.title, one.body, *one.comments))
    assert not any(form in request for request in shown.stand.asked() for form in forms)


def _watch_git(world: World) -> Path:
    """A file that gets every argument of every git."""
    tools = world.folder / "tools"
    tools.mkdir()
    noted = world.folder / "noted"
    spy = tools / "git"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {noted}\nexec {shutil.which("git")} "$@"\n')
    spy.chmod(0o755)
    world.env["PATH"] = f"{tools}:{world.env['PATH']}"
    return noted


def _forms(token: str) -> set[str]:
    """How it could be written."""
    encoded = (base64.b64encode(text.encode()).decode().rstrip("=") for text in (token, f"oauth2:{token}"))
    return {token, quote(token, safe=""), *encoded}
