"""The folder of a master, looked at without running it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.farm.checking import check_folder
from ci_toolkit.farm.farm_file import read_farm_file
from tests.support.certificates import self_signed
from tests.support.farm_stand import FarmStand

if TYPE_CHECKING:
    from pathlib import Path


def test_files_of_endpoints_are_looked_for_where_the_master_runs(tmp_path: Path) -> None:
    stand = FarmStand(top=tmp_path / "master")
    (stand.top / "tls").mkdir()
    self_signed(stand.top / "tls")
    path = stand.top / "farm.toml"
    endpoint = f"ssl:{stand.workers_port}:privateKey=tls/key.pem:certKey=tls/certificate.pem"
    path.write_text(path.read_text().replace(f"tcp:{stand.workers_port}:interface=127.0.0.1", endpoint))
    before = os.getcwd()  # noqa: PTH109 - what is compared is the process's own
    said = list(check_folder(stand.top, os.environ))
    assert f"workers come to {endpoint}" in said[-1]
    assert os.getcwd() == before  # noqa: PTH109


def test_a_database_url_names_no_driver_but_gets_the_one_that_is_installed(tmp_path: Path) -> None:
    stand = FarmStand(top=tmp_path / "master")
    (stand.top / "secrets/database-url").write_text("postgresql://farm:word@db.example.org/farm\n")
    assert read_farm_file(stand.top).database == "postgresql+psycopg://farm:word@db.example.org/farm"


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_hears_that_schedules_are_taken(tmp_path: Path, *, abstract: bool) -> None:
    address = f"@ci-toolkit-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0", 1))
        manager.settimeout(60)
        stand = FarmStand(top=tmp_path / "master", environ={"NOTIFY_SOCKET": address})
        try:
            stand.start_master()
            assert (
                manager.recv(1000).decode()
                == f"READY=1\nSTATUS=schedules are taken at http://127.0.0.1:{stand.web_port}\n"
            )
        finally:
            stand.end()
