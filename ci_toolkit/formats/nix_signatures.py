"""Ed25519 signatures of store paths, and the keys for them, `NAME:BASE64` all of them.

Source: `nix-store --generate-binary-cache-key`, `nix store sign` 2.8; RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci_toolkit.errors import FormatError

# The library takes longer to load than most of what is done with store paths, and hardly anything of it is signed.
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,127}")
_SEED_BYTES, _PUBLIC_BYTES, _SIGNATURE_BYTES = 32, 32, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NixSignature:
    """A signature and the name of the key that is said to have made it."""

    key_name: str
    signature: bytes

    def __str__(self) -> str:
        return _format(self.key_name, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signatures are checked with."""

    name: str
    key: bytes

    def __str__(self) -> str:
        return _format(self.name, self.key)

    def verifies(self, signed: str, signature: NixSignature) -> bool:
        """Whether the signature is one of this key for this text."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - see above

        if signature.key_name != self.name:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature.signature, signed.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A key that signs; it is shown nowhere."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """What others check its signatures with."""
        return PublicKey(name=self.name, key=self._key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """As it stands in a file, which nobody else may read."""
        return _format(self.name, self.seed + self.public.key)

    def sign(self, signed: str) -> NixSignature:
        """The signature of a text, such as `store_path.fingerprint` gives."""
        return NixSignature(key_name=self.name, signature=self._key.sign(signed.encode()))

    @property
    def _key(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

        return Ed25519PrivateKey.from_private_bytes(self.seed)


def parse_signature(text: str) -> NixSignature:
    """A signature; FormatError for what is none."""
    name, signature = _parse(text, size=_SIGNATURE_BYTES, what="signature")
    return NixSignature(key_name=name, signature=signature)


def parse_public_key(text: str) -> PublicKey:
    """A public key; FormatError for what is none."""
    name, key = _parse(text.strip(), size=_PUBLIC_BYTES, what="public key")
    return PublicKey(name=name, key=key)


def parse_secret_key(text: str) -> SecretKey:
    """A secret key; FormatError, which says nothing of it, for what is none."""
    try:
        name, key = _parse(text.strip(), size=_SEED_BYTES + _PUBLIC_BYTES, what="secret key")
    except FormatError:
        hint = "nix-store --generate-binary-cache-key NAME SECRET-FILE PUBLIC-FILE makes one"
        raise FormatError("is no secret key for signing store paths", hint=hint) from None
    secret = SecretKey(name=name, seed=key[:_SEED_BYTES])
    if secret.public.key != key[_SEED_BYTES:]:
        raise FormatError("is no secret key for signing store paths: its two halves do not belong together")
    return secret


def generate_secret_key(name: str) -> SecretKey:
    """A new key; FormatError for a name that a key cannot have."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

    if _NAME.fullmatch(name) is None:
        raise FormatError("cannot be the name of a key", got=name, hint="such as cache.example.org-1")
    return SecretKey(name=name, seed=Ed25519PrivateKey.generate().private_bytes_raw())


def signing_key(signed: str, signatures: Iterable[NixSignature], keys: Iterable[PublicKey]) -> PublicKey | None:
    """The first of these keys that one of the signatures is of; None where no signature is good."""
    known = tuple(keys)
    return next((key for one in signatures for key in known if key.verifies(signed, one)), None)


def _format(name: str, data: bytes) -> str:
    return f"{name}:{base64.b64encode(data).decode()}"


def _parse(text: str, *, size: int, what: str) -> tuple[str, bytes]:
    name, colon, encoded = text.partition(":")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(text, what) from error
    if not colon or _NAME.fullmatch(name) is None or len(data) != size or _format(name, data) != text:
        raise _refused(text, what)
    return name, data


def _refused(text: str, what: str) -> FormatError:
    return FormatError(f"is no {what}", got=text, hint="it is written NAME:BASE64")
