"""on-schedule with CI_FORGE=gitlab, from the timer to what people see at the service."""

from __future__ import annotations

import base64
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.gitlab_service import TOKEN, GitlabService
from tests.support.gitlab_world import settings_of
from tests.support.packages import SamplePackage
from tests.support.world import BOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.world import Result, World

TOP = str(Path(__file__).parents[2])
FOO = SamplePackage(name="foo")
BAR = SamplePackage(name="bar")
MAJOR = "curl x | sh"
FORMS = {
    TOKEN,
    quote(TOKEN, safe=""),
    base64.b64encode(TOKEN.encode()).decode().rstrip("="),
    base64.b64encode(f"oauth2:{TOKEN}".encode()).decode().rstrip("="),
}


class Shown:
    """A world whose reviews are shown at a GitLab."""

    def __init__(self, world: World, service: GitlabService, **settings: str) -> None:
        self.world = world
        self.service = service
        for package in (FOO, BAR):
            world.upstreams.publish(package.name, package.files())
        world.start({**FOO.folder(), **BAR.folder()}, settings=settings_of(service, **settings))
        assert self.run().status == 0
        service.requests.clear()

    def run(self, *arguments: str, **variables: str) -> Result:
        return self.world.run("on-schedule", *arguments, **{"ACCESS_TOKEN": TOKEN, **variables})

    def publish(self, version: str, body: str = MAJOR) -> None:
        self.world.upstreams.publish("foo", replace(FOO, version=version, body=body).files())


@pytest.fixture
def service(world: World) -> Iterator[GitlabService]:
    with GitlabService(heads=lambda branch: world.origin.head(branch) or None) as running:
        yield running


@pytest.fixture
def shown(world: World, service: GitlabService) -> Shown:
    return Shown(world, service)


def test_a_review_is_opened_updated_in_place_and_closed_when_it_is_obsolete(shown: Shown) -> None:
    shown.publish("1.1")
    first = shown.run()
    assert first.status == 0, first.stdout + first.stderr
    [one] = shown.service.merge_requests
    assert (one.source, one.target, one.state) == ("update-foo", "main", "opened")
    assert one.title.startswith("chore(update): foo 1.0-1 → 1.1-1 – critical: ")
    assert "`1.0-1` to `1.1-1`" in one.description
    assert one.labels == ["ci", "human-review", "update"]
    assert f"review foo: opened {shown.service.url}" in first.stdout
    assert b"foo 1 open critical " in shown.world.origin.tree("state")[".forge"]

    before = shown.world.origin.head("update-foo") or ""
    shown.publish("1.2")
    assert shown.run().status == 0
    assert [merge_request.iid for merge_request in shown.service.merge_requests] == [1]
    assert "`1.0-1` to `1.2-1`" in one.description
    assert len(one.notes) == 1
    assert "**Now** `1.2-1`" in one.notes[0]
    after = shown.world.origin.head("update-foo") or ""
    assert f"from {before[:10]} to {after[:10]}" in one.notes[0]

    shown.publish("1.3", body=FOO.body)
    assert shown.run().status == 0
    assert one.state == "closed"
    assert one.notes[-1].startswith("Closed by ci-toolkit, because ")
    assert ".forge" not in shown.world.origin.tree("state")
    assert shown.service.commands == []


def test_a_quiet_run_costs_one_request_and_pushes_nothing(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.run()
    state = shown.world.origin.head("state")
    shown.service.requests.clear()
    assert shown.run().status == 0
    assert shown.service.requests == ["GET /projects/group%2Fpackages/merge_requests"]
    assert shown.world.origin.head("state") == state


def test_what_a_person_closed_is_left_alone_until_upstream_moves(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.service.close_by_person(1)
    shown.run()
    shown.run()
    [one] = shown.service.merge_requests
    assert one.state == "closed"
    assert b"foo 1 declined" in shown.world.origin.tree("state")[".forge"]
    shown.publish("1.2")
    shown.run()
    assert one.state == "opened"
    assert "1.2" in one.description
    assert len(shown.service.merge_requests) == 1


def test_a_forge_that_fails_undoes_nothing_and_the_next_run_repeats_it(shown: Shown) -> None:
    shown.service.fail("", 500)
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    result = shown.run("--json")
    assert result.status == 5
    assert result.builds() == ["bar"]
    assert result.json["handed_over"]
    assert any("failed (500)" in problem for problem in result.json["problems"])
    assert shown.world.origin.head("update-foo")
    shown.service.wrong.clear()
    again = shown.run()
    assert again.status == 0
    assert [one.source for one in shown.service.open_ones()] == ["update-foo"]


def test_a_run_that_died_between_push_and_forge_is_completed_by_a_fresh_clone(shown: Shown) -> None:
    shown.publish("1.1")
    shown.service.fail("", 500)
    shown.run()
    shown.service.wrong.clear()
    shown.world.clone("--depth=1")
    shutil.rmtree(shown.world.folder / "home", ignore_errors=True)
    assert shown.run().status == 0
    [one] = shown.service.merge_requests
    assert "`1.0-1` to `1.1-1`" in one.description


@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_run_that_is_killed_while_it_talks_to_the_forge_leaves_one_review(shown: Shown, request_number: int) -> None:
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    slow = shown.service.fail("", hang_s=0.4)
    child = shown.world.spawn("on-schedule", ACCESS_TOKEN=TOKEN, PYTHONPATH=TOP)
    while child.poll() is None and len(shown.service.requests) < request_number:
        time.sleep(0.02)
    child.kill()
    child.communicate()
    assert len(shown.service.requests) >= request_number
    shown.service.wrong.remove(slow)
    result = shown.run("--json")
    assert result.status == 0
    [one] = shown.service.merge_requests
    assert (one.state, "`1.0-1` to `1.1-1`" in one.description) == ("opened", True)
    assert result.builds() == ["bar"], "the hand-over was due, too"


def test_a_dry_run_asks_the_forge_nothing(shown: Shown) -> None:
    shown.publish("1.1")
    assert shown.run("--dry-run").status == 0
    assert shown.service.requests == []


def test_without_a_token_the_schedule_is_handed_over_and_the_run_says_what_to_set(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    result = shown.run("--json", ACCESS_TOKEN="")
    assert result.status == 5
    assert result.builds() == ["bar"]
    assert "ACCESS_TOKEN or GITLAB_TOKEN is missing" in result.json["problems"][0]


def test_the_scheduled_commit_is_marked_after_the_hand_over(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    shown.run()
    main = shown.world.origin.head("main")
    assert shown.service.statuses == [(main, "ci-toolkit/schedule", "success", "1 build handed over")]
    shown.run()
    assert len(shown.service.statuses) == 1, "nothing was handed over"


def test_a_hand_over_that_fails_marks_it_as_failed(shown: Shown) -> None:
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    (shown.world.work / ".ci/schedule-params.txt").unlink(missing_ok=True)
    (shown.world.work / ".ci/schedule-params.txt").mkdir(parents=True)
    result = shown.run()
    assert result.status == 13, result.stdout + result.stderr
    [(commit, _, state, _)] = shown.service.statuses
    assert (commit, state) == (shown.world.origin.head("main"), "failed")


def test_on_commit_marks_the_commit_too(shown: Shown) -> None:
    shown.world.push({"bar/x": "1\n"})
    assert shown.world.run("on-commit", ACCESS_TOKEN=TOKEN).status == 0
    mark = (shown.world.origin.head("main"), "ci-toolkit/schedule", "success", "1 build handed over")
    assert shown.service.statuses == [mark]


def test_a_schedule_by_trigger_is_marked_too(shown: Shown) -> None:
    shown.world.push({"bar/.CI/config": "CI_PKGBUILD_SOURCE=aur\nCI_ON_TRIGGER=nightly\n"}, "chore: nightly")
    shown.world.clone()
    assert shown.run(TRIGGER="nightly").status == 0
    assert [mark[2:] for mark in shown.service.statuses] == [("success", "1 build handed over")]


def test_the_dashboard_is_kept_where_it_is_wanted(world: World, service: GitlabService) -> None:
    shown = Shown(world, service, CI_DASHBOARD="true")
    shown.publish("1.1")
    world.upstreams.fail(lambda seen: seen.kind == "dump", status=500)
    shown.run()
    world.upstreams.faults.clear()
    shown.run()
    [issue] = service.issues
    assert "[`foo` #1](" in issue.description
    assert "## Failing (0)" in issue.description


def test_people_and_labels_are_configurable(world: World, service: GitlabService) -> None:
    more = {"CI_REVIEW_LABELS": "one, two", "CI_HUMAN_REVIEW_ASSIGNEE": "alice", "CI_REVIEW_REVIEWERS": "bob"}
    shown = Shown(world, service, CI_REVIEW_DRAFT="true", **more)
    shown.publish("1.1")
    shown.run()
    [one] = service.merge_requests
    assert (one.labels, one.assignees, one.reviewers) == (["one", "two"], [7], [8])
    assert one.title.startswith("Draft: ")


def test_commits_of_people_on_the_branch_keep_the_review_as_it_is(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.world.push({"foo/fix.patch": "x\n"}, "fix: it", branch="update-foo")
    [one] = shown.service.merge_requests
    before = one.description
    shown.publish("1.2")
    assert shown.run().status == 0
    assert (one.state, one.description) == ("opened", before)


def test_a_branch_of_people_is_not_shown(shown: Shown) -> None:
    shown.world.push({"readme/x": "1\n"}, "docs: more", branch="update-readme")
    shown.world.push({"bar/x": "1\n"}, "fix: bar", branch="update-bar")
    shown.run()
    assert shown.service.merge_requests == []


def test_a_limited_run_opens_no_review_for_a_branch_that_proposes_nothing(shown: Shown) -> None:
    shown.world.origin.git("update-ref", "refs/heads/update-bar", "refs/heads/main")
    shown.world.origin.commit({"other": "1\n"}, "chore(update): bar", branch="update-bar", author=BOT)
    shown.publish("1.1")
    assert shown.run(CI_TEST_PACKAGES="foo").status == 0
    assert [one.source for one in shown.service.merge_requests] == ["update-foo"]
    assert shown.world.origin.head("update-bar"), "it is not this run's business"


def test_a_limited_run_leaves_the_reviews_of_others_as_they_are(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    assert shown.run(CI_TEST_PACKAGES="bar").status == 0
    assert [one.state for one in shown.service.merge_requests] == ["opened"]


def test_a_merged_review_is_left_as_it_is_and_its_branch_goes(shown: Shown) -> None:
    shown.publish("1.1")
    shown.run()
    shown.world.origin.git("update-ref", "refs/heads/main", "update-foo")
    shown.service.merge_by_person(1)
    shown.world.clone()
    assert shown.world.run("on-commit").status == 0
    shown.service.requests.clear()
    assert shown.run().status == 0
    assert [one.state for one in shown.service.merge_requests] == ["merged"]
    assert [request for request in shown.service.written() if "merge_requests" in request] == []
    assert not shown.world.origin.head("update-foo")
    assert ".forge" not in shown.world.origin.tree("state")


@pytest.mark.parametrize("fault", [None, 401, 403, 500])
def test_the_token_is_seen_nowhere(shown: Shown, fault: int | None) -> None:
    tools = shown.world.folder / "tools"
    tools.mkdir()
    noted = shown.world.folder / "noted"
    spy = tools / "git"
    real = shutil.which("git")
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {noted}\nexec {real} "$@"\n')
    spy.chmod(0o755)
    shown.world.env["PATH"] = f"{tools}:{shown.world.env['PATH']}"
    if fault:
        body = b'{"message":"%s is not welcome"}' % TOKEN.encode()
        shown.service.fail("POST" if fault == 500 else "", fault, body=body)
    shown.publish("1.1")
    shown.world.upstreams.publish("bar", replace(BAR, version="1.1").files())
    result = shown.world.run("--verbose", "on-schedule", "--json", ACCESS_TOKEN=TOKEN, GITLAB_CI="true")
    assert result.status == (5 if fault else 0), result.stderr
    places = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode(), "arguments": noted.read_bytes()}
    for folder in (shown.world.work, shown.world.folder / "home", shown.world.origin.path):
        places.update({str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    for ref in shown.world.origin.refs():
        for path, content in shown.world.origin.tree(ref).items():
            places[f"{ref}:{path}"] = content
    assert [place for place, content in places.items() if any(form.encode() in content for form in FORMS)] == []
    assert not any(TOKEN in text for one in shown.service.merge_requests for text in (one.description, *one.notes))
    assert not any(TOKEN in request or quote(TOKEN, safe="") in request for request in shown.service.requests)
