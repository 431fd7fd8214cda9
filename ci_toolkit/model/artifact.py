"""A file that a job made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that a job made, or found made: its name, what it holds, and the SHA-256 of its content."""

    file: str
    name: str
    version: str
    arch: str
    sha256: str
    size_bytes: int
