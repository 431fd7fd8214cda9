"""Packages that makepkg built, for pipelines that publish."""

from __future__ import annotations

from tests.support.publishing_fixtures import built, programs

__all__ = ["built", "programs"]
