"""The settings that hold where somebody stands: of the checkout there, if there is one, and of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import SETTINGS_PATH, parse_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.model.settings import Settings


def checkout_settings(top: Path, environ: Mapping[str, str]) -> Settings:
    """What `.ci/config` below `top` says, and the environment, which wins; ConfigError as in `parse_settings`."""
    path = top / SETTINGS_PATH
    text = path.read_bytes() if path.is_file() else b""
    return parse_settings(KeyValueFile.parse(text, file=SETTINGS_PATH), environ)
