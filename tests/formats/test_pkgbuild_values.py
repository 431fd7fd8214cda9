"""What is told about a PKGBUILD without running it is what makepkg prints, or nothing is told."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Limits, Program, Sandbox
from ci_toolkit.errors import FormatError
from ci_toolkit.formats.pkgbuild_values import StaticSection, Unknown, static_values
from ci_toolkit.formats.srcinfo import Section, SrcInfo
from ci_toolkit.model.observation import UpstreamFile
from tests.support.makepkg import quick_library
from tests.support.pkgbuild_table import BODY, COMPUTED, HEAD, PLAIN
from tests.support.tools import needs_makepkg

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = {**{f"plain: {name}": text for name, text in PLAIN.items()}, **{f"computed: {k}": v for k, v in COMPUTED.items()}}
_PARTS = 4  # for workers to share
_EACH = (
    "export LIBRARY=$PWD/.library; for one in */; do"
    " (cd $one && makepkg --printsrcinfo >printed 2>said </dev/null || rm -f printed); done; true"
)


def _printed(cases: Sequence[str]) -> dict[str, bytes]:
    """What real makepkg prints for these cases, in one sandbox; a case that it refuses is not there."""
    sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))
    names = {f"{number:03}": name for number, name in enumerate(cases)}
    files = {f"{number}/PKGBUILD": _file(ALL[name]) for number, name in names.items()}
    files |= {f"{number}/demo.install": _file("") for number in names}
    files |= {f".library/{path}": _file(content.decode()) for path, content in quick_library().items()}
    program = Program(words=("bash", "-c", _EACH), network=False, limits=Limits(time_s=500))
    left = sandbox.run(program, files).files
    return {name: left[f"{number}/printed"].content for number, name in names.items() if f"{number}/printed" in left}


def _file(text: str) -> UpstreamFile:
    return UpstreamFile(mode="100644", content=text.encode())


def _differences(told: StaticSection, printed: Section, *, is_base: bool) -> list[str]:
    found = []
    for key in dict.fromkeys((*printed.keys(), *told.values)):
        value = told.value(key)
        expected = printed.values(key) if is_base or printed.overrides(key) else None
        if is_base and value is None:
            value = ()
        if not isinstance(value, Unknown) and value != expected:
            found.append(f"{key}: told {value}, printed {expected}")
    return found


def _wrong(name: str, printed: bytes) -> list[str]:
    """Where what is told of a case is not what makepkg printed."""
    values = static_values(ALL[name].encode())
    try:
        info = SrcInfo.parse(printed, file=name)
    except FormatError:
        return [] if isinstance(values.names, Unknown) else [f"{name}: is no .SRCINFO, but something is told"]
    found = [] if values.pkgbase == (info.pkgbase,) or isinstance(values.pkgbase, Unknown) else ["pkgbase"]
    found += [] if values.names == info.names or isinstance(values.names, Unknown) else ["pkgname"]
    found += _differences(values.base, info.base, is_base=True)
    for package in info.packages:
        found += _differences(values.package(package.name), package, is_base=False)
    return [f"{name}: {one}" for one in found]


@needs_makepkg
@pytest.mark.parametrize("part", range(_PARTS))
def test_is_what_makepkg_prints_or_unknown(part: int) -> None:
    cases = [*ALL][part::_PARTS]
    printed = _printed(cases)
    assert [name for name in cases if name.startswith("plain: ") and name not in printed] == [], "refused by makepkg"
    assert len(printed) > len(cases) * 0.8
    assert [line for name in printed for line in _wrong(name, printed[name])] == []


@pytest.mark.parametrize("name", PLAIN)
def test_everything_is_known_of_plain_ones(name: str) -> None:
    values = static_values(PLAIN[name].encode())
    assert isinstance(values.names, tuple)
    sections = [values.base, *(values.package(package) for package in values.names)]
    assert [
        value for section in sections for key in section.values if isinstance(value := section.value(key), Unknown)
    ] == []
    assert all(section.all_keys is None for section in sections)


@pytest.mark.parametrize(
    ("more", "key", "why"),
    [
        ("pkgdesc=$(date)\n", "pkgdesc", "by a command"),
        ("pkgdesc=$_nowhere\n", "pkgdesc", "nothing has set"),
        ("[ -e x ] && pkgdesc=a\n", "pkgdesc", "under a condition"),
        ("source=(*.patch)\n", "source", "names of files"),
        ("eval x\n", "depends", "eval is run"),
        ("declare -l url\nurl=X\n", "url", "declared in a special way"),
        ("msg() { :; }\n", "source", "the function msg"),
    ],
)
def test_says_why_it_does_not_know(more: str, key: str, why: str) -> None:
    value = static_values((HEAD + more + BODY).encode()).base.value(key)
    assert isinstance(value, Unknown)
    assert why in value.why


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"pkgname=a\0", b"pkgname=a\r\n", b"\xef\xbb\xbfpkgname=a\n", b"pkgname=(\n"]
)
def test_unreadable_ones_are_unknown(data: bytes) -> None:
    assert isinstance(static_values(data).names, Unknown)


_TIMES = 2_000
HOSTILE = {
    "growing": "_a=xxxxxxxx\n" + "_a=$_a$_a$_a$_a\n" * 60,
    "growing list": "_a=(x x)\n" + '_a=("${_a[@]}" "${_a[@]}")\n' * 60,
    "braces": "_a=(" + "{a,b}" * 60 + ")\n",
    "deep braces": "_a=(" + "{a," * 5_000 + "}" * 5_000 + ")\n",
    "deep expansions": "_a=" + "${x:-" * 20_000 + "}" * 20_000 + "\n",
    "deep quotes": '_a="' + '${x:-"' * 5_000 + '"}' * 5_000 + '"\n',
    "pattern": "_a=" + "a" * 5_000 + "\n_b=${_a//" + "*a" * 100 + "b/x}\n",
    "patterns": "_a=" + "ab" * 300 + "\n" + "_b=${_a//*a*b*c/x}${_a%%*a*b*c}\n" * 5_000,
    "open expansions": ": " + "${" * 50_000 + "\n",
    "open expansions and brackets": ': "' + "${a[@" * 15_000 + '"\n',
    "brackets that are no test": ": " + "[[ [ a[b " * 30_000 + "]=\n",
    "continuations": "package() {\n" + "\\\n" * 100_000 + "}\n",
    "long braced word": "_a=({" + "a$b" * 100_000 + ",})\n",
    "many pieces": '_a=("' + "\\a" * 200_000 + '")\n',
    "packages": "pkgname=(" + " ".join(f"p{number}" for number in range(500)) + ")\npackage() {\n" + "  depends=(a)\n" * 5_000 + "}\n",
    "many": "_a=1\n" * 50_000,
    "many not ascii": "_a=ü\n" * 50_000,
    "long word": "_a=" + "a" * 900_000 + "\n",
    "long list": "_a=(" + "a " * 200_000 + ")\n",
    "nested": "(" * 20_000 + "\n",
    "open brackets": "_x${a[" * 30_000 + "\n",
    "comparisons": "[[ " * 50_000 + "\n",
    "index": "if x; then " + "a[" * 50_000 + "\nfi\n",
    "quotes": "'" * 99_999 + "\n",
    "commas": "_a=(" + "," * 50_000 + "{a,b})\n",
    "package": "package() {\n" + "  depends=(a)\n" * 20_000 + "}\n",
    "names": "pkgname=(" + " ".join(f"p{number}" for number in range(20_000)) + ")\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_bounded_time(name: str) -> None:
    start = time.process_time()
    static_values((HEAD + HOSTILE[name]).encode())
    assert time.process_time() - start < 5


_PIECES = st.sampled_from([
    "pkgver", "_a", "_b", "=", "+=", "(", ")", "$", "${", "}", "'", '"', "\\", "\n", " ", ";", "#", "/", "//", "%", ":-", ":",
    "[@]", "[0]", "{a,b}", "1.0", "x", "depends", "^^", "*", "ü", "`", "$(", "&&", "package() {\n", "}\n", "if x; then\n", "fi\n",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=40))
def test_never_fails(pieces: list[str]) -> None:
    text = "".join(pieces)
    values = static_values((HEAD + text).encode())
    assert isinstance(values.pkgbase, tuple | Unknown)
    assert not re.search(r"\n", values.pkgbase[0] if isinstance(values.pkgbase, tuple) and values.pkgbase else "")
