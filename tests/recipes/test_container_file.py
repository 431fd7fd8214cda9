"""What the owner of an image says, and which of the folder's files a build sees."""

from __future__ import annotations

import platform
import tomllib

import pytest

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.recipe_toml import RecipeFile
from ci_toolkit.recipes.container.keys import (
    ContainerKeys,
    build_arguments,
    parse_container_keys,
    read_containerfile,
)
from tests.support.recipes import files


def keys(text: str) -> ContainerKeys:
    return parse_container_keys(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "paths", "expected"),
    [
        ("", ("Containerfile", "Dockerfile"), "Containerfile"),
        ("", ("Dockerfile", "sub/Containerfile"), "Dockerfile"),
        ('context = "sub"', ("Containerfile", "sub/Dockerfile"), "sub/Dockerfile"),
        ('context = "sub"\nfile = "Other"', ("Other", "sub/Other"), "sub/Other"),
        ('context = "sub"\nfile = "images/Other"', ("images/Other", "sub/x"), "images/Other"),
    ],
)
def test_the_containerfile_is_found(text: str, paths: tuple[str, ...], expected: str) -> None:
    assert keys(text).path_in(files(**dict.fromkeys(paths, "FROM scratch\n"))) == expected


def test_a_containerfile_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="file is not in the folder: 'sub/Containerfile or sub/Dockerfile'"):
        keys('context = "sub"').path_in(files(Containerfile="FROM scratch\n"))
    folder = files(Containerfile="FROM scratch\n")
    link = {"Containerfile": type(folder["Containerfile"])(mode="120000", content=b"/etc/passwd")}
    with pytest.raises(FormatError, match="is no regular file"):
        read_containerfile(keys(""), link)


def test_the_context_is_what_a_build_reads() -> None:
    folder = files(
        **dict.fromkeys(("a", "sub/b", "sub/c/d", ".CI/config", ".CI/prepare", ".SRCINFO", ".gitignore"), "")
    )
    assert keys("").context_of(folder).keys() == {"a", "sub/b", "sub/c/d"}
    assert keys('context = "sub"').context_of(folder).keys() == {"b", "c/d"}


def test_what_is_not_needed_is_said_beside_the_containerfile() -> None:
    folder = files(
        **dict.fromkeys(("Containerfile", "Containerfile.dockerignore", ".containerignore"), "FROM scratch\n")
    )
    assert keys("").ignore_file(folder) == "Containerfile.dockerignore"
    assert keys("").ignore_file(files(Containerfile="", **{".containerignore": ""})) is None


def test_arguments_are_those_that_are_asked_for_and_the_owners_come_last() -> None:
    text = '[arguments]\nA = "owner"\nhttps_proxy = "http://proxy.example"\n'
    file = RecipeFile(recipe="container", version="1", environment={"A": "environment", "B": "environment", "C": "x"})
    containerfile = read_containerfile(keys(""), files(Containerfile="ARG A\nFROM scratch\nARG B D\nARG E=1\n"))
    found = build_arguments(file, keys(text), containerfile, {"B": "known", "D": "known", "F": "known"})
    assert found == {"A": "owner", "B": "environment", "D": "known", "https_proxy": "http://proxy.example"}


@pytest.mark.parametrize(
    ("text", "expected", "architecture"),
    [
        ('platforms = ["linux/arm64"]', ["linux/arm64"], "aarch64"),
        ('platforms = ["linux/arm64", "linux/x86_64"]', ["linux/amd64", "linux/arm64"], "any"),
    ],
)
def test_platforms_name_the_file(text: str, expected: list[str], architecture: str) -> None:
    assert [one.text for one in keys(text).platforms] == expected
    assert keys(text).architecture == architecture
    assert keys("").architecture == platform.machine()


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("contexts = 1", "contexts", "is no key here"),
        ('context = ".."', "context", "names nothing inside the folder"),
        ('context = "/etc"', "context", "names nothing inside the folder"),
        ('context = "a/../../b"', "context", "names nothing inside the folder"),
        ('context = ".CI"', "context", "names nothing inside the folder"),
        ('file = "a//b"', "file", "names nothing inside the folder"),
        ("file = 1", "file", "is no text"),
        ('target = "--help"', "target", "is no name of a stage"),
        ('arguments = "a"', "arguments", "is no table"),
        ("[arguments]\nA = 1", "arguments.A", "is no text"),
        ('[arguments]\n"A B" = ""', "arguments.A B", "is no name that can be used"),
        ('[labels]\n"a=b" = ""', "labels.a=b", "is no name that can be used"),
        ('[labels]\n"-a" = ""', "labels.-a", "is no name that can be used"),
        ('platforms = ["windows/amd64"]', "platforms", "is no platform that is known here"),
        ('platforms = ["linux/arm64", "linux/aarch64"]', "platforms", "names a platform twice"),
    ],
)
def test_what_cannot_be_is_named_with_its_key(text: str, key: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        keys(text)
    assert caught.value.key == key
