"""The key that signs, by gpg: from a file, from the caller's own keyring, from a variable, or made for demonstrations.

A key from a file or a variable is imported into a folder that is gone afterwards. It is given to gpg on its standard
input, never as an argument or in an environment, and no other program sees it.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.errors import NotReadyError, ProcessError
from ci_toolkit.publishers.key_folder import key_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.effects.process import Processes

PASSPHRASE_VARIABLE = "CI_SIGNING_PASSPHRASE"  # noqa: S105 - its name, not a passphrase
LARGEST_KEY_BYTES = 1 << 20
LARGEST_SIGNATURE_BYTES = 16_384  # repo-add's limit
_TIMEOUT_S = 120.0
_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{16})")
_PRIMARY = re.compile(r"^sec:.*\n(?:(?!fpr:).*\n)*fpr:(?:[^:\n]*:){8}([0-9A-F]{40}):", re.MULTILINE)
_DEMO = b"""%no-protection
Key-Type: eddsa
Key-Curve: ed25519
Key-Usage: sign
Name-Real: ci-toolkit demonstration, trust it nowhere
Expire-Date: 0
%commit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChoice:
    """Where the key comes from; one is set. `material` is an exported secret key, `demo` a folder to keep one in."""

    fingerprint: str | None = None
    material: bytes | None = None
    demo: Path | None = None

    def __repr__(self) -> str:
        return "KeyChoice([hidden])"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that was seen to sign."""

    processes: Processes
    env: Mapping[str, str]
    fingerprint: str
    passphrase: bytes | None

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    def sign(self, path: Path) -> bytes:
        """Write the detached, binary signature of a file beside it, named `.sig`; ProcessError when gpg refuses."""
        target = path.with_name(f"{path.name}.sig")
        target.unlink(missing_ok=True)
        self._gpg("--local-user", f"{self.fingerprint}!", "--output", str(target), "--detach-sign", "--", str(path))
        signature = target.read_bytes()
        if not 0 < len(signature) <= LARGEST_SIGNATURE_BYTES:
            raise ProcessError(f"gpg made a signature of {len(signature)} bytes, which pacman does not take")
        return signature

    def public(self) -> bytes:
        """The public key, binary."""
        argv = ("gpg", *_FLAGS, "--export", "--export-options", "export-minimal", self.fingerprint)
        return self.processes.run(argv, env=self.env, timeout_s=_TIMEOUT_S).stdout

    def _gpg(self, *words: str) -> None:
        loopback = () if self.passphrase is None else ("--pinentry-mode", "loopback", "--passphrase-fd", "0")
        argv = ("gpg", *_FLAGS, *loopback, "--no-armor", "--digest-algo", "SHA512", *words)
        self.processes.run(argv, env=self.env, timeout_s=_TIMEOUT_S, stdin=self.passphrase or b"")


_FLAGS = ("--batch", "--no-tty", "--quiet", "--yes")


@contextmanager
def opened_key(
    choice: KeyChoice, *, processes: Processes, environ: Mapping[str, str], passphrase: str | None = None
) -> Iterator[SigningKey]:
    """The key, after it has signed something; NotReadyError when there is none or it cannot sign."""
    if shutil.which("gpg", path=environ.get("PATH")) is None:
        raise NotReadyError("gpg is not installed here, and packages are signed with it")
    secret = None if passphrase is None else f"{passphrase}\n".encode()
    with key_folder() as folder:
        env = program_environment(environ)
        if choice.material is not None:
            env["GNUPGHOME"] = str(folder)
            _import(choice.material, processes, env)
        elif choice.demo is not None:
            env["GNUPGHOME"] = str(folder)
            _import(_demo_key(choice.demo, processes, env), processes, env)
        elif environ.get("GNUPGHOME"):
            env["GNUPGHOME"] = environ["GNUPGHOME"]
        try:
            fingerprint = _secret_fingerprint(choice.fingerprint, processes, env)
            key = SigningKey(processes=processes, env=env, fingerprint=fingerprint, passphrase=secret)
            _try(key, folder)
            yield key
        finally:
            if env.get("GNUPGHOME") == str(folder):
                _end_agent(processes, env)


def program_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What programs of a publisher see of the caller's environment: no secrets are among it."""
    return {"LC_ALL": "C.UTF-8"} | {name: environ[name] for name in ("PATH", "HOME") if name in environ}


def _import(material: bytes, processes: Processes, env: Mapping[str, str]) -> None:
    if not material.strip() or len(material) > LARGEST_KEY_BYTES:
        raise NotReadyError("the signing key is empty or too large to be one")
    try:
        processes.run(("gpg", *_FLAGS, "--import"), env=env, timeout_s=_TIMEOUT_S, stdin=material)
    except ProcessError as error:
        raise NotReadyError(f"the signing key cannot be read: {error.said}") from error


def _demo_key(folder: Path, processes: Processes, env: Mapping[str, str]) -> bytes:
    """The demo key, made at first use and kept, so that a client trusts the second run, too."""
    from ci_toolkit.effects.files import write_file  # noqa: PLC0415 - needed by demonstrations alone

    path = folder / "demo-key.asc"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        processes.run(("gpg", *_FLAGS, "--gen-key"), env=env, timeout_s=_TIMEOUT_S, stdin=_DEMO)
        exported = processes.run(("gpg", *_FLAGS, "--armor", "--export-secret-keys"), env=env, timeout_s=_TIMEOUT_S)
        write_file(path, exported.stdout, mode=0o600)
    return path.read_bytes()


def _secret_fingerprint(wanted: str | None, processes: Processes, env: Mapping[str, str]) -> str:
    match = _FINGERPRINT.fullmatch(wanted or "")
    if wanted is not None and match is None:
        raise NotReadyError("is no fingerprint of a key", key="--key", got=wanted)
    argv = ("gpg", *_FLAGS, "--with-colons", "--fixed-list-mode", "--list-secret-keys", *((match[1],) if match else ()))
    done = processes.run(argv, env=env, timeout_s=_TIMEOUT_S, statuses=(0, 2))
    # Source of the form: GnuPG's doc/DETAILS; the primary key's fingerprint is the first `fpr` behind `sec`.
    found = re.findall(
        r"^sec:.*\n(?:(?!fpr:).*\n)*fpr:(?:[^:\n]*:){8}([0-9A-F]{40}):", done.stdout.decode(), re.MULTILINE
    )
    if not found:
        what = f"no secret key {wanted} is in the keyring" if wanted else "it holds no secret key to sign with"
        raise NotReadyError(f"the signing key is missing: {what}")
    if len(found) > 1:
        raise NotReadyError(f"{len(found)} secret keys are there, so it is not known which one signs")
    return str(found[0])


def _try(key: SigningKey, folder: Path) -> None:
    probe = folder / "probe"
    probe.write_bytes(b"is this key able to sign?\n")
    try:
        key.sign(probe)
    except ProcessError as error:
        raise NotReadyError(f"the key {key.fingerprint} cannot sign: {error.said}") from error


def _end_agent(processes: Processes, env: Mapping[str, str]) -> None:
    try:
        processes.run(("gpgconf", "--kill", "gpg-agent"), env=env, timeout_s=_TIMEOUT_S)
    except ProcessError:
        return  # it ends by itself when its folder is gone
