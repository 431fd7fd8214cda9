"""What `check` finds, and what `check --mend` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import FormatError, PackagesFailedError, RefusedError
from tests.support.built import hostile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.pacman_stand import PacmanStand

ALPHA = "alpha-1.0-1-x86_64.pkg.tar.zst"
ALL = {"alpha": "1.0-1", "alpha-doc": "1.0-1", "beta": "1.0-1"}
WITHOUT_ALPHA = {"alpha-doc": "1.0-1", "beta": "1.0-1"}


def damaged(name: str) -> Callable[[PacmanStand], None]:
    def damage(stand: PacmanStand) -> None:
        path = stand.served / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return damage


def missing(name: str) -> Callable[[PacmanStand], None]:
    return lambda stand: (stand.served / name).unlink()


def stray(stand: PacmanStand) -> None:
    hostile(stand.served / "stray-1-1-any.pkg.tar.zst")


def unlike(stand: PacmanStand) -> None:
    (stand.own / "current/demo.files.tar.zst").write_bytes(
        (stand.own / "generations/1/demo.files.tar.zst").read_bytes()
    )


CASES = {
    "package damaged": (damaged(ALPHA), f"{ALPHA} is damaged", WITHOUT_ALPHA),
    "package missing": (missing(ALPHA), f"{ALPHA} is missing", WITHOUT_ALPHA),
    "signature damaged": (damaged(f"{ALPHA}.sig"), f"{ALPHA}.sig is not the signature of the database", ALL),
    "signature missing": (missing(f"{ALPHA}.sig"), f"{ALPHA}.sig is not the signature of the database", ALL),
    "database damaged": (damaged("demo.db"), "demo.db.tar.zst", ALL),
    "database missing": (missing(".demo/current/demo.db.tar.zst"), "demo.db.tar.zst cannot be read", ALL),
    "database's signature missing": (missing(".demo/current/demo.db.tar.zst.sig"), "demo.db.tar.zst.sig", ALL),
    "files database of another generation": (unlike, "demo.files.tar.zst has other packages than the database", ALL),
    "ledger missing": (missing(".demo/current/ledger.json"), "ledger.json", ALL),
    "link missing": (missing("demo.db"), "demo.db is missing or leads elsewhere", ALL),
    "file of nobody": (stray, "stray-1-1-any.pkg.tar.zst is not in the database", ALL),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_found_changes_nothing_and_is_mended(stand: PacmanStand, case: str) -> None:
    fault, said, after = CASES[case]
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    fault(stand)
    found = stand.run("check")
    assert found.status == PackagesFailedError.exit_status
    assert said in found.stdout
    assert stand.run("check").stdout == found.stdout
    mended = stand.run("check", "--mend")
    assert mended.status == (0 if after == ALL else PackagesFailedError.exit_status), mended.stderr
    assert said in mended.stdout
    again = stand.run("check")
    assert again.status == 0, again.stdout
    assert stand.versions() == after
    client = stand.client()
    done = client.pacman("-Sy", "alpha-doc")
    assert done.returncode == 0, done.stdout


def test_a_damaged_package_is_set_aside_and_can_be_published_again(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    damaged(ALPHA)(stand)
    assert "build it again" in stand.run("check", "--mend").stdout
    assert (stand.own / "set-aside" / ALPHA).is_file()
    stand.publish(("alpha", "1.0"))
    assert stand.run("check").status == 0
    assert stand.versions() == {"alpha": "1.0-1", "alpha-doc": "1.0-1"}


def test_files_of_people_are_nobodys_business(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    (stand.served / "index.html").write_text("hello")
    assert stand.run("check", "--mend").stdout == "the database and the files agree\n"
    assert (stand.served / "index.html").exists()


def test_a_copy_without_its_links_is_not_taken_for_a_run_that_was_killed(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    (stand.own / "current").unlink()
    done = stand.run("remove", "beta")
    assert done.status == FormatError.exit_status
    assert f"ln -s generations/2 {stand.own}/current" in done.stderr
    (stand.own / "current").symlink_to("generations/2")
    assert stand.versions() == ALL


def test_what_another_program_published_is_not_overwritten(stand: PacmanStand) -> None:
    stand.served.mkdir(parents=True)
    (stand.served / "demo.db").write_bytes(b"made by repo-add")
    done = stand.run("add", stand.built.file("beta", "1.0"))
    assert done.status == RefusedError.exit_status
    assert "demo.db was made by another program" in done.stderr
    assert (stand.served / "demo.db").read_bytes() == b"made by repo-add"
