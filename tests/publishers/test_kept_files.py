"""What publishers keep of what they were given: found again, replaced, forgotten in time, and never half."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ci_toolkit.errors import FormatError, NotReadyError, RefusedError
from ci_toolkit.publishers.kept_files import opened_files, published_each
from ci_toolkit.publishers.kept_ledger import (
    KeptLedger,
    format_kept_ledger,
    parse_kept_ledger,
    with_delivered,
    without_bases,
    without_expired,
)
from tests.support.deliveries import delivery_of
from tests.support.pacman_stand import SteppingClock

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.publishers.kept_files import KeptFiles


def made(folder: Path, file: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / file
    path.write_text(text)
    return path


def deliver(files: KeptFiles, base: str, *paths: Path, now: float = 1.0) -> KeptLedger:
    ledger = with_delivered(files.ledger(), base, files.take_in(delivery_of(base, paths)), now=now)
    files.save(ledger)
    return ledger


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def on_disk(folder: Path) -> set[str]:
    """The checksums that files are kept under, each of which is that of its file."""
    found = {f"{path.parent.name}{path.name}": path for path in (folder / "files").glob("??/*")}
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == name for name, path in found.items())
    return set(found)


def test_what_was_delivered_is_found_by_the_next_run(tmp_path: Path) -> None:
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        source = made(tmp_path, "hello-1.0-1-any.tar", "one")
        ledger = deliver(files, "hello", source)
        # It is the same file, not a copy of it.
        assert files.place(sha256("one")).samefile(source)
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        assert files.ledger() == ledger
        (found,) = files.available()
    assert (found.name, found.base, found.version, found.file) == ("hello", "hello", "1.0-1", "hello-1.0-1-any.tar")
    assert found.sha256 == sha256("one")
    assert found.place == str(files.place(sha256("one")))


def test_older_versions_are_kept_for_as_long_as_is_asked(tmp_path: Path) -> None:
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        deliver(files, "hello", made(tmp_path, "hello-1-1-any.tar", "one"), now=10.0)
        deliver(files, "hello", made(tmp_path, "hello-2-1-any.tar", "two"), now=20.0)
        ledger = deliver(files, "hello", made(tmp_path, "hello-3-1-any.tar", "three"), now=30.0)
        assert on_disk(files.folder) == ledger.checksums == {sha256("one"), sha256("two"), sha256("three")}
        assert [package.version for package in ledger.everything] == ["3-1", "2-1", "1-1"]
        files.save(without_expired(ledger, before_s=25.0))
        assert on_disk(files.folder) == files.ledger().checksums == {sha256("two"), sha256("three")}
        # Nothing is forgotten that is published, however old it is.
        files.save(without_expired(files.ledger(), before_s=1e12))
        assert on_disk(files.folder) == {sha256("three")}


def test_going_back_to_an_older_version_takes_it_from_what_is_retired(tmp_path: Path) -> None:
    one, two = made(tmp_path, "hello-1-1-any.tar", "one"), made(tmp_path, "hello-2-1-any.tar", "two")
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        deliver(files, "hello", one)
        deliver(files, "hello", two)
        ledger = deliver(files, "hello", one)
    assert [package.version for package in ledger.everything] == ["1-1", "2-1"]


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    source = made(tmp_path, "hello-1-1-any.tar", "one")
    clock = SteppingClock()
    with opened_files(tmp_path / "own", clock=clock, who="test") as files:
        ledger = deliver(files, "hello", source)
        clock.sleep(1000.0)
        assert deliver(files, "hello", source) == ledger
        assert without_bases(ledger, {"never-there"}, now=5.0) is ledger


def test_what_is_gone_is_retired(tmp_path: Path) -> None:
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        deliver(files, "hello", made(tmp_path, "hello-1-1-any.tar", "one"))
        ledger = without_bases(files.ledger(), {"hello"}, now=7.0)
    assert not ledger.packages
    assert [(old.package.name, old.retired_at) for old in ledger.retired] == [("hello", 7.0)]


def test_a_name_belongs_to_one_folder(tmp_path: Path) -> None:
    source = made(tmp_path, "hello-1-1-any.tar", "one")
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        deliver(files, "hello", source)
        with pytest.raises(RefusedError, match=r"^hello is published by hello, and only one folder can$"):
            deliver(files, "other", source)
        with pytest.raises(RefusedError, match=r"^hello is made twice by one build"):
            deliver(files, "hello", source, made(tmp_path / "b", "hello-2-1-any.tar", "two"))
        with pytest.raises(RefusedError, match=r"^empty has nothing that could be published"):
            deliver(files, "empty")


@pytest.mark.parametrize("name", ["../x", ".hidden", "-option", "a/b", "a\nb", "", "x" * 201, "é"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    delivery = delivery_of("hello", [made(tmp_path, "hello-1-1-any.tar", "one")])
    (package,) = delivery.packages
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        for field in ("name", "version", "arch"):
            with pytest.raises(FormatError, match="can be no part of a path"):
                files.take_in(replace(delivery, packages=(replace(package, **cast("Any", {field: name})),)))
        with pytest.raises(FormatError, match=r"^the folder can be no part of a path"):
            files.take_in(replace(delivery, pkgbase=name))


def test_links_and_folders_are_not_taken_for_files(tmp_path: Path) -> None:
    secret = made(tmp_path, "secret", "not to be published")
    (tmp_path / "hello-1-1-any.tar").symlink_to(secret)
    (tmp_path / "other-1-1-any.tar").mkdir()
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        for name in ("hello-1-1-any.tar", "other-1-1-any.tar"):
            with pytest.raises(FormatError, match=f"^{name}: is no regular file"):
                files.take_in(delivery_of("hello", [tmp_path / name]))
        assert on_disk(files.folder) == set()


def test_what_is_built_upon_something_refused_is_refused_with_its_name(tmp_path: Path) -> None:
    source = made(tmp_path, "a-1-1-any.tar", "a")
    deliveries = [
        delivery_of("a", [source]),
        delivery_of("b", [source], built_with=["a"]),
        delivery_of("c", [source], built_with=["b"]),
        delivery_of("d", [source]),
        delivery_of("e", [source]),
    ]
    published = []

    def publish(delivery: object) -> None:
        if delivery is deliveries[0]:
            raise RefusedError("is not good", key="a")
        published.append(delivery)

    refused = published_each(deliveries, {"e"}, publish)
    assert refused == {
        "a": "a is not good",
        "b": "it was built against a, which is not published",
        "c": "it was built against b, which is not published",
    }
    assert published == [deliveries[3]]


def test_only_one_at_a_time(tmp_path: Path) -> None:
    clock = SteppingClock()
    with (
        opened_files(tmp_path / "own", clock=clock, who="builds run"),
        pytest.raises(NotReadyError, match=r"is used by process [0-9]+ \(builds run\)"),
        opened_files(tmp_path / "own", clock=clock, who="test"),
    ):
        pass


def test_a_damaged_ledger_is_said_and_nothing_is_removed(tmp_path: Path) -> None:
    with opened_files(tmp_path / "own", clock=SteppingClock(), who="test") as files:
        deliver(files, "hello", made(tmp_path, "hello-1-1-any.tar", "one"))
    path = tmp_path / "own" / "ledger.json"
    whole = path.read_bytes()
    for content in (whole[:-20], b"", whole.replace(b'"base": "hello"', b'"base": "../../hello"'), b"[]"):
        path.write_bytes(content)
        opening = opened_files(tmp_path / "own", clock=SteppingClock(), who="test")
        with pytest.raises(FormatError, match=r"ledger.json: is damaged"), opening:
            pass
        assert on_disk(tmp_path / "own") == {sha256("one")}
    value = json.loads(whole)
    with pytest.raises(FormatError, match="newer ci-toolkit"):
        parse_kept_ledger(json.dumps(value | {"form": 99}).encode(), file="ledger.json")
    assert format_kept_ledger(parse_kept_ledger(whole, file="ledger.json")) == whole
