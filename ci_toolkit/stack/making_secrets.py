"""Secrets on disk: invented where they may be, with mode 0600 and the owner that reads them; never shown."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from ci_toolkit.effects.files import remove_unwritten, write_file
from ci_toolkit.errors import RefusedError
from ci_toolkit.stack.secret_files import core_secrets, plugin_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.secret_files import SecretFile

FOLDER = "secrets"
_MODE = 0o600
_BYTES = 32


def refuse_unusable(folder: Path) -> None:
    """Nothing; RefusedError when no secret can lie where all of them do. A link to a folder will do."""
    top = folder / FOLDER
    if (top.exists() or top.is_symlink()) and not top.is_dir():
        hint = "move it away: a folder for secrets is to be made there"
        raise RefusedError("is no folder, and nothing was written", key=str(top), hint=hint)


def make_secrets(folder: Path, deployment: Deployment) -> Iterator[str]:
    """Make what is missing and close what is open; gives a sentence for each that was made or closed.

    What cannot be done here, or is a link or a folder and so somebody's own affair, `secret_faults` tells of.
    """
    top = folder / FOLDER
    top.mkdir(mode=0o700, exist_ok=True)
    for secret in _all(deployment):
        path = top / secret.name
        remove_unwritten(path)
        if path.is_symlink() or path.is_dir():
            continue
        if not path.exists():
            text = _invented(top, secret) if secret.made else ""
            if not text:
                continue
            write_file(path, f"{text}\n".encode(), mode=_MODE)
            yield f"{FOLDER}/{secret.name} was made: {secret.meaning}"
        with contextlib.suppress(PermissionError):
            if stat.S_IMODE(path.stat().st_mode) != _MODE:
                path.chmod(_MODE)
                yield f"{FOLDER}/{secret.name} was open to others, and is closed now"
            if path.stat().st_uid != secret.owner:
                os.chown(path, secret.owner, secret.owner)


def secret_faults(folder: Path, deployment: Deployment) -> Iterator[str]:
    """A sentence for each that is missing, empty, open to others, or not readable by who reads it."""
    for secret in _all(deployment):
        path, name = folder / FOLDER / secret.name, f"{FOLDER}/{secret.name}"
        try:
            found = path.stat()
        except PermissionError:
            yield f"{FOLDER}/ is not for you to look into: whether all secrets are there, its owner has to ask"
            return
        except OSError:
            yield f"{name} is missing: {secret.meaning}" + (" (stack render makes it)" if secret.made else "")
            continue
        if not stat.S_ISREG(found.st_mode):
            yield f"{name} is no file, as Docker makes one that is missing a folder: remove it, and render"
            continue
        if not found.st_size:
            yield f"{name} is empty: {secret.meaning}"
        elif secret.made_of and _is_of_before(folder / FOLDER, secret):
            yield f"{name} was made for another address, or of another secrets/{secret.made_of}: remove it, and render"
        if stat.S_IMODE(found.st_mode) != _MODE:
            yield f"{name} is open to others: chmod 600 {name}"
        if found.st_uid != secret.owner:
            yield f"{name} is not readable for whom it is meant: chown {secret.owner}:{secret.owner} {name}"


def _all(deployment: Deployment) -> Iterator[SecretFile]:
    for secret in core_secrets(deployment):
        # systemd hands them to its units by itself, and reads them as root.
        yield secret if deployment.stack.is_composed else replace(secret, owner=0)
    yield from plugin_secrets(deployment)


def _is_of_before(top: Path, secret: SecretFile) -> bool:
    """Whether it is ours, and not what would be made now; a URL with another password is a database elsewhere."""
    try:
        now, there = _invented(top, secret), (top / secret.name).read_text().strip()
    except (OSError, UnicodeDecodeError):  # who may not read it cannot say
        return False
    is_ours = "://" not in secret.text or there.startswith(f"{now.partition('@')[0]}@")
    return bool(now) and there != now and is_ours


def _invented(top: Path, secret: SecretFile) -> str:
    """Empty where it is made of one that is."""
    if not secret.made_of:
        return secrets.token_urlsafe(_BYTES)
    other = (top / secret.made_of).read_text().strip()
    if not other:
        return ""
    return secret.text.format(quote(other, safe="") if "://" in secret.text else other)
