"""Nix's own base 32: an integer of little-endian bytes, its highest digit first, in an alphabet without e, o, t and u.

Source: Nix 2.8, compared with `nix-hash --to-base32` and `--to-base16`.
"""

from __future__ import annotations

from ci_toolkit.errors import FormatError

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
"""Its digits; what is left out keeps names from spelling words."""

_BITS = 5
_VALUES = {digit: value for value, digit in enumerate(ALPHABET)}


def format_base32(data: bytes) -> str:
    """The digits for some bytes: 52 for a SHA-256, 32 for the 20 bytes of a store path."""
    number = int.from_bytes(data, "little")
    length = -(-8 * len(data) // _BITS)
    return "".join(ALPHABET[number >> _BITS * place & 31] for place in reversed(range(length)))


def parse_base32(text: str, *, size: int) -> bytes:
    """The `size` bytes that the digits stand for; FormatError for anything else than what `format_base32` gives."""
    if len(text) != -(-8 * size // _BITS) or not all(digit in _VALUES for digit in text):
        raise FormatError(f"is not {size} bytes in Nix's base 32", got=text)
    number = 0
    for digit in text:
        number = number << _BITS | _VALUES[digit]
    if number >> 8 * size:
        raise FormatError(f"is more than {size} bytes in Nix's base 32", got=text)
    return number.to_bytes(size, "little")
