"""From built packages to a client that installs them, and back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import NotReadyError, RefusedError
from tests.support.built import hostile
from tests.support.pacman_stand import DAY_S, new_key

if TYPE_CHECKING:
    from tests.support.pacman_stand import PacmanStand


def test_a_client_that_demands_signatures_installs_and_upgrades(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    client = stand.client()
    done = client.pacman("-Sy", "beta")
    assert done.returncode == 0, done.stdout
    assert client.installed() == {"alpha": "1.0-1", "beta": "1.0-1"}
    stand.publish(("alpha", "1.1"))
    done = client.pacman("-Syu")
    assert done.returncode == 0, done.stdout
    assert (client.root / "usr/share/alpha/version").read_text() == "1.1\n"
    assert client.pacman("-Fy").returncode == 0
    assert "demo/alpha 1.1-1" in client.pacman("-F", "usr/share/alpha/version").stdout


def test_a_client_that_trusts_another_key_takes_nothing(stand: PacmanStand, tmp_path: Path) -> None:
    stand.publish(("alpha", "1.0"))
    other = tmp_path / "other.asc"
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        other.write_bytes(new_key(Path(short) / "k")[1])
    client = stand.client(trusts=other)
    done = client.pacman("-Sy", "alpha")
    assert done.returncode != 0
    assert "is unknown" in done.stdout
    assert client.installed() == {}


def test_a_split_package_that_is_made_no_longer_goes_and_other_bases_stay(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    assert stand.versions() == {"alpha": "1.0-1", "alpha-doc": "1.0-1", "beta": "1.0-1"}
    done = stand.run("add", stand.built.file("alpha", "1.1"), "--base", "alpha", "--json")
    assert done.json["changes"] == [
        {"name": "alpha", "old": "1.0-1", "new": "1.1-1"},
        {"name": "alpha-doc", "old": "1.0-1", "new": None},
    ]
    assert stand.versions() == {"alpha": "1.1-1", "beta": "1.0-1"}


def test_removing_takes_a_base_with_all_its_packages_and_the_last_one_too(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    client = stand.client()
    assert stand.run("remove", "alpha").status == 0
    assert stand.versions() == {"beta": "1.0-1"}
    assert stand.run("remove", "beta").status == 0
    assert stand.versions() == {}
    assert client.pacman("-Sy").returncode == 0
    assert stand.run("check").status == 0
    missing = stand.run("remove", "beta")
    assert missing.status == NotReadyError.exit_status
    assert "beta is not published" in missing.stderr


def test_what_is_published_already_makes_no_new_generation(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"))
    again = stand.run("add", *stand.built.files("alpha", "1.0"), "--json")
    assert again.json == {"generation": 1, "changes": []}


def test_a_dry_run_tells_and_needs_no_key(stand: PacmanStand) -> None:
    words = stand.words("add", *stand.built.files("alpha", "1.0"), "--dry-run")[:-2]
    done = stand.run_words(words)
    assert done.stdout == "alpha 1.0-1 added\nalpha-doc 1.0-1 added\n2 would change, nothing did\n"
    assert not stand.top.exists()


def test_a_lower_version_needs_force(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.1"))
    older = stand.built.file("alpha", "1.0")
    refused = stand.run("add", older)
    assert refused.status == RefusedError.exit_status
    assert "alpha 1.0-1 is lower than 1.1-1, which is published" in refused.stderr
    assert stand.versions() == {"alpha": "1.1-1"}
    assert stand.run("add", older, "--force").status == 0
    assert stand.versions() == {"alpha": "1.0-1"}


def test_another_base_is_refused(stand: PacmanStand) -> None:
    refused = stand.run("add", stand.built.file("alpha", "1.0"), "--base", "beta")
    assert refused.status == RefusedError.exit_status
    assert "alpha is made from alpha, and beta was to be published" in refused.stderr


def test_rollback_goes_back_step_by_step(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("beta", "1.0"), ("alpha", "1.1"))
    client = stand.client()
    assert client.pacman("-Sy", "alpha").returncode == 0
    assert stand.run("rollback").status == 0
    assert stand.versions() == {"alpha": "1.0-1", "alpha-doc": "1.0-1", "beta": "1.0-1"}
    done = client.pacman("-Syuu")
    assert done.returncode == 0, done.stdout
    assert client.installed() == {"alpha": "1.0-1"}
    assert stand.run("rollback").status == 0
    assert stand.versions() == {"alpha": "1.0-1", "alpha-doc": "1.0-1"}


def test_rollback_of_one_package_leaves_the_others(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("alpha", "1.1"), ("beta", "1.0"))
    assert stand.run("rollback", "alpha").stdout.startswith("alpha 1.1-1 -> 1.0-1\n")
    assert stand.versions() == {"alpha": "1.0-1", "beta": "1.0-1"}
    assert stand.run("rollback", "alpha-doc").status == 0
    assert stand.versions()["alpha-doc"] == "1.0-1"
    nothing = stand.run("rollback", "alpha")
    assert nothing.status == NotReadyError.exit_status
    assert "alpha has no earlier version that is still kept" in nothing.stderr


def test_older_versions_are_kept_for_the_days_that_were_asked_for(stand: PacmanStand) -> None:
    stand.publish(("alpha", "1.0"), ("alpha", "1.1"))
    old = stand.served / stand.built.file("alpha-doc", "1.0").name
    stand.clock.time += 13 * DAY_S
    stand.publish(("beta", "1.0"))
    assert old.exists()
    stand.clock.time += 2 * DAY_S
    assert stand.run("remove", "beta").status == 0
    assert not old.exists()
    assert not old.with_name(f"{old.name}.sig").exists()
    assert stand.run("rollback", "alpha").status == NotReadyError.exit_status
    assert stand.run("check").status == 0


def test_a_rebuild_of_a_published_version_needs_another_pkgrel(stand: PacmanStand, tmp_path: Path) -> None:
    stand.publish(("alpha", "1.0"))
    beta = stand.built.file("beta", "1.0")
    stand.publish(("beta", "1.0"))
    ledger = json.loads((stand.own / "current/ledger.json").read_text())
    assert {row["file"] for row in ledger["packages"]} >= {beta.name}
    refused = stand.run("add", hostile(tmp_path / beta.name))
    assert refused.status == RefusedError.exit_status
    assert "was published with another content" in refused.stderr
    assert "raise pkgrel" in refused.stderr


def test_most_packages_at_once_are_not_removed_without_force(stand: PacmanStand, tmp_path: Path) -> None:
    files = [hostile(tmp_path / f"p{number}-1-1-any.pkg.tar.zst") for number in range(11)]
    assert stand.run("add", *files).status == 0
    refused = stand.run("remove", *(f"p{number}" for number in range(11)))
    assert refused.status == RefusedError.exit_status
    assert "11 of 11 packages would be gone" in refused.stderr
    assert stand.run("remove", *(f"p{number}" for number in range(11)), "--force").status == 0


@pytest.mark.parametrize("name", ["../x", "-x", "a/b", ""])
def test_the_name_of_a_repository_is_no_path(stand: PacmanStand, name: str) -> None:
    done = stand.run_words(["publish", "list", "--repo", str(stand.top), f"--name={name}"])
    assert done.status == 7
    assert "--name is no name for a repository" in done.stderr


def test_a_copy_without_links_serves_clients_as_well(stand: PacmanStand, tmp_path: Path) -> None:
    """Pages of hosted services know no links, and should not carry what is kept for going back."""
    stand.publish(("alpha", "1.0"), ("beta", "1.0"))
    stand.publish(("alpha", "1.1"))
    copy = tmp_path / "public"
    done = stand.run("copy", str(copy), "--json")
    names = sorted(path.name for path in (copy / "x86_64").iterdir())
    assert not [path for path in copy.rglob("*") if path.is_symlink()]
    assert [name for name in names if name.endswith(".pkg.tar.zst")] == [
        "alpha-1.1-1-x86_64.pkg.tar.zst",
        "beta-1.0-1-x86_64.pkg.tar.zst",
    ]
    assert not [name for name in names if name.startswith(".")]
    assert done.json["packages"] == 2
    assert done.json["size_bytes"] == sum(path.stat().st_size for path in copy.rglob("*") if path.is_file())

    stand.served.rename(tmp_path / "away")
    (copy / "x86_64").rename(stand.served)
    client = stand.client()
    shown = client.pacman("-Sy", "beta")
    assert client.installed() == {"alpha": "1.1-1", "beta": "1.0-1"}, shown.stdout


def test_a_copy_is_made_anew_or_not_at_all(stand: PacmanStand, tmp_path: Path) -> None:
    copy = tmp_path / "public"
    assert stand.run("copy", str(copy)).stdout == "nothing is published yet\n"
    assert not copy.exists()
    stand.publish(("alpha", "1.0"))
    assert stand.run("copy", str(copy)).status == 0
    again = stand.run("copy", str(copy))
    assert again.status == RefusedError.exit_status
    assert "x86_64 is there already" in again.stderr
