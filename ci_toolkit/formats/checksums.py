"""The kinds of checksums that makepkg knows (source: PKGBUILD(5))."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SKIP = "SKIP"


class _State(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


# `cksums` is not among them: what makepkg's `cksum` computes is no protection, and no Python library has it.
KINDS: Mapping[str, Callable[[], _State]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
    "b2": hashlib.blake2b,
}


def digest(content: bytes, kind: str) -> str:
    """The sum of some bytes, as hexadecimal digits."""
    state = KINDS[kind]()
    state.update(content)
    return state.hexdigest()


class Digests:
    """Several sums of the same bytes, computed as they come."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._states = {kind: KINDS[kind]() for kind in kinds}

    def update(self, chunk: bytes) -> None:
        """More bytes."""
        for state in self._states.values():
            state.update(chunk)

    def hexadecimal(self) -> dict[str, str]:
        """Kind to sum."""
        return {kind: state.hexdigest() for kind, state in self._states.items()}
