"""A SHA-256 as Nix writes it, `sha256:` and 52 digits, and as the rest of ci-toolkit does: 64 hexadecimal digits."""

from __future__ import annotations

import base64
import binascii
import re

from ci_toolkit.errors import FormatError
from ci_toolkit.formats.nix_base32 import format_base32, parse_base32

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_DIGITS = 52
_SIZE = 32


def format_nix_sha256(sha256: str) -> str:
    """`sha256:` and the digits in Nix's base 32, of 64 hexadecimal digits."""
    return f"sha256:{format_base32(bytes.fromhex(sha256))}"


def parse_nix_sha256(text: str) -> str:
    """64 hexadecimal digits; FormatError for what is no SHA-256 in one of the forms that Nix writes.

    >>> parse_nix_sha256("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")[:8]
    'e3b0c442'
    """
    try:
        if text.startswith("sha256-"):
            return _from_base64(text.removeprefix("sha256-"))
        digits = text.removeprefix("sha256:")
        if digits != text and len(digits) == _DIGITS:
            return parse_base32(digits, size=_SIZE).hex()
        if digits != text and _HEXADECIMAL.fullmatch(digits):
            return digits
    except FormatError as error:
        raise FormatError("is no SHA-256", got=text) from error
    raise FormatError(
        "is no SHA-256", got=text, hint="it is written sha256: and 52 or 64 digits, or sha256- and base64"
    )


def _from_base64(text: str) -> str:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("is no base64", got=text) from error
    if len(digest) != _SIZE or base64.b64encode(digest).decode() != text:
        raise FormatError("is not 32 bytes in base64", got=text)
    return digest.hex()
