"""on-commit, on a real origin over HTTP."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError, NotReadyError, PackagesFailedError, RefusedError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World

CUSTOM = "CI_PKGBUILD_SOURCE=custom\n"


def chain() -> dict[str, str]:
    """Three packages that need each other in a row, named so that the alphabet gives the wrong order."""
    return {
        **SamplePackage(name="zlib").folder(CUSTOM),
        **SamplePackage(name="middle", depends=("zlib>=1.0",)).folder(CUSTOM),
        **SamplePackage(name="app", makedepends=("middle",)).folder(CUSTOM),
    }


def shell_array(world: World, name: str) -> list[str]:
    """An array of the parameters file as a shell reads it."""
    script = f'source .ci/schedule-params.txt; printf "%s\\0" "${{{name}[@]}}"'
    done = subprocess.run(["bash", "-c", script], cwd=world.work, capture_output=True, check=True, env=world.env)
    return done.stdout.decode().split("\0")[:-1]


def test_the_first_commit_schedules_everything_dependencies_first(world: World) -> None:
    world.start(chain(), settings={"CI_DEFAULT_CLASS": "4"}, seen=False)
    result = world.run("on-commit", "--json")
    assert result.status == 0
    assert result.builds() == ["zlib", "middle", "app"]
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head()
    options = ["schedule", "--target-repo=samples", "--source-repo=samples"]
    assert shell_array(world, "PARAMS_SCHEDULE") == [*options, "zlib/4", "middle/4", "app/4"]
    assert world.artifact("deptree.txt") == "app:app:middle;middle:middle:zlib;zlib:zlib:"


def test_a_changed_folder_is_scheduled_and_nothing_else(world: World) -> None:
    world.start(chain())
    world.push({"middle/fix.patch": "x\n"})
    result = world.run("on-commit", "--json")
    assert result.codes() == {"app": "unchanged", "middle": "changed", "zlib": "unchanged"}
    assert result.builds() == ["middle"]
    assert world.run("on-commit", "--json").builds() == []


def test_without_a_change_nothing_is_written_or_pushed(world: World) -> None:
    world.start(chain())
    before = world.origin.refs()
    result = world.run("on-commit")
    assert result.status == 0
    assert world.origin.refs() == before
    assert not (world.work / ".ci/schedule-params.txt").exists()


def test_deploy_in_any_message_of_the_range_schedules(world: World) -> None:
    world.start(chain())
    world.push({"README.md": "1\n"}, "docs: one [deploy zlib] and\n\nmore [deploy app]")
    world.push({"README.md": "2\n"}, "docs: two")
    assert world.run("on-commit", "--json").builds() == ["zlib", "app"]


def test_deploy_all_schedules_everything(world: World) -> None:
    world.start(chain())
    world.push({"README.md": "1\n"}, "docs: x [deploy all]")
    assert world.run("on-commit", "--json").builds() == ["zlib", "middle", "app"]


def test_deploy_of_no_package_is_fatal_and_the_tag_stays(world: World) -> None:
    world.start(chain())
    tag = world.origin.refs()["refs/tags/scheduled"]
    world.push({"app/x": "1\n"}, "fix: x [deploy zilb]")
    result = world.run("on-commit")
    assert result.status == RefusedError.exit_status
    assert "zilb" in result.stderr
    assert "did you mean zlib" in result.stderr
    assert world.origin.refs()["refs/tags/scheduled"] == tag
    assert not (world.work / ".ci/schedule-params.txt").exists()


def test_a_removed_and_a_renamed_package_are_dropped_by_listing_what_remains(world: World) -> None:
    world.start(chain())
    renamed = {f"newname/{path.partition('/')[2]}": text for path, text in SamplePackage(name="app").folder().items()}
    world.push(renamed, "refactor: rename", remove=["app", "middle"])
    result = world.run("on-commit", "--json")
    codes = result.codes()
    assert (codes["app"], codes["middle"], codes["newname"]) == ("removed", "removed", "changed")
    assert shell_array(world, "PARAMS_AUTOREPOREMOVE") == [
        "auto-repo-remove",
        "--target-repo=samples",
        "newname",
        "zlib",
    ]


def test_half_the_packages_gone_is_refused_without_an_override(world: World) -> None:
    names = [f"pkg{number:02}" for number in range(20)]
    world.start({path: text for name in names for path, text in SamplePackage(name=name).folder(CUSTOM).items()})
    world.push({"README.md": "bad merge\n"}, remove=names[:10])
    tag = world.origin.refs()["refs/tags/scheduled"]
    result = world.run("on-commit")
    assert result.status == RefusedError.exit_status
    assert "10 of 20 packages are gone" in result.stderr
    assert world.origin.refs()["refs/tags/scheduled"] == tag
    assert not (world.work / ".ci/schedule-params.txt").exists()
    assert world.run("on-commit", "--allow-mass-removal").status == 0
    assert shell_array(world, "PARAMS_AUTOREPOREMOVE")[2:] == names[10:]


def test_a_dry_run_changes_nothing(world: World) -> None:
    world.start(chain())
    world.push({"app/x": "1\n"})
    origin, local = world.origin.refs(), (world.work / ".git/packed-refs").read_bytes()
    result = world.run("on-commit", "--dry-run", "--json")
    assert result.builds() == ["app"]
    assert world.origin.refs() == origin
    assert (world.work / ".git/packed-refs").read_bytes() == local
    assert not (world.work / ".git/FETCH_HEAD").exists()
    assert not (world.work / ".ci/schedule-params.txt").exists()


@pytest.mark.parametrize(
    ("config", "blamed"),
    [
        ("CI_PKGBUILD_SOURCE=aur\nBUILDER_CLASS=0\n", ".CI/config line 2: BUILDER_CLASS"),
        ("CI_PKGBUILD_SOURCE=aur\nBUILDER_EXTRA_TIMEOUT=fast\n", "BUILDER_EXTRA_TIMEOUT is not a whole number: 'fast'"),
        ("CI_PKGBUILD_CHANGE_ALLOW_REGEX=[\n", "CI_PKGBUILD_CHANGE_ALLOW_REGEX is no regular expression"),
        ("BUILDER_CLASS=2 $(touch /tmp/x)\n", "BUILDER_CLASS"),
    ],
    ids=["class", "timeout", "regex", "shell"],
)
def test_a_broken_config_stops_its_package_only(world: World, config: str, blamed: str) -> None:
    world.start(chain())
    world.push({"app/.CI/config": config, "zlib/x": "1\n"})
    result = world.run("on-commit", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert result.builds() == ["zlib"]
    assert result.verdicts()["app"]["code"] == "bad-config"
    assert blamed in result.verdicts()["app"]["why"]


def test_a_broken_srcinfo_is_named_and_does_not_break_the_deptree(world: World) -> None:
    world.start(chain())
    world.push({"middle/.SRCINFO": "pkgbase = middle\nnonsense\n"})
    result = world.run("on-commit", "--json")
    assert result.status == PackagesFailedError.exit_status
    assert ".SRCINFO line 2" in result.verdicts()["middle"]["problems"][0]
    assert "middle:middle:;" in world.artifact("deptree.txt")


def test_what_was_broken_before_is_no_matter_of_this_push(world: World) -> None:
    world.start({**chain(), "middle/.SRCINFO": "nonsense\n"})
    world.push({"zlib/x": "1\n"})
    result = world.run("on-commit", "--json")
    assert (result.status, result.builds()) == (0, ["zlib"])


def test_names_that_the_backend_or_nobody_takes_are_errors(world: World) -> None:
    hostile = {"Upper/PKGBUILD": "x", "$(touch x)/PKGBUILD": "x", "-rf/PKGBUILD": "x", "a b/PKGBUILD": "x"}
    world.start(chain())
    world.push(hostile)
    result = world.run("on-commit", "--json")
    assert result.status == PackagesFailedError.exit_status
    bad = {name for name, code in result.codes().items() if code == "bad-name"}
    assert bad == {"Upper", "$(touch x)", "-rf", "a b"}
    assert result.builds() == []


def test_tracked_artifacts_are_refused(world: World) -> None:
    world.start({**chain(), ".ci/schedule-params.txt": "PARAMS_SCHEDULE=(evil)\n"})
    result = world.run("on-commit")
    assert result.status == NotReadyError.exit_status
    assert ".ci/schedule-params.txt" in result.stderr


def test_artifacts_of_an_earlier_run_are_replaced(world: World) -> None:
    world.start(chain(), seen=False)
    (world.work / ".ci/schedule-params.txt").write_text("PARAMS_AUTOREPOREMOVE=('old')\n")
    world.run("on-commit")
    assert "old" not in world.artifact("schedule-params.txt")


def test_quotes_around_settings_are_syntax_and_bad_repository_names_are_refused(world: World) -> None:
    world.start(chain(), settings={"REPO_NAME": '"samples"'}, seen=False)
    world.run("on-commit")
    assert "--target-repo=samples" in shell_array(world, "PARAMS_SCHEDULE")
    world.push({".ci/config": world.settings(REPO_NAME="../evil"), "app/x": "1\n"})
    result = world.run("on-commit")
    assert result.status != 0
    assert ".ci/config line 1: REPO_NAME is no repository name: '../evil'" in result.stderr


def test_a_settings_file_that_is_no_text_is_named(world: World) -> None:
    world.start(chain())
    world.push({".ci/config": b"REPO_NAME=a\nX=\0\n"})
    result = world.run("on-commit")
    assert result.status == FormatError.exit_status
    assert ".ci/config line 2" in result.stderr


def test_a_force_pushed_branch_schedules_the_difference_to_the_tag(world: World) -> None:
    world.start(chain())
    world.push({"app/x": "1\n"})
    world.run("on-commit")
    world.origin.git("update-ref", "refs/heads/main", world.origin.git("rev-parse", "main^"))
    world.push({"zlib/y": "1\n"})
    result = world.run("on-commit", "--json")
    assert result.builds() == ["zlib", "app"]
    assert world.origin.refs()["refs/tags/scheduled"] == world.origin.head()


def test_a_shallow_clone_sees_all_messages_since_the_tag(world: World) -> None:
    world.start(chain())
    world.push({"README.md": "0\n"}, "docs: x [deploy app]")
    for number in range(5):
        world.push({"README.md": f"{number + 1}\n"}, "docs: more")
    world.clone("--depth", "1", "--no-tags", "--single-branch")
    assert world.run("on-commit", "--json").builds() == ["app"]


def test_gitlab_gets_the_commit_and_its_pipeline(world: World) -> None:
    world.start(chain(), seen=False)
    sha = world.origin.head() or ""
    world.run("on-commit", GITLAB_CI="true", CI_COMMIT_SHA=sha, CI_PIPELINE_ID="77")
    words = shell_array(world, "PARAMS_SCHEDULE")
    assert words[words.index("--commit") + 1] == f"{sha}:77"
    assert words.index("--commit") < words.index("zlib")


def test_the_mirror_comes_from_the_first_official_database(world: World) -> None:
    databases = "https://a.example/x/y/own.db https://m.example/arch/core/os/x86_64/core.db"
    world.start(chain(), settings={"CI_LIB_DB": f'"{databases}"'}, seen=False)
    world.run("on-commit")
    assert "--arch-mirror=https://m.example/arch/$repo/os/$arch" in shell_array(world, "PARAMS_SCHEDULE")


def test_a_dependant_of_a_lower_class_is_reported_where_that_loses_the_order(world: World) -> None:
    files = {**chain(), "zlib/.CI/config": f"{CUSTOM}BUILDER_CLASS=9\n"}
    world.start(files, settings={"CI_DEFAULT_CLASS": "2"}, seen=False)
    concerns = world.run("on-commit", "--json", "--dry-run").json["schedule"]["concerns"]
    assert concerns == ["middle (class 2) needs zlib (class 9) and may be built before it"]
    concerns = world.run("on-commit", "--json", "--dry-run", CI_BACKEND="local").json["schedule"]["concerns"]
    assert concerns == []


def test_the_environment_wins_over_the_file_and_says_so(world: World) -> None:
    world.start(chain(), settings={"CI_DEFAULT_CLASS": "2"}, seen=False)
    result = world.run("on-commit", CI_DEFAULT_CLASS="7")
    assert "zlib/7" in shell_array(world, "PARAMS_SCHEDULE")
    assert "CI_DEFAULT_CLASS" in result.stderr
