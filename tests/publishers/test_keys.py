"""Where the key comes from, and where it never goes."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import NotReadyError
from tests.support.pacman_stand import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pacman_stand import PacmanStand


def words(stand: PacmanStand, *key: str) -> list[str]:
    return [*stand.words("add", stand.built.file("beta", "1.0"))[:-2], *key]


def key_folders() -> set[Path]:
    return set(Path("/dev/shm").glob(f"ci-toolkit-key-{os.getpid()}-*"))


@pytest.mark.parametrize(
    ("option", "variables", "said"),
    [
        ([], {}, "the signing key is missing, and nothing is published unsigned"),
        ([], {"CI_SIGNING_KEY": "no key at all"}, "the signing key cannot be read"),
        (["--key-file", "nowhere.asc"], {}, "nowhere.asc: the signing key is missing"),
        (["--key", "0123456789ABCDEF0123456789ABCDEF01234567"], {}, "is in the keyring"),
        (["--key", "me"], {}, "--key is no fingerprint of a key: 'me'"),
    ],
    ids=["none", "no key", "no file", "not in the keyring", "no fingerprint"],
)
def test_a_missing_key_is_told_before_anything_changes(
    stand: PacmanStand, option: list[str], variables: dict[str, str], said: str
) -> None:
    done = stand.run_words(words(stand, *option), **variables)
    assert done.status == NotReadyError.exit_status
    assert said in done.stderr
    assert not stand.top.exists()
    assert key_folders() == set()


def test_a_key_from_a_variable_signs_and_no_other_program_is_given_it(
    stand: PacmanStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = stand.key_file.read_text()
    seen: list[tuple[tuple[str, ...], dict[str, str], list[int]]] = []
    start = subprocess.Popen

    def watched(argv: tuple[str, ...], *, env: dict[str, str], **options: object) -> object:
        seen.append((argv, env, [stat.S_IMODE(folder.stat().st_mode) for folder in key_folders()]))
        return start(argv, env=env, **options)  # type: ignore[call-overload]  # as it was called

    monkeypatch.setattr(subprocess, "Popen", watched)
    done = stand.run_words(words(stand), CI_SIGNING_KEY=secret)
    monkeypatch.undo()
    assert done.status == 0, done.stderr
    line = secret.splitlines()[3]
    assert {argv[0] for argv, *_ in seen} >= {"gpg", "repo-add"}
    for argv, env, modes in seen:
        assert line not in f"{argv} {env}"
        assert "CI_SIGNING_KEY" not in env
        assert modes == [0o700]
    assert line not in done.stdout + done.stderr
    assert key_folders() == set()
    assert not any(line.encode() in path.read_bytes() for path in stand.top.rglob("*") if path.is_file())


@pytest.fixture
def keyring() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        new_key(Path(short) / "k")
        yield f"{short}/k"
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env={**os.environ, "GNUPGHOME": f"{short}/k"}, check=False)


def test_a_key_in_the_callers_keyring_is_named_by_its_fingerprint(stand: PacmanStand, keyring: str) -> None:
    argv = ["gpg", "--homedir", keyring, "--batch", "--with-colons", "--list-keys"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    done = stand.run_words(words(stand, "--key", fingerprint), GNUPGHOME=keyring)
    assert done.status == 0, done.stderr
    assert stand.client().pacman("-Sy").returncode == 0


def test_a_key_with_a_passphrase_needs_it(stand: PacmanStand) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        secret = new_key(Path(short) / "k", passphrase="open sesame")[0].decode()
    refused = stand.run_words(words(stand), CI_SIGNING_KEY=secret, CI_SIGNING_PASSPHRASE="open says me")
    assert refused.status == NotReadyError.exit_status
    assert "cannot sign" in refused.stderr
    assert not stand.top.exists()
    done = stand.run_words(words(stand), CI_SIGNING_KEY=secret, CI_SIGNING_PASSPHRASE="open sesame")
    assert done.status == 0, done.stderr
    assert stand.run("check").status == 0


def test_the_demo_key_stays_the_same_and_says_what_it_is(stand: PacmanStand) -> None:
    done = stand.run_words(words(stand, "--demo-key"))
    assert "which protects nobody" in done.stderr
    client = stand.client()
    assert client.pacman("-Sy").returncode == 0
    assert stand.run_words([*stand.words("remove", "beta")[:-2], "--demo-key"]).status == 0
    assert client.pacman("-Sy").returncode == 0
    kept = Path(stand.env["HOME"]) / ".local/share/ci-toolkit/demo-key/demo-key.asc"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_folder_of_a_run_that_was_killed_is_removed(stand: PacmanStand) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = Path(f"/dev/shm/ci-toolkit-key-{ended.pid}-left")
    left.mkdir(mode=0o700)
    (left / "secret").write_text("key")
    assert stand.run("add", stand.built.file("beta", "1.0")).status == 0
    assert not left.exists()
