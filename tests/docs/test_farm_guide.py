"""`docs/farm.md`: its commands are run, its farm is read, and what the program knows is described."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.farm import farm_file
from ci_toolkit.farm.farm_file import read_farm_file
from ci_toolkit.farm.worker_settings import OWN_KEYS
from ci_toolkit.formats import farm_layout
from ci_toolkit.model.worker import WorkerState
from tests.support.farm_stand import FarmStand, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "farm.md").read_text()
NAME = "farm.example.org"


def block(name: str) -> str:
    """The commands that stand under a mark of this name."""
    found = re.search(rf"<!-- tested: {name} -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def sh(script: str, cwd: Path, **variables: str) -> str:
    """What commands print; all of them have to work."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "NO_PROXY": "*"} | variables
    argv = ("bash", "-euo", "pipefail", "-c", script)
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by the guide's commands, for a name that leads here."""
    folder = tmp_path_factory.mktemp("certificates")
    assert "cert.pem: OK" in sh(block("certificates").replace(NAME, "localhost"), folder)
    (folder / "trust").mkdir()
    shutil.copy(folder / "ca.pem", folder / "trust")
    return folder


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[FarmStand]:
    """A farm with those certificates, for workers and, by nginx, for people."""
    top = tmp_path_factory.mktemp("farm") / "master"
    stand = FarmStand(
        top=top,
        workers={"big": "class 9 slots 1"},
        listen=f"ssl:PORT:privateKey={certificates}/key.pem:certKey={certificates}/cert.pem:interface=127.0.0.1",
        connect=f"tls:localhost:PORT:trustRoots={certificates}/trust",
    )
    try:
        stand.start_master()
        stand.start_worker("big", stub=True)
        yield stand
    finally:
        stand.end()


def test_a_worker_comes_by_the_guides_certificates_and_is_operated_by_its_commands(
    farm: FarmStand, tmp_path: Path
) -> None:
    said = sh(block("operating"), tmp_path, CI_FARM_TOKEN=farm.token, CI_FARM_URL=f"http://127.0.0.1:{farm.web_port}")
    assert '"big finishes what it builds"' in said
    assert '"state": "draining", "reason": "a new disk"' in said
    assert '"big takes builds"' in said


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_leads_to_the_farm_and_to_buildbots_pages(farm: FarmStand, certificates: Path, tmp_path: Path) -> None:
    port = free_port()
    published = tmp_path / "srv/repositories/mine/x86_64"
    (published / ".mine").mkdir(parents=True)
    (published / ".mine/mine.db.tar.zst").write_text("a database")
    (published / "mine.db").symlink_to(".mine/mine.db.tar.zst")
    process = subprocess.Popen(("nginx", "-p", tmp_path, "-c", _nginx_here(farm, certificates, tmp_path, port)))
    try:
        farm.wait((tmp_path / "nginx.pid").exists)
        context = ssl.create_default_context(cafile=certificates / "ca.pem")

        def get(path: str, **headers: str) -> tuple[int, str]:
            request = urllib.request.Request(f"https://localhost:{port}{path}", headers=headers)
            try:
                with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                    return answer.status, answer.read(2000).decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read(2000).decode()

        assert "<title>" in get("/workers")[1]
        assert get("/readyz")[0] == 200
        assert "Buildbot" in get("/buildbot/")[1]
        assert '"big"' in get("/buildbot/api/v2/workers")[1]
        upgrade = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
        assert get("/buildbot/ws", Connection="Upgrade", Upgrade="websocket", **upgrade)[0] == 101
        assert get("/metrics")[0] == 403
        assert get("/repositories/mine/x86_64/mine.db") == (200, "a database")
        assert get("/repositories/mine/x86_64/.mine/mine.db.tar.zst")[0] == 403
        body = tmp_path / "body"
        body.write_bytes(b"{" * 1_000_000)  # more than any other page takes; whoever sends it is nobody
        curl = f"curl -sS --cacert {certificates}/ca.pem --data-binary @{body} -H 'Content-Type: {_TYPE}' {_SCHEDULES}"
        assert "no client of this farm" in sh(curl.replace("PORT", str(port)), tmp_path)
    finally:
        process.terminate()
        process.wait()


_TYPE = "application/vnd.ci-toolkit.schedule+json"
_SCHEDULES = "'https://localhost:PORT/api/repositories/samples/schedules?source=samples'"


def _nginx_here(farm: FarmStand, certificates: Path, top: Path, port: int) -> Path:
    """The configuration with this machine's places and ports, where nobody may read the metrics."""
    text = (DOCS / "farm/nginx.conf").read_text()
    (top / "mime.types").write_text("types { text/html html; }\n")
    for old, new in {
        "/etc/nginx/tls": str(certificates),
        "/etc/nginx/mime.types": str(top / "mime.types"),
        "/var/log/nginx": str(top),
        "pid /run/nginx.pid;": f"pid {top}/nginx.pid; daemon off; user {_owner()};",
        "root /srv;": f"root {top}/srv;",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen [::]:80;": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "127.0.0.1:8010": f"127.0.0.1:{farm.web_port}",
        "127.0.0.1:8020": f"127.0.0.1:{farm.buildbot_port}",
        "allow 127.0.0.1;": "",
    }.items():
        assert old in text
        text = text.replace(old, new)
    path = top / "nginx.conf"
    path.write_text(text)
    return path


def _owner() -> str:
    return "root" if os.getuid() == 0 else "nobody"


def test_the_farm_of_the_guide_is_one(tmp_path: Path) -> None:
    text = re.search(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert text is not None
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/signing-key.asc").touch()
    (tmp_path / "farm.toml").write_text(text[1])
    read = read_farm_file(tmp_path)
    assert (read.layout.url, *read.repositories) == (f"https://{NAME}", "mine")


def test_every_key_is_described_and_nothing_that_is_none() -> None:
    source = Path(farm_file.__file__).read_text() + Path(farm_layout.__file__).read_text()
    lists = re.findall(r"(?:check_keys\((?:table|buildbot), |_TOP_KEYS = )\(([^)]*)\)", source)
    keys = {key for found in lists for key in re.findall(r'"(\w+)"', found)}
    table = GUIDE.partition("## farm.toml")[2].partition("\n## ")[0]
    elsewhere = {"buildbot", "workers", "clients", "config", "key", "demo_key"}  # tables, and in the line of key_file
    described = set(re.findall(r"^\| (?:`\[[^|]*\]` )?`(\w+)` \|", table, re.MULTILINE))
    assert described <= keys
    assert keys - described <= elsewhere
    assert [key for key in elsewhere if not re.search(rf"[`.\[]{key}[`.\] ]", table)] == []


def test_every_state_of_a_worker_and_every_key_of_its_own_is_described() -> None:
    assert [state.value for state in WorkerState if f"`{state.value}`" not in GUIDE] == []
    assert [key for key in OWN_KEYS if f"`{key}`" not in GUIDE] == []
