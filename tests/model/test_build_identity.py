"""Which change makes it another build, and which does not."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.build_identity import BuildInputs, build_settings, files_digest
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config

FOLDER = {
    "PKGBUILD": "pkgname=a\n",
    ".SRCINFO": "pkgbase = a\n",
    "fix.patch": "-a\n+b\n",
    "a.install": "post_install() { :; }\n",
    CONFIG_PATH: "CI_PKGBUILD_SOURCE=aur\n",
    ".CI/prepare": "echo\n",
    ".CI/info": "REQ_ORIGIN=x\n",
    ".CI/update.sh": "true\n",
    ".gitignore": "*\n",
    "nvchecker.toml": "[a]\n",
}
INPUTS = BuildInputs(
    recipe="makepkg 1",
    root="r" * 64,
    architecture="x86_64",
    files="f" * 64,
    settings={"bump": "", "network": "False"},
    built_with={"lib 1-1": "1" * 64},
    heads={"git+https://example.org/a.git": "2" * 40},
)


def inputs(folder: dict[str, str], modes: dict[str, str] | None = None) -> tuple[str, dict[str, str]]:
    """What of the identity comes from a package's folder."""
    files = {
        path: UpstreamFile(mode=(modes or {}).get(path, "100644"), content=text.encode())
        for path, text in folder.items()
    }
    config = parse_package_config(KeyValueFile.parse(folder.get(CONFIG_PATH, "").encode(), file=CONFIG_PATH))
    return files_digest(files), build_settings(config)


@pytest.mark.parametrize(
    ("path", "text", "is_another"),
    [
        ("PKGBUILD", "pkgname=a\npkgrel=2\n", True),
        ("PKGBUILD", "pkgname=a", True),
        ("fix.patch", "-a\n+c\n", True),
        ("fix.patch", None, True),
        ("a.install", "", True),
        ("new", "", True),
        ("sub/.SRCINFO", "", True),
        (".CI/prepare", "echo 2\n", True),
        (".CI/PKGBUILD.append", "unset check\n", True),
        (".CI/interfere.patch", "x", True),
        (".CI/on-success.sh", "true\n", True),
        (".SRCINFO", "pkgbase = b\n", False),
        (".SRCINFO", None, False),
        (".CI/info", "REQ_ORIGIN=y\n", False),
        (".CI/update.sh", "false\n", False),
        (".gitignore", None, False),
        ("nvchecker.toml", "[b]\n", False),
        (".nvchecker.toml", "[b]\n", False),
        (CONFIG_PATH, None, False),
        (CONFIG_PATH, "# a comment\nCI_PKGBUILD_SOURCE=custom\n", False),
        (CONFIG_PATH, "BUILDER_CLASS=5\n", False),
        (CONFIG_PATH, "BUILDER_EXTRA_TIMEOUT=5\n", False),
        (CONFIG_PATH, "BUILDER_CACHE_SOURCES=true\n", False),
        (CONFIG_PATH, "CI_REBUILD_TRIGGERS=glibc\n", False),
        (CONFIG_PATH, "CI_MANAGE_AUR=true\n", False),
        (CONFIG_PATH, "BUILDER_NETWORK=false\n", False),
        (CONFIG_PATH, "BUILDER_NETWORK=true\n", True),
        (CONFIG_PATH, "BUILDER_ALLOW_PROHIBITED=true\n", True),
        (CONFIG_PATH, "CI_PACKAGE_BUMP=1.0-1/1\n", True),
        (CONFIG_PATH, "CI_PACKAGE_BUMP=1.0-1/1\nCI_MANAGE_AUR=true\n", False),
    ],
)
def test_what_a_build_reads_makes_it_another_and_nothing_else(path: str, text: str | None, is_another: bool) -> None:
    changed = {name: content for name, content in FOLDER.items() if name != path}
    if text is not None:
        changed[path] = text
    assert (inputs(changed) != inputs(FOLDER)) == is_another


def test_a_mode_makes_it_another_and_the_order_of_files_does_not() -> None:
    assert inputs(FOLDER, {"fix.patch": "100755"}) != inputs(FOLDER)
    assert inputs(FOLDER, {".SRCINFO": "100755"}) == inputs(FOLDER)
    assert inputs(dict(reversed(FOLDER.items()))) == inputs(FOLDER)


def test_every_bump_is_another() -> None:
    bumps = ("", "1.0-1/1", "1.0-1/2", "1.0-2/1", "1.0/1", "2", "1:1.0-1/1")
    found = {str(inputs({CONFIG_PATH: f"CI_PACKAGE_BUMP={bump}\n"})) for bump in bumps}
    assert len(found) == len(bumps)


def test_contents_cannot_be_moved_between_files_unseen() -> None:
    pairs = [{"a": "xy", "b": ""}, {"a": "x", "b": "y"}, {"a": "", "b": "xy"}, {"ab": "xy"}, {"a": "xyb100644"}]
    assert len({inputs(folder)[0] for folder in pairs}) == len(pairs)


def test_any_name_that_git_can_hold_is_read() -> None:
    names = ("\udcff", "\udcfe", "a\nb", "a\x01", "ä")
    assert len({inputs({name: ""})[0] for name in names}) == len(names)


OTHER = {
    "recipe": "makepkg 2",
    "root": "s" * 64,
    "architecture": "aarch64",
    "files": "g" * 64,
    "settings": {"bump": "", "network": "True"},
    "built_with": {"lib 1-1": "3" * 64},
    "heads": {"git+https://example.org/a.git": "4" * 40},
}


def test_every_input_makes_it_another_build_and_some_are_the_owners() -> None:
    assert OTHER.keys() == {field.name for field in fields(BuildInputs)}
    others = {name: replace(INPUTS, **{name: value}) for name, value in OTHER.items()}  # type: ignore[arg-type]  # by name
    assert len({one.identity for one in (INPUTS, *others.values())}) == 1 + len(others)
    assert {name for name, one in others.items() if one.own == INPUTS.own} == {"root", "built_with"}
    assert len({one.own for one in others.values()}) == len(others) - 1


def test_identities_are_hexadecimal_and_do_not_depend_on_order() -> None:
    two = {"a": "1", "b": "2"}
    assert replace(INPUTS, heads=two).identity == replace(INPUTS, heads=dict(reversed(two.items()))).identity
    assert {len(INPUTS.identity), len(INPUTS.own)} == {64}
    assert set(INPUTS.identity + INPUTS.own) <= set("0123456789abcdef")
