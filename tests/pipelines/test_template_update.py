"""New versions of the CI files: offered in a review branch, or committed, and never over somebody's own work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.formats.changelog import changes_between
from ci_toolkit.pipelines.caller_files import caller_files, read_pin
from tests.support.forge_stands import KINDS, open_stand
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.git import GitRepo
    from tests.support.world import World

PATH = ".gitlab/ci-toolkit.yml"
BRANCH = "refs/heads/ci-toolkit-update"
CHANGES = (
    "# Changes\n\n## Unreleased\n\n- not yet\n\n## 0.3.0\n\n- third\n\n## 0.2.0\n\n- second\n\n## 0.1.0\n\n- first\n"
)
FOO = SamplePackage(name="foo").folder("CI_PKGBUILD_SOURCE=custom\n")


def pinned(version: str) -> str:
    return caller_files("gitlab", version=version)[PATH].decode()


@pytest.fixture
def template(world: World) -> GitRepo:
    (world.upstreams.root / "projects").mkdir()
    project = world.upstreams.repository("projects/ci-toolkit")
    project.commit({"docs/changelog.md": CHANGES})
    for tag in ("v0.1.0", "v0.2.0", "v0.3.0", "v0.4.0-rc1", "nightly"):
        project.tag(tag, "main")
    return project


def start(world: World, text: str, **settings: str) -> None:
    address = f"{world.upstreams.url}/projects/ci-toolkit.git"
    world.start({**FOO, PATH: text}, settings={"TEMPLATE_REPO": address, **settings})


def test_a_new_version_is_offered_once_with_what_changed(world: World, template: GitRepo) -> None:
    mine = pinned("0.1.0") + "\nvariables:\n  MINE: kept\n"
    start(world, mine)
    result = world.run("on-schedule", "--json")
    assert result.status == 0, result.stderr
    assert "ci-toolkit v0.3.0 is there, and v0.1.0 is pinned: the update is to review" in result.json["notes"][0]
    assert world.origin.show(f"ci-toolkit-update:{PATH}").decode() == mine.replace("0.1.0", "0.3.0")
    assert world.origin.show(f"main:{PATH}").decode() == mine
    message = world.origin.git("log", "-1", "--format=%B", "ci-toolkit-update")
    assert message.startswith("chore(ci): update ci-toolkit from v0.1.0 to v0.3.0\n\n## 0.3.0\n\n- third\n\n## 0.2.0")
    assert "first" not in message
    before = world.origin.refs()
    world.run("on-schedule")
    assert world.origin.refs() == before


def test_a_review_that_was_removed_is_not_opened_again_before_the_next_version(world: World, template: GitRepo) -> None:
    start(world, pinned("0.1.0"))
    world.run("on-schedule")
    world.origin.git("update-ref", "-d", BRANCH)
    world.run("on-schedule")
    assert BRANCH not in world.origin.refs()
    template.tag("v0.4.0", "main")
    world.run("on-schedule")
    assert b"==0.4.0" in world.origin.show(f"ci-toolkit-update:{PATH}")


def test_where_it_is_wanted_it_is_committed(world: World, template: GitRepo) -> None:
    start(world, pinned("0.1.0"), TEMPLATE_UPDATES="commit")
    assert world.run("on-schedule").status == 0
    assert world.origin.show(f"main:{PATH}").decode() == pinned("0.3.0")
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head(), "it needs no on-commit run"
    assert BRANCH not in world.origin.refs()


def test_edited_lines_are_shown_as_conflicts_in_a_review(world: World, template: GitRepo) -> None:
    edited = pinned("0.1.0").replace('"ci-toolkit==0.1.0"', '"ci-toolkit==0.1.0"  # ours')
    start(world, edited, TEMPLATE_UPDATES="commit")
    assert world.run("on-schedule").status == 0
    assert world.origin.show(f"main:{PATH}").decode() == edited
    shown = world.origin.show(f"ci-toolkit-update:{PATH}").decode()
    assert '<<<<<<< yours\n      default: "ci-toolkit==0.1.0"  # ours\n' in shown
    assert ">>>>>>> template v0.3.0\n" in shown
    assert "Keep what is right" in world.origin.git("log", "-1", "--format=%B", "ci-toolkit-update")


def test_what_else_the_new_template_changed_comes_with_it(world: World, template: GitRepo) -> None:
    caller = "ci-templates/gitlab/pipeline.yml"
    template.commit({caller: pinned("0.1.0")})
    template.tag("v0.1.0", "main")
    template.commit({caller: pinned("0.5.0") + "    inputs:\n      new: true\n"})
    template.tag("v0.5.0", "main")
    start(world, "# mine\n" + pinned("0.1.0"))
    world.run("on-schedule")
    shown = world.origin.show(f"ci-toolkit-update:{PATH}").decode()
    assert shown == "# mine\n" + pinned("0.5.0") + "    inputs:\n      new: true\n"


def test_a_file_that_calls_another_project_has_its_version_raised(world: World, template: GitRepo) -> None:
    calls = "include:\n  - project: group/ci-toolkit\n    ref: v0.1.0\n    file: /ci-templates/gitlab/pipeline.yml\n"
    address = f"{world.upstreams.url}/projects/ci-toolkit.git"
    world.start({**FOO, ".gitlab-ci.yml": calls}, settings={"TEMPLATE_REPO": address})
    world.run("on-schedule")
    assert world.origin.show("ci-toolkit-update:.gitlab-ci.yml").decode() == calls.replace("v0.1.0", "v0.3.0")


@pytest.mark.parametrize("kind", KINDS)
def test_at_a_service_it_is_a_review_of_its_own(world: World, template: GitRepo, kind: str) -> None:
    with open_stand(kind, lambda branch: world.origin.head(branch) or None) as stand:
        address = f"{world.upstreams.url}/projects/ci-toolkit.git"
        world.start({**FOO, PATH: pinned("0.1.0")}, settings=stand.settings(TEMPLATE_REPO=address))
        for _ in range(2):
            result = world.run("on-schedule", **stand.variables)
            assert result.status == 0, result.stdout + result.stderr
        [one] = stand.reviews()
        assert one.title == "chore(ci): update ci-toolkit from v0.1.0 to v0.3.0"
        assert "- third" in one.body


def test_somebodys_commits_on_the_branch_are_left(world: World, template: GitRepo) -> None:
    start(world, pinned("0.1.0"))
    world.run("on-schedule")
    head = world.push({PATH: "by hand\n"}, branch="ci-toolkit-update")
    template.tag("v0.4.0", "main")
    assert world.run("on-schedule").status == 0
    assert world.origin.refs()[BRANCH] == head


def test_nothing_is_asked_when_it_is_off_or_current_or_somebody_elses(world: World, template: GitRepo) -> None:
    start(world, pinned("0.1.0"), TEMPLATE_ENABLE_UPDATES="false")
    world.run("on-schedule")
    world.push({PATH: "test:\n  script: make\n", ".ci/config": world.settings()})
    world.run("on-commit")
    world.run("on-schedule")
    assert BRANCH not in world.origin.refs()


def test_a_dry_run_and_a_template_that_cannot_be_asked_are_notes(world: World, template: GitRepo) -> None:
    start(world, pinned("0.1.0"))
    before = world.origin.refs()
    dry = world.run("on-schedule", "--dry-run", "--json")
    assert (dry.json["notes"][0], world.origin.refs()) == ("ci-toolkit v0.3.0 is there, and v0.1.0 is pinned", before)
    gone = world.run("on-schedule", "--json", TEMPLATE_REPO=f"{world.upstreams.url}/projects/none.git")
    assert gone.status == 0
    assert gone.json["notes"][0].startswith("ci-toolkit's template cannot be updated: ")


@pytest.mark.parametrize(
    ("service", "text", "pin"),
    [
        (
            "gitlab",
            "include:\n  - component: $CI_SERVER_FQDN/group/sub/ci-toolkit/pipeline@v1.2.3\n",
            "group/sub/ci-toolkit 1.2.3",
        ),
        ("gitlab", "include:\n  - project: 'group/tool'\n    ref: 'v2.0'\n", "group/tool 2.0"),
        ("gitlab", "include:\n  - project: group/tool\n    ref: main\n", ""),
        ("github", "    uses: me/fork/.github/workflows/p.yml@v1.0.1 # pinned\n", "me/fork 1.0.1"),
        ("github", "    uses: actions/checkout@v4\n", ""),
        ("github", "        default: ci-toolkit==1.4.2\n", "None 1.4.2"),
    ],
)
def test_pins_are_read_in_their_usual_forms(service: str, text: str, pin: str) -> None:
    found = read_pin("gitlab" if service == "gitlab" else "github", text.encode())
    assert (f"{found.project} {found.version}" if found else "") == pin


def test_the_changelog_is_cut_to_what_is_new_and_can_be_shown() -> None:
    assert changes_between(CHANGES.encode(), "0.2.0", "0.3.0") == "## 0.3.0\n\n- third"
    assert changes_between(b"## 1.1\n- a\x1b[31mred\n## 1.0\n", "1.0", "1.1") == "## 1.1\n- a [31mred"
    assert changes_between(b"nothing", "1.0", "1.1") == ""
