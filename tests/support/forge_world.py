"""What a forge is handed, from keys of `.ci/config`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.forges.spec import ForgeTools
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.settings import Settings


def settings_from(keys: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """As if the keys stood in `.ci/config`."""
    text = "".join(f"{key}={value}\n" for key, value in keys.items())
    return parse_settings(KeyValueFile.parse(text.encode(), file=".ci/config"), environ or {})


def forge_tools(
    keys: Mapping[str, str],
    environ: Mapping[str, str],
    top: Path,
    *,
    memory: Mapping[Pkgbase, ForgeRecord] | None = None,
    clock: QuickClock | None = None,
) -> ForgeTools:
    """For one call of a forge."""
    return ForgeTools(
        settings=settings_from(keys, environ),
        environ=environ,
        clock=clock or QuickClock(),
        top=top,
        memory=memory or {},
    )
