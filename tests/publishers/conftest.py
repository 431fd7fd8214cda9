"""Built packages, a key and a stand, or a clear reason for going without."""

from __future__ import annotations

from tests.support.publishing_fixtures import built, key, programs, stand

__all__ = ["built", "key", "programs", "stand"]
