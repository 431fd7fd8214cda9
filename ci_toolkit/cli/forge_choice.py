"""The forge that a run shows reviews at."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ci_toolkit.forges.choosing import choose_forge
from ci_toolkit.plugins import load_forge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.forges.spec import Forge
    from ci_toolkit.model.settings import Settings

log = logging.getLogger(__name__)


def chosen_forge(settings: Settings, environ: Mapping[str, str]) -> Forge:
    """What CI_FORGE names, or what the CI job speaks for; a warning says why it is no service."""
    choice = choose_forge(settings, environ)
    if choice.warning:
        log.warning("%s", choice.warning)
    return load_forge(choice.name)
