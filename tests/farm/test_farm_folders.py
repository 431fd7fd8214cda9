"""Folders of masters and workers: made by commands, checked before they are run, and refused with what is wrong."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ToolkitError
from ci_toolkit.farm.checking import check_folder
from ci_toolkit.farm.creating import add_client, add_worker, create_master
from ci_toolkit.farm.farm_file import read_farm_file
from ci_toolkit.farm.worker_facts import INFO_FILE, own_facts, parse_facts
from ci_toolkit.model.root_identity import RootIdentity
from tests.support.certificates import self_signed
from tests.support.farm_stand import FarmStand, running_farm
from tests.support.local_builds import Tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

GOOD = """\
url = "https://farm.example.org"
web = "tcp:8010:interface=127.0.0.1"
workers_listen = "tcp:9989:interface=127.0.0.1"
[buildbot]
web = "tcp:8020:interface=127.0.0.1"
[repositories.mine]
sources = ["pkgbuilds"]
demo_key = true
[repositories.mine.config]
CI_BUILD_TIMEOUT = 7200
[workers.big]
class = 9
slots = 4
"""


def farm_of(top: Path, text: str) -> Path:
    create_master(top)
    (top / "farm.toml").write_text(text)
    (top / "secrets/workers").mkdir(parents=True)
    (top / "secrets/workers/big").write_text("password\n")
    return top


def checked(top: Path) -> str:
    return "\n".join(check_folder(top, os.environ))


def test_a_farm_is_made_filled_in_by_commands_and_checked(world: World, tmp_path: Path) -> None:
    top = tmp_path / "farm"
    assert world.run("farm", "master", "create", str(top)).status == 0
    assert world.run("farm", "master", "create", str(top)).status == 12
    assert "repositories has no entry" in world.run("farm", "check", str(top)).stderr
    (top / "farm.toml").write_text(GOOD.partition("[workers")[0])
    told = world.run("farm", "master", "add-worker", str(top), "big", "--class", "9", "--slots", "4")
    path = top / "secrets/workers/big"
    assert str(path) in told.stdout
    assert path.read_text().strip() not in told.stdout + told.stderr
    token = world.run("farm", "master", "add-client", str(top), "ci", "--repository", "mine", "--source", "pkgbuilds")
    assert token.stdout.strip() not in (top / "farm.toml").read_text()
    file = read_farm_file(top)
    assert (file.workers["big"].builder_class, file.workers["big"].slots) == (9, 4)
    assert file.clients[0].token_sha256 == hashlib.sha256(token.stdout.strip().encode()).hexdigest()
    assert file.repositories["mine"].settings.build_timeout_s == 7200
    said = world.run("farm", "check", str(top))
    assert (said.status, "submitted to by ci" in said.stdout) == (0, True), said.stderr
    for private in (top, top / "secrets", path, top / "farm.toml"):
        assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0, private


def test_a_worker_is_made_and_checked(world: World, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cr3t\n")
    words = ("--name", "big", "--master", "tls:farm.example.org:9989", "--password-file", str(tmp_path / "password"))
    top = tmp_path / "worker"
    assert world.run("farm", "worker", "create", str(top), *words).status == 0
    said = world.run("farm", "check", str(top))
    assert said.status == 0, said.stderr
    assert "worker big goes to tls:farm.example.org:9989" in said.stdout
    assert "s3cr3t" not in said.stdout + said.stderr
    assert stat.S_IMODE((top / "password").stat().st_mode) == 0o600
    assert world.run("farm", "worker", "create", str(top), *words).status == 12


def grpc(table: str, expected: str) -> tuple[tuple[str, str], str]:
    """A farm with that table, and what is wrong with it."""
    return ("[workers.big]", f"[grpc]\n{table}\n[workers.big]"), expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("tcp:8010:interface=127.0.0.1", "tcp:8010"), "web would be reached over a network without encryption"),
        (("tcp:9989:interface=127.0.0.1", "tcp:9989"), "workers_listen would be reached over a network without"),
        (("tcp:9989", "tpc:9989"), "workers_listen is no endpoint"),
        (("https://farm", "http://farm"), "url is not https"),
        (('url = "https', 'urll = "https'), "urll is no key here (did you mean url"),
        (("slots = 4", "slots = 0"), "workers.big.slots is no number of 1 or more: '0'"),
        (("class = 9", "class = true"), "workers.big.class is no number"),
        (("[workers.big]", "[workers.small]"), "the worker's password is missing"),
        (("[workers.big]", '[workers."../big"]'), "workers is no name of a worker"),
        (('["pkgbuilds"]', "[]"), "repositories.mine.sources names no repository"),
        (("demo_key = true", ""), "needs one of key, key_file and demo_key"),
        (("demo_key = true", 'key_file = "gone.asc"'), "the signing key is missing"),
        (("CI_BUILD_TIMEOUT = 7200", 'CI_BUILD_TIMEOUT = "fast"'), "CI_BUILD_TIMEOUT is not a whole number: 'fast'"),
        (("repositories.mine", 'repositories."a/b"'), "is no name of a repository"),
        (("class = 9", "class = ["), "is no TOML"),
        grpc(
            'listen = "0.0.0.0:9190"', "grpc.listen would be reached over a network without encryption: '0.0.0.0:9190'"
        ),
        grpc('listen = "9190"', "grpc.listen is no host with a port: '9190' (such as 127.0.0.1:9190)"),
        grpc('listen = "127.0.0.1:70000"', "grpc.listen is no host with a port"),
        grpc("", "grpc.listen is missing"),
        grpc('listen = "127.0.0.1:9190"\nkey = "k.pem"', "grpc.certificate is missing (a certificate and its key go"),
        grpc(
            'listen = "127.0.0.1:9190"\ncertificates = "c"',
            "grpc.certificates is no key here (did you mean certificate",
        ),
        grpc('listen = "h:9190"\nkey = "k.pem"\ncertificate = "c.pem"', "c.pem cannot be read: No such file"),
        grpc('listen = "h:9190"\nkey = "farm.toml"\ncertificate = "farm.toml"', "that belong together (/"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    top = farm_of(tmp_path / "farm", GOOD.replace(*change))
    with pytest.raises(ToolkitError, match=re.escape(expected)):
        checked(top)


def test_where_grpc_is_not_installed_a_farm_that_serves_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = farm_of(tmp_path / "farm", GOOD.replace("[workers.big]", '[grpc]\nlisten = "[::1]:9190"\n[workers.big]'))
    assert "the build service over gRPC is at [::1]:9190, for this machine alone" in checked(top)
    monkeypatch.setattr("ci_toolkit.farm.grpc_door.find_spec", lambda _: None)
    with pytest.raises(ToolkitError, match=r"pip install 'ci-toolkit\[farm,grpc\]'"):
        checked(top)


def test_a_farm_that_is_not_public_has_no_open_pages_of_buildbots(tmp_path: Path) -> None:
    text = "public = false\n" + GOOD
    assert "signed by" in checked(farm_of(tmp_path / "well", text))
    open_ = text.replace("tcp:8020:interface=127.0.0.1", "tcp:8020")
    with pytest.raises(ToolkitError, match="would show anybody"):
        checked(farm_of(tmp_path / "open", open_))


def test_a_client_of_a_repository_that_is_not_there_is_refused(tmp_path: Path) -> None:
    client = f'[clients.ci]\ntoken_sha256 = "{"0" * 64}"\nrepositories = ["mein"]\n'
    with pytest.raises(ToolkitError, match="is no repository of this farm"):
        checked(farm_of(tmp_path / "farm", GOOD + client))


def test_nothing_shows_a_password(tmp_path: Path) -> None:
    top = farm_of(tmp_path / "farm", GOOD)
    (top / "secrets/workers/big").write_text("pa55word\n")
    (top / "secrets/database-url").write_text("postgresql+psycopg://farm:pa55word@db/farm\n")
    file = read_farm_file(top)
    assert file.database.endswith("@db/farm")
    assert "pa55word" not in repr(file)


@pytest.mark.parametrize("verb", ["check", "worker run"])
def test_what_is_trusted_and_is_no_certificate_is_said(world: World, tmp_path: Path, verb: str) -> None:
    top, trust = tmp_path / "big", tmp_path / "trust"
    trust.mkdir()
    (trust / "notes.pem").write_text("no certificate\n")
    (tmp_path / "word").write_text("s3cr3t\n")
    master = f"tls:farm.example.org:9989:trustRoots={trust}"
    words = ("--name", "big", "--master", master, "--password-file", str(tmp_path / "word"))
    assert world.run("farm", "worker", "create", str(top), *words).status == 0
    said = world.run("farm", *verb.split(), str(top))
    assert said.status == 7
    assert "worker.toml: master names a folder of certificates to trust in which a file is none" in said.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="nobody else can give files away")
def test_what_root_enters_belongs_to_whom_the_farm_belongs_to(tmp_path: Path) -> None:
    top = farm_of(tmp_path / "farm", GOOD)
    os.chown(top / "farm.toml", 1234, 1234)
    password = add_worker(top, "new", builder_class=1, slots=1)
    add_client(top, "ci", repositories=["mine"], sources=["pkgbuilds"], operates=False)
    assert {path.stat().st_uid for path in (top / "farm.toml", password, password.parent)} == {1234}
    assert stat.S_IMODE(password.stat().st_mode) == 0o600


def test_a_name_is_entered_once(tmp_path: Path) -> None:
    top = farm_of(tmp_path / "farm", GOOD)
    with pytest.raises(ToolkitError, match="has a password already"):
        add_worker(top, "big", builder_class=1, slots=1)


# what workers say of themselves


def test_what_a_worker_says_of_itself_is_understood() -> None:
    facts = parse_facts({INFO_FILE: own_facts(RootIdentity("host:abc")).decode()})
    assert (facts.fault, facts.root) == (None, "host:abc")
    assert facts.program[1:] == ("-m", "ci_toolkit")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace('"form": 1', '"form": 2'), "update the master"),
        (lambda text: text.replace('"form": 1', '"form": 0'), "update the worker"),
        (lambda text: text.replace('"machine": "', '"machine": "pdp-11, '), "it is a pdp-11"),
        (lambda text: text.replace('"root"', '"boot"'), "what it says of itself is incomplete"),
        (lambda text: text.replace("host:abc", "host:\\u001b[2J"), "what it says of itself is incomplete"),
        (lambda _: "[" * 100_000, "it is no worker of ci-toolkit"),
        (lambda _: "", "it is no worker of ci-toolkit"),
        (lambda _: "[]", "it is no worker of ci-toolkit"),
    ],
)
def test_one_that_says_something_else_is_unfit(change: Callable[[str], str], expected: str) -> None:
    facts = parse_facts({INFO_FILE: change(own_facts(RootIdentity("host:abc")).decode())})
    assert expected in (facts.fault or "")


# over TLS


def test_workers_come_over_tls_and_leave_when_the_master_is_somebody_else(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, address="127.0.0.1")
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots/farm.pem").write_bytes(certificate.read_bytes())
    (tmp_path / "others").mkdir()
    (tmp_path / "made").mkdir()
    (tmp_path / "others/other.pem").write_bytes(self_signed(tmp_path / "made").read_bytes())
    keys = f"privateKey={certificate.with_name('key.pem')}:certKey={certificate}"
    stand = FarmStand(top=tmp_path / "master", workers={"one": "class 1 slots 1"}, listen=f"ssl:PORT:{keys}")
    stand.connect = f"tls:127.0.0.1:PORT:trustRoots={tmp_path / 'roots'}"
    with running_farm(stand, stubs=True) as farm:
        farm.submit("r1", Tiny(name="one"))
        assert farm.finished() == {"one": "skipped"}
        farm.kill("one")
        path = farm.worker_folder("one") / "worker.toml"
        path.write_text(path.read_text().replace("/roots", "/others"))
        farm.spawn_worker("one")
        farm.wait(lambda: "certificate verify failed" in farm.log("one"))
        farm.submit("r2", Tiny(name="two"))
        farm.wait(lambda: "one is away" in farm.jobs()["two"].reason)
