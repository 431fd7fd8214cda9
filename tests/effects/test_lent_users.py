"""No two sandboxes are the same user, in however many processes they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects import lent_users
from ci_toolkit.effects.lent_users import end_processes, lent_user
from ci_toolkit.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

LENDER = """
import sys
from contextlib import ExitStack
from pathlib import Path
from ci_toolkit.effects import lent_users
lent_users.FIRST, lent_users.LAST = 70001, 70006
with ExitStack() as held:
    print(*[held.enter_context(lent_users.lent_user(Path(sys.argv[1]))) for _ in range(3)], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _few_users(monkeypatch: pytest.MonkeyPatch) -> None:
    # Beyond those that are really lent, to tests that run at the same time.
    monkeypatch.setattr(lent_users, "FIRST", 70001)
    monkeypatch.setattr(lent_users, "LAST", 70006)


def lend(held: ExitStack, locks: Path, count: int) -> list[int | None]:
    return [held.enter_context(lent_user(locks)) for _ in range(count)]


def test_every_process_gets_others_until_none_is_left(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    words = [sys.executable, "-c", LENDER, str(locks)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
        ExitStack() as held,
    ):
        assert other.stdout is not None
        theirs = [int(word) for word in other.stdout.readline().split()]
        ours = lend(held, locks, 3)
        assert sorted([*theirs, *filter(None, ours)]) == [*range(70001, 70007)]
        with pytest.raises(MachineError, match="every user from 70001 to 70006 is in use"):
            lend(held, locks, 1)
        other.kill()
        other.wait()
        assert sorted(filter(None, lend(held, locks, 3))) == sorted(theirs)


def test_a_user_whose_processes_a_killed_run_left_is_not_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_users, "FIRST", 70011)
    monkeypatch.setattr(lent_users, "LAST", 70016)
    with subprocess.Popen(["setpriv", "--reuid=70013", "--clear-groups", "sleep", "60"]) as left:
        while not lent_users._processes(70013):
            time.sleep(0.01)
        with ExitStack() as held:
            assert 70013 not in lend(held, tmp_path / "locks", 5)
        end_processes(70013)
        assert left.wait(5) == -9


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match="cannot be opened"), lent_user(tmp_path / "locks"):
        pass
    assert not (tmp_path / "elsewhere").exists()
