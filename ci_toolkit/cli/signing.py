"""The options that say which key signs what is published."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.backends.local_folder import data_folder
from ci_toolkit.errors import NotReadyError
from ci_toolkit.publishers.signing_key import PASSPHRASE_VARIABLE, KeyChoice, opened_key

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ci_toolkit.cli.surface import Terminal
    from ci_toolkit.effects.process import Processes
    from ci_toolkit.publishers.signing_key import SigningKey

KEY_VARIABLE = "CI_SIGNING_KEY"


def declare_key(parser: ArgumentParser) -> None:
    """Add arguments."""
    group = parser.add_argument_group("signing key", f"without any of these, the variable {KEY_VARIABLE} holds it")
    keys = group.add_mutually_exclusive_group()
    keys.add_argument("--key", metavar="FINGERPRINT", help="a key in your keyring")
    keys.add_argument("--key-file", metavar="FILE", type=Path, help="an exported secret key")
    keys.add_argument("--demo-key", action="store_true", help="a key made for demonstrations, which protects nobody")


def key_opener(
    options: Namespace, terminal: Terminal, processes: Processes
) -> Callable[[], AbstractContextManager[SigningKey]]:
    """Opens the key that is meant; NotReadyError when there is none, but not before it is wanted."""
    choice = cache(lambda: _key_choice(options, terminal))  # what it tells is told once, however many places sign
    return lambda: opened_key(
        choice(),
        processes=processes,
        environ=terminal.environ,
        passphrase=terminal.environ.get(PASSPHRASE_VARIABLE),
    )


def _key_choice(options: Namespace, terminal: Terminal) -> KeyChoice:
    if options.demo_key:
        terminal.stderr.write("signing with a key for demonstrations, which protects nobody\n")
        return KeyChoice(demo=data_folder(terminal.environ) / "demo-key")
    if options.key_file:
        path = terminal.cwd / options.key_file
        if not path.is_file():
            raise NotReadyError("the signing key is missing", file=str(path))
        return KeyChoice(material=path.read_bytes())
    if options.key:
        return KeyChoice(fingerprint=options.key)
    text = terminal.environ.get(KEY_VARIABLE, "")
    if not text.strip():
        hint = f"--key FINGERPRINT, --key-file FILE, --demo-key, or the variable {KEY_VARIABLE}"
        raise NotReadyError("the signing key is missing, and nothing is published unsigned", hint=hint)
    return KeyChoice(material=text.encode())
