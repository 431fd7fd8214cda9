"""Programs that tests need; where CI runs, one that is missing fails them instead of leaving them out."""

from __future__ import annotations

import os
import shutil

import pytest

needs_makepkg = pytest.mark.skipif(
    shutil.which("makepkg") is None and not os.environ.get("CI"), reason="makepkg is not installed"
)
