"""How problems are shown: to people, in a GitHub job, and to services."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.checks.problem import Problem
from ci_toolkit.pipelines.checking import CheckOutcome
from ci_toolkit.reports.code_quality import problems_code_quality
from ci_toolkit.reports.problems import problems_text
from ci_toolkit.reports.sarif import problems_sarif
from ci_toolkit.reports.surroundings import Place, Surroundings, detect
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.checkout import CheckedRepository

BAD = SamplePackage(name="foo").folder("CI_MANAGE_AUR=yes\nnot a line\n")
HOSTILE = "x\n::set-env name=PATH::/evil\r##[add-mask]y %0A\x1b[31m\u202e"


def problem(**fields: Any) -> Problem:
    return Problem(**{"check": "ci-config", "severity": "error", "file": "foo/.CI/config", "text": "t", **fields})


def shown(problems: list[Problem], place: Place, *, colours: bool = False) -> str:
    outcome = CheckOutcome(problems=tuple(problems), packages=1)
    return problems_text(outcome, Surroundings(place=place, colours=colours))


def test_people_read_it_by_file(repository: CheckedRepository) -> None:
    result = repository.write(BAD).check()
    assert (result.status, result.stderr) == (5, "")
    assert result.stdout == (
        "foo/.CI/config\n"
        "  1: error: CI_MANAGE_AUR is neither true nor false: 'yes' [ci-config]\n"
        "  2: warning: passed over, as it is neither blank, comment nor key=value: 'not a line' [ci-config]\n"
        "1 error, 1 warning in 1 package\n"
    )


def test_warnings_alone_are_a_success(repository: CheckedRepository) -> None:
    repository.write(SamplePackage(name="foo").folder("not a line\n"))
    assert repository.check().status == 0


def test_colours_are_for_terminals_that_want_them() -> None:
    coloured = shown([problem()], Place.TERMINAL, colours=True)
    assert "\x1b[31merror\x1b[0m" in coloured
    assert "\x1b" not in shown([problem()], Place.TERMINAL)
    assert "\x1b" not in shown([problem()], Place.GITLAB, colours=True)
    assert not detect({"NO_COLOR": "1"}, io.StringIO()).colours


def test_in_a_github_job_every_problem_is_an_annotation(repository: CheckedRepository) -> None:
    result = repository.write(BAD).check(GITHUB_ACTIONS="true")
    first, second, *_ = result.stdout.split("\n")
    assert first == (
        "::error file=foo/.CI/config,line=1,title=ci-config::CI_MANAGE_AUR is neither true nor false: 'yes'"
    )
    assert second.startswith("::warning file=foo/.CI/config,line=2,title=ci-config::passed over")


@pytest.mark.parametrize("field", ["text", "hint", "file"])
def test_hostile_text_is_no_command_of_the_runner(field: str) -> None:
    lines = shown([problem(**{field: f" ::error::{HOSTILE}"})], Place.GITHUB).split("\n")
    # The runner takes `::` at the start of a line, behind blanks too, and the older `##[` anywhere in one.
    commands = [line for line in lines if line.lstrip().startswith("::") or "##[" in line.split("::")[0]]
    assert len(commands) == 1
    head, _, text = commands[0].removeprefix("::").partition("::")
    assert re.fullmatch(r"error file=[^,:\r\n]*,title=ci-config", head)
    assert "##[" not in "".join(lines[1:])
    assert not re.search(r"[\x00-\x1f\u202e]", text)


def test_file_names_of_annotations_are_escaped() -> None:
    annotation = shown([problem(file="a:b,c%/PKGBUILD", line=3)], Place.GITHUB).split("\n")[0]
    assert annotation == "::error file=a%3Ab%2Cc%25/PKGBUILD,line=3,title=ci-config::t"


def test_json_has_everything(repository: CheckedRepository) -> None:
    value = repository.write(BAD).check("--json").json
    assert (value["errors"], value["warnings"], value["packages"], value["mended"]) == (1, 1, 1, [])
    assert value["problems"][0] == {
        "check": "ci-config",
        "severity": "error",
        "file": "foo/.CI/config",
        "line": 1,
        "text": "CI_MANAGE_AUR is neither true nor false: 'yes'",
        "hint": None,
    }


def test_sarif_is_what_the_standard_asks_for(repository: CheckedRepository) -> None:
    value = repository.write(BAD).check("--sarif").json
    assert value["version"] == "2.1.0"
    (run,) = value["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "ci-toolkit"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note", "none")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "foo/.CI/config"
        assert place["region"]["startLine"] >= 1
        assert all(isinstance(mark, str) for mark in result["partialFingerprints"].values())


def test_names_in_sarif_are_uris() -> None:
    (run,) = json.loads(problems_sarif([problem(file="a b/\udcff%?#")]))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b/%FF%25%3F%23"}}


def test_code_quality_is_what_gitlab_asks_for(repository: CheckedRepository) -> None:
    issues = repository.write(BAD).check("--codequality").json
    assert [issue["severity"] for issue in issues] == ["major", "minor"]
    for issue in issues:
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["location"]["path"] == "foo/.CI/config"
        assert isinstance(issue["location"]["lines"]["begin"], int)


def test_fingerprints_stay_when_lines_move_and_differ_for_each_problem(repository: CheckedRepository) -> None:
    before = repository.write(BAD).check("--codequality").json
    config = f"# moved\n\n{BAD['foo/.CI/config']}"
    after = repository.write({"foo/.CI/config": config}).check("--codequality").json
    assert [issue["fingerprint"] for issue in after] == [issue["fingerprint"] for issue in before]
    twins = json.loads(problems_code_quality([problem(line=1), problem(line=2), problem(file="bar/.CI/config")]))
    assert len({issue["fingerprint"] for issue in twins}) == 3
