"""nvchecker as a source, with its real program in the real sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.packages import SamplePackage
from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from tests.support.world import World

pytestmark = needs_makepkg
ON = "CI_PKGBUILD_SOURCE=custom\nCI_NVCHECKER=true\n"


def manual(version: str) -> str:
    return f'source = "manual"\nmanual = "{version}"\n'


def begin(world: World, entries: dict[str, str], *, config: str = ON, **settings: str) -> None:
    files: dict[str, str] = {}
    for name, entry in entries.items():
        package = SamplePackage(name=name, sums="SKIP")
        files |= package.folder(config)
        files[f"{name}/nvchecker.toml"] = f"[{name}]\n{entry}"
    world.start(files, settings=settings)


def test_a_new_version_is_made_and_reviewed_unless_that_is_switched_off(world: World) -> None:
    begin(world, {"app": manual("v1.5"), "same": manual("1.0"), "older": manual("0.9")})
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"app": "review-opened", "same": "baseline", "older": "absent-upstream"}
    assert "CI_NVCHECKER_REVIEW" in result.verdicts()["app"]["why"]
    assert "pkgver=1.5\n" in world.origin.tree("update-app")["app/PKGBUILD"].decode()
    assert world.run("on-schedule", "--json").codes()["app"] == "review-pending"


def test_without_that_review_it_is_applied(world: World) -> None:
    begin(world, {"app": manual("1.5")}, CI_NVCHECKER_REVIEW="false")
    result = world.run("on-schedule", "--json")
    assert result.codes() == {"app": "applied"}
    assert result.builds() == ["app"]


def test_one_bad_entry_never_hides_the_others(world: World) -> None:
    entries = {
        "good": manual("1.5"),
        "nothing": 'source = "manual"\n',
        "missing": 'source = "nosuch"\n',
        "broken": 'source = "regex"\n',
        "nonsense": manual("$(touch /tmp/x)"),
        "path": manual("../../x"),
        "command": 'source = "cmd"\ncmd = "echo 2.0"\n',
        "failing": 'source = "cmd"\ncmd = "exit 3"\n',
        "untidy": 'source = "cmd"\ncmd = ["not", "a", "text"]\n',
    }
    begin(world, entries)
    world.push({"toml/nvchecker.toml": "[[[", **SamplePackage(name="toml").folder(ON)})
    world.origin.tag("scheduled", "main")
    result = world.run("on-schedule", "--json")
    codes = result.codes()
    assert (codes.pop("good"), codes.pop("command")) == ("review-opened", "review-opened")
    assert set(codes.values()) == {"unreachable"}
    whys = {name: verdict["why"] for name, verdict in result.verdicts().items()}
    assert "nosuch" in whys["missing"]
    assert "regex" in whys["broken"]
    assert "is no TOML" in whys["toml"]
    assert "which is no version" in whys["nonsense"]


def test_a_command_sees_no_secret_and_cannot_speak_for_others(world: World) -> None:
    steal = (
        "{ env; cat /proc/*/environ; cat ~/.netrc; ls ..; } > seen 2>&1; grep -q canary seen && echo 9.9 || echo 1.7;"
        ' echo \'{\\"event\\": \\"updated\\", \\"name\\": \\"good\\", \\"version\\": \\"6.6\\"}\' >> /proc/1/fd/1 || :'
    )
    begin(world, {"good": manual("1.5"), "spy": f'source = "cmd"\ncmd = "{steal}"\n'})
    result = world.run("on-schedule", "--json", ACCESS_TOKEN="canary-00ff", GITHUB_TOKEN="canary-11ee")
    verdicts = result.verdicts()
    assert (verdicts["good"]["to"], verdicts["spy"]["to"]) == ("1.5-1", "1.7-1")


def test_a_command_that_may_come_from_upstream_is_not_run(world: World) -> None:
    marker = world.folder / "marker"
    world.upstreams.publish("app", SamplePackage(name="app").files())
    begin(
        world,
        {"app": f'source = "cmd"\ncmd = "touch {marker}"\n'},
        config="CI_PKGBUILD_SOURCE=aur\nCI_NVCHECKER=true\n",
    )
    verdict = world.run("on-schedule", "--json").verdicts()["app"]
    assert verdict["code"] == "unreachable"
    assert "has a command" in verdict["why"]
    assert not marker.exists()


def test_a_package_without_its_file_is_said(world: World) -> None:
    world.start(SamplePackage(name="app").folder(ON))
    assert "neither nvchecker.toml nor .nvchecker.toml" in world.run("on-schedule", "--json").verdicts()["app"]["why"]


def test_many_packages_of_one_kind_are_one_process(world: World) -> None:
    begin(world, {f"app{number}": manual("1.5") for number in range(5)}, CI_NVCHECKER_REVIEW="false")
    result = world.run("on-schedule", "--json")
    assert set(result.codes().values()) == {"applied"}
