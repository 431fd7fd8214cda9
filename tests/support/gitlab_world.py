"""Clients for the GitLab on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.forges.gitlab import GitlabForge
from tests.support.forge_world import forge_tools
from tests.support.gitlab_service import PATH, TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.forges.spec import ForgeTools
    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.model.names import Pkgbase
    from tests.support.gitlab_service import GitlabService
    from tests.support.world import QuickClock

FORGE = GitlabForge()


def settings_of(service: GitlabService, **more: str) -> dict[str, str]:
    """Keys of `.ci/config` that point at the service."""
    return {"CI_FORGE": "gitlab", "CI_FORGE_URL": service.url, "CI_FORGE_PROJECT": PATH, **more}


def tools_for(
    service: GitlabService,
    top: Path,
    *,
    environ: Mapping[str, str] | None = None,
    memory: Mapping[Pkgbase, ForgeRecord] | None = None,
    clock: QuickClock | None = None,
    **more: str,
) -> ForgeTools:
    """What a forge is handed."""
    environ = {"ACCESS_TOKEN": TOKEN} if environ is None else environ
    return forge_tools(settings_of(service, **more), environ, top, memory=memory, clock=clock)
