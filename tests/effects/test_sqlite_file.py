"""SQLite files: several processes, newer and damaged files, and a full disk."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.sqlite_file import open_sqlite, transaction
from ci_toolkit.errors import MachineError, NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "CREATE TABLE words (word TEXT PRIMARY KEY);;CREATE INDEX by_word ON words (word)"


def opened(path: Path) -> sqlite3.Connection:
    return open_sqlite(path, schema=SCHEMA, form=3)


def words(connection: sqlite3.Connection) -> list[str]:
    return [row["word"] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/file"
    with closing(opened(path)) as connection, transaction(connection):
        connection.execute("INSERT INTO words VALUES ('a')")
    with closing(opened(path)) as connection:
        assert words(connection) == ["a"]
    assert path.parent.stat().st_mode & 0o77 == 0


def _write_and_fail(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO words VALUES ('a')")
    raise KeyError


def test_an_error_inside_a_transaction_takes_all_of_it_back_and_the_next_one_works(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "file")) as connection:
        with pytest.raises(KeyError), transaction(connection):
            _write_and_fail(connection)
        with transaction(connection):
            connection.execute("INSERT INTO words VALUES ('b')")
        assert words(connection) == ["b"]


def test_a_constraint_stays_what_it_is(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "file")) as connection:
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            connection.executemany("INSERT INTO words VALUES (?)", [("a",), ("a",)])
        assert words(connection) == []


def test_many_open_a_new_file_at_once_and_write(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        try:
            start.wait()
            for turn in range(5):
                with closing(opened(tmp_path / "file")) as connection, transaction(connection):
                    connection.execute("INSERT INTO words VALUES (?)", (f"{number} {turn}",))
        except BaseException as error:  # noqa: BLE001 - told by the thread that asserts
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(opened(tmp_path / "file")) as connection:
        assert len(words(connection)) == 40


def test_a_newer_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 4")
    with pytest.raises(NotReadyError, match=f"{re.escape(str(path))} was written by a newer ci-toolkit"):
        opened(path)
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000], ids=["text", "head"])
def test_what_is_no_database_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotReadyError) as caught:
        opened(path)
    assert caught.value.key == str(path)
    assert "mv file file.damaged" in str(caught.value)
    assert path.read_bytes() == content


def test_damage_that_shows_in_the_middle_of_reading_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with closing(opened(path)) as connection, transaction(connection):
        connection.executemany("INSERT INTO words VALUES (?)", [(f"{number:0500}",) for number in range(200)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xa5" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    with closing(opened(path)) as connection:
        for ask in (
            lambda: words(connection),
            lambda: connection.execute("SELECT word FROM words").fetchall(),
            lambda: connection.execute("SELECT max(length(word)) FROM words NOT INDEXED").fetchone(),
        ):
            with pytest.raises(NotReadyError, match="is damaged") as caught:
                ask()
            assert caught.value.key == str(path)


def test_a_full_disk_is_said_with_the_file_and_nothing_half_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA max_page_count = 6")
        with pytest.raises(MachineError, match=f"{re.escape(str(path))} .*full"), transaction(connection):
            connection.executemany("INSERT INTO words VALUES (?)", [("small",), ("large" * 10_000,)])
        assert not connection.in_transaction
        assert words(connection) == []
        with transaction(connection):
            connection.execute("INSERT INTO words VALUES ('small')")
        assert words(connection) == ["small"]


def test_a_file_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(MachineError, match=f"{re.escape(str(path))} cannot be read or written"):
        opened(path)


def test_one_that_writes_for_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.effects.sqlite_file._WAIT_S", 0.05)
    path = tmp_path / "file"
    with (
        closing(opened(path)) as one,
        closing(opened(path)) as other,
        transaction(one),
        pytest.raises(MachineError, match="locked"),
        transaction(other),
    ):
        pytest.fail("two write at once")
