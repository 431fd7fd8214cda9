"""`ci-toolkit config`: what is in force, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError
from tests.support.packages import SamplePackage

if TYPE_CHECKING:
    from tests.support.world import World


@pytest.fixture
def settled(world: World) -> World:
    world.start(SamplePackage(name="foo").folder("CI_PKGBUILD_SOURCE=aur\nBUILDER_CLASS=3\n"))
    return world


def test_a_value_is_told_with_its_origin(settled: World) -> None:
    rows = json.loads(settled.run("config", "list", "--json", CI_CLONE_DELAY="5").stdout)
    assert rows["REPO_NAME"] == {"value": "samples", "origin": ".ci/config line 1"}
    assert rows["CI_CLONE_DELAY"] == {"value": "5", "origin": "environment"}
    assert rows["CI_MAX_PARALLEL"] == {"value": "8", "origin": "default"}
    assert rows["CI_AUR_PROXY"] == {"value": None, "origin": "not set"}
    assert "REPO_NAME=samples " in settled.run("config", "list").stdout
    assert settled.run("config", "get", "REPO_NAME").stdout == "samples\n"
    assert settled.run("config", "get", "BUILDER_CLASS", "--package", "foo").stdout == "3\n"


def test_what_the_environment_hides_is_said(settled: World) -> None:
    told = settled.run("config", "explain", "REPO_NAME", REPO_NAME="other").stdout
    assert "environment" in told
    assert ".ci/config line 1 says samples" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "REPO_NAM"), "did you mean REPO_NAME"),
        (("get", "BUILDER_CLASS"), "add --package"),
        (("get", "REPO_NAME", "--package", "foo"), "repository's key"),
        (("list", "--package", "fo"), "did you mean foo"),
        (("list", "--package", "../x"), "no possible package name"),
        (("list", "--repository", "/"), "top of a package repository"),
    ],
)
def test_wrong_questions_are_answered(settled: World, arguments: tuple[str, ...], said: str) -> None:
    result = settled.run("config", *arguments)
    assert result.status == ConfigError.exit_status
    assert said in result.stderr


def test_a_wrong_value_is_named_with_its_line(settled: World) -> None:
    path = settled.work / "foo" / ".CI" / "config"
    path.write_text("CI_PKGBUILD_SOURCE=aur\nCI_FORCE_VCS=maybe\n")
    assert "foo/.CI/config line 2: CI_FORCE_VCS" in settled.run("config", "list", "--package", "foo").stderr


def test_the_schema_knows_every_key_and_the_reference_page_is_current(settled: World) -> None:
    schema = json.loads(settled.run("config", "schema").stdout)
    assert schema["$defs"]["package"]["properties"]["CI_FORCE_VCS"]["enum"] == ["true", "false"]
    assert "REPO_NAME" in schema["$defs"]["repository"]["properties"]
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    # Made by: ci-toolkit config reference > docs/configuration.md
    assert page.read_text() == settled.run("config", "reference").stdout
