"""Whose updates a repository takes without a review."""

from __future__ import annotations


def is_trusted(maintainers: tuple[str, ...] | None, trusted: frozenset[str]) -> bool:
    """Whether there are maintainers and every one is on the list; whole names, compared in ASCII lower case."""
    return bool(maintainers) and all(_folded(name) in trusted for name in maintainers or ())


def _folded(name: str) -> str:
    # `bytes.lower` knows ASCII only, so that no look-alike folds onto a trusted name.
    return name.encode().lower().decode()
