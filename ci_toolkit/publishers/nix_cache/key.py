"""The key that signs what a Nix binary cache has: from a variable, or from a file that nobody else may read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import FormatError, NotReadyError, RefusedError
from ci_toolkit.formats.nix_signatures import generate_secret_key, parse_secret_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.formats.nix_signatures import PublicKey, SecretKey

NIX_KEY_VARIABLE = "CI_NIX_SIGNING_KEY"
_FILE = "secret-key"
_LARGEST_BYTES = 4096


def nix_key(folder: Path, environ: Mapping[str, str]) -> SecretKey:
    """The key in the variable, or else the one that was made in a publisher's folder; NotReadyError without one."""
    text = environ.get(NIX_KEY_VARIABLE, "").strip()
    if text:
        return _parsed(text, NIX_KEY_VARIABLE)
    path = folder / _FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        hint = f"ci-toolkit publish nix-key NAME makes one, or {NIX_KEY_VARIABLE} holds it"
        raise NotReadyError(
            "the key for the Nix cache is missing, and nothing is published unsigned", hint=hint
        ) from None
    except OSError as error:
        raise NotReadyError(f"the key cannot be read: {error.strerror}", file=str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise NotReadyError("can be read by others", file=str(path), hint=f"chmod 600 {path}")
        return _parsed(file.read(_LARGEST_BYTES).decode(errors="replace"), str(path))


def make_nix_key(folder: Path, name: str) -> PublicKey:
    """A new key in a publisher's folder; RefusedError when there is one, FormatError for a name that no key has."""
    path = folder / _FILE
    if os.path.lexists(path):
        raise RefusedError("is there already, and what it signed is trusted by it", file=str(path))
    secret = generate_secret_key(name)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(path, f"{secret.text}\n".encode(), mode=0o600)
    return secret.public


def _parsed(text: str, where: str) -> SecretKey:
    try:
        return parse_secret_key(text)
    except FormatError as error:
        raise NotReadyError(error.problem, key=where, hint=error.hint) from None
