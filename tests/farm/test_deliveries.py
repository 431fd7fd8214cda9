"""A compromised worker delivers what it should not: refused, whatever it says of it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError, UpstreamError
from ci_toolkit.farm.delivery import arrived_files
from ci_toolkit.farm.handed_build import (
    BuildOrder,
    DeliveredFile,
    HandedResult,
    Unfit,
    format_order,
    format_result,
    parse_order,
    parse_result,
)
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.recipes.built_packages import judged_packages
from ci_toolkit.recipes.spec import PackageFacts
from tests.support.built import PKGINFO, hostile
from tests.support.jobs import folder

if TYPE_CHECKING:
    from pathlib import Path

ORDER = BuildOrder(
    attempt="a" * 32,
    pkgbase=Pkgbase("app"),
    tree=Oid("b" * 40),
    epoch_s=1_700_000_000,
    files=folder("app").files,
    settings={"CI_BUILD_TIMEOUT": "60"},
    slots=2,
    with_=(("lib-1-1-any.pkg.tar.zst", "c" * 64),),
)
FACTS = PackageFacts(needed=(), names=("app",), version="1-1")
CONFIG = PackageConfig()
GOOD = "app-1-1-any.pkg.tar.zst"


def sent(path: Path, **changes: Any) -> DeliveredFile:
    values = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size_bytes": path.stat().st_size,
    }
    return DeliveredFile(**{**values, **changes})


def judged(top: Path, *files: DeliveredFile, facts: PackageFacts = FACTS) -> list[str]:
    found = judged_packages(arrived_files(files, top), Pkgbase("app"), facts, CONFIG)
    return [package.name for package in found]


def test_what_was_asked_for_is_taken(tmp_path: Path) -> None:
    symbols = hostile(tmp_path / "app-debug-1-1-any.pkg.tar.zst", info=info("app-debug", "app", "1-1"))
    assert judged(tmp_path, sent(hostile(tmp_path / GOOD)), sent(symbols)) == ["app", "app-debug"]


def info(name: str, base: str, version: str) -> str:
    return PKGINFO.format(name=name, base=base, version=version, arch="any")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("other-1-1-any.pkg.tar.zst", info("other", "app", "1-1"), "which nobody asked for"),
        ("app-1-1-any.pkg.tar.zst", info("app", "other", "1-1"), "which nobody asked for"),
        ("app-9-1-any.pkg.tar.zst", info("app", "app", "9-1"), "1-1 was to be built"),
        ("app-0.9-1-any.pkg.tar.zst", info("app", "app", "0.9-1"), "1-1 was to be built"),
        ("app-1-1-any.pkg.tar.zst", info("app", "app", "1-2"), "holds another package"),
        ("app-1-1-any.pkg.tar.zst", "", "is no package"),
    ],
)
def test_another_package_or_version_is_refused(tmp_path: Path, name: str, content: str, expected: str) -> None:
    with pytest.raises(UpstreamError, match=re.escape(expected)):
        judged(tmp_path, sent(hostile(tmp_path / name, info=content)))


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size_bytes": 7}, {"file": "gone-1-1-any.pkg.tar.zst"}])
def test_what_is_not_as_it_was_sent_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="did not arrive as it was sent"):
        judged(tmp_path, sent(hostile(tmp_path / GOOD), **change))


def test_a_part_of_a_package_base_is_refused(tmp_path: Path) -> None:
    facts = PackageFacts(needed=(), names=("app", "app-doc"), version="1-1")
    with pytest.raises(UpstreamError, match="no package app-doc"):
        judged(tmp_path, sent(hostile(tmp_path / GOOD)), facts=facts)


def test_where_the_owner_interferes_names_are_not_known_and_the_base_still_has_to_be_right(tmp_path: Path) -> None:
    facts = PackageFacts(needed=(), names=(), version=None)
    path = hostile(tmp_path / "renamed-2-1-any.pkg.tar.zst", info=info("renamed", "app", "2-1"))
    assert judged(tmp_path, sent(path), facts=facts) == ["renamed"]
    path = hostile(tmp_path / "glibc-2-1-any.pkg.tar.zst", info=info("glibc", "glibc", "2-1"))
    with pytest.raises(UpstreamError, match="which nobody asked for"):
        judged(tmp_path, sent(path), facts=facts)


# what master and worker send each other


def test_an_order_arrives_as_it_was_sent() -> None:
    assert parse_order(format_order(ORDER), file="order.json") == ORDER


def result(**changes: Any) -> bytes:
    record = json.loads(
        format_result(
            HandedResult(attempt=ORDER.attempt, pkgbase=ORDER.pkgbase, tree=ORDER.tree, outcome=Unfit(reason="ill"))
        )
    )
    return json.dumps({**record, **changes}).encode()


def built(*packages: list[Any]) -> dict[str, Any]:
    return {"kind": "built", "packages": list(packages)}


def test_a_result_arrives_as_it_was_sent() -> None:
    assert parse_result(result(), order=ORDER).outcome == Unfit(reason="ill")
    found = parse_result(result(outcome=built([GOOD, "0" * 64, 5])), order=ORDER)
    assert found.outcome.files[0].file == GOOD  # type: ignore[union-attr]  # of what was built


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": "f" * 32},
        {"tree": "f" * 40},
        {"pkgbase": "another"},
    ],
)
def test_a_result_of_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="is the result of another build"):
        parse_result(result(**change), order=ORDER)


@pytest.mark.parametrize(
    "change",
    [
        {"form": 2},
        {"outcome": built()},
        {"outcome": built(["../../etc/passwd", "0" * 64, 5])},
        {"outcome": built(["/etc/passwd.pkg.tar.zst", "0" * 64, 5])},
        {"outcome": built(["-1-1-any.pkg.tar.zst", "0" * 64, 5])},
        {"outcome": built([GOOD, "0" * 63, 5])},
        {"outcome": built([GOOD, "0" * 64, -5])},
        {"outcome": built([GOOD, "0" * 64, True])},
        {"outcome": built([GOOD, "0" * 64, 5], [GOOD, "1" * 64, 5])},
        {"outcome": built(*([f"a{number}-1-1-any.pkg.tar.zst", "0" * 64, 5] for number in range(501)))},
        {"outcome": {"kind": "published"}},
        {"outcome": {"kind": "failed", "phase": "rm", "status": 1, "reason": ""}},
        {"phases": [["build", "fast"]]},
        {"phases": [["build", float("inf")]]},
        {"installed": [["one"]]},
        {"interference": [5]},
        {"root": 5},
    ],
)
def test_a_result_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        parse_result(result(**change), order=ORDER)


def test_a_reason_is_a_line_that_no_terminal_obeys() -> None:
    outcome = {"kind": "skipped", "reason": "all\x1b[2J well\n::error::" + "x" * 9000}
    reason = parse_result(result(outcome=outcome), order=ORDER).outcome.reason  # type: ignore[union-attr]  # skipped
    assert reason.isprintable()
    assert len(reason) <= 2000


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_nonsense_is_refused_and_never_a_bug(content: bytes) -> None:
    for parse in (lambda: parse_result(content, order=ORDER), lambda: parse_order(content, file="order.json")):
        with pytest.raises(FormatError):
            parse()
    with pytest.raises(FormatError):
        parse_result(b"[" * 100_000, order=ORDER)
