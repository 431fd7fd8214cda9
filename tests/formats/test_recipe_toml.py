"""`.CI/recipe.toml` is read strictly, and what is wrong in it is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.recipe_toml import RecipeFile, named_recipe, parse_recipe_file, version_file_of

FILES = {"VERSION": b"2.5\n", "empty": b"", "two": b"1\n2\n"}


def parse(content: bytes) -> RecipeFile:
    return parse_recipe_file(content, read=FILES.get)


WHOLE = b"""
recipe = "container"
version = "1.2.0"
release = "3"
needs = ["libfoo>=2", "cmake", "cmake"]
timeout = 90
network = true
publish = "directory"
file = "Containerfile"

[environment]
MODE = "release"
EMPTY = ""
"""


def test_everything_that_can_be_said_is_read() -> None:
    assert parse(WHOLE) == RecipeFile(
        recipe="container",
        version="1.2.0",
        release="3",
        needs=("libfoo>=2", "cmake"),
        timeout_s=90.0,
        network=True,
        publisher="directory",
        environment={"MODE": "release", "EMPTY": ""},
        own={"file": "Containerfile"},
    )


def test_a_version_is_enough() -> None:
    assert parse(b'version = "7"') == RecipeFile(recipe="command", version="7")


def test_a_version_may_stand_in_a_file_of_the_folder() -> None:
    found = parse(b'version_file = "VERSION"')
    assert (found.version, found.version_file) == ("2.5", "VERSION")
    assert version_file_of(b'version_file = "VERSION"') == "VERSION"
    for other in (b"version_file = 5", b'version_file = ".CI/config"', b'version_file = "../x"', b"version_file = "):
        assert version_file_of(other) is None


@pytest.mark.parametrize("path", ["empty", "two"])
def test_a_file_that_has_no_version_is_named(path: str) -> None:
    with pytest.raises(FormatError, match=f"{path}: has no version as its only line"):
        parse(f'version_file = "{path}"'.encode())


def test_pipelines_read_it_as_they_read_srcinfo() -> None:
    srcinfo = parse(WHOLE).srcinfo("hello")
    assert (srcinfo.pkgbase, srcinfo.names, srcinfo.version) == ("hello", ("hello",), "1.2.0-3")
    assert srcinfo.base.values("makedepends") == ("libfoo>=2", "cmake")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ".CI/recipe.toml: version is missing"),
        ("version = 1", ".CI/recipe.toml: version is no text"),
        ('version = "1-2"', ".CI/recipe.toml: version is no version: '1-2' (letters, digits and _.+~ as in pkgver)"),
        ('version = "1\\n2"', "version is no text"),
        ('version_file = "gone"', "version_file names a file that is not there: 'gone'"),
        ('version_file = "../VERSION"', "version_file names no file of the folder beside .CI: '../VERSION'"),
        ('version_file = ".CI/config"', "version_file names no file of the folder beside .CI: '.CI/config'"),
        ('version = "1"\nversion_file = "VERSION"', "version says what version_file says, too (remove one of the two)"),
        ('version = "1"\nrelease = "one"', "release is no release: 'one' (a number, as pkgrel)"),
        ('version = "1"\nrecipe = "../x"', "recipe is no name of a recipe: '../x'"),
        ('version = "1"\nneeds = "cmake"', "needs is no list of texts"),
        ('version = "1"\nneeds = ["--rm"]', "needs names no package: '--rm'"),
        ('version = "1"\ntimeout = 0', "timeout is no number of seconds: '0' (1 or more)"),
        ('version = "1"\ntimeout = true', "timeout is no number of seconds: 'True'"),
        ('version = "1"\ntimeout = inf', "timeout is no number of seconds: 'inf'"),
        ('version = "1"\nnetwork = "yes"', "network is neither true nor false: 'yes'"),
        ('version = "1"\npublish = 5', "publish is no text"),
        ('version = "1"\nenvironment = 5', "environment is no table: '5'"),
        ('version = "1"\n[environment]\n"A=B" = "c"', "environment has a name that no variable can have: 'A=B'"),
        ('version = "1"\n[environment]\nA = 5', "environment.A is no text: '5' (write it in quotes)"),
    ],
)
def test_what_cannot_be_is_named_with_its_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text.encode())
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version = ", "is no TOML"),
        (b'version = "1"\n\xff', ".CI/recipe.toml line 2: is not UTF-8"),
        (b"#" * (1 << 20) + b"##", "is larger than"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_toml_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse(content)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_refused_and_never_a_bug(content: bytes) -> None:
    try:
        parse(content)
    except (ConfigError, FormatError):
        assert named_recipe(content)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b'recipe = "nix"', "nix"), (b"", "command"), (b"recipe = 5", "command"), (b"recipe = ", "command")],
)
def test_a_file_that_cannot_be_read_goes_to_the_recipe_that_says_why(content: bytes, name: str) -> None:
    assert named_recipe(content) == name
