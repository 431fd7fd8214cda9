"""Clients for the GitLab on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.forges.gitlab import GitlabForge
from ci_toolkit.forges.spec import ForgeTools
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from tests.support.gitlab_service import PATH, TOKEN
from tests.support.world import QuickClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci_toolkit.formats.forge_memory import ForgeRecord
    from ci_toolkit.model.names import Pkgbase
    from tests.support.gitlab_service import GitlabService

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
    text = "".join(f"{key}={value}\n" for key, value in settings_of(service, **more).items())
    environ = {"ACCESS_TOKEN": TOKEN} if environ is None else environ
    return ForgeTools(
        settings=parse_settings(KeyValueFile.parse(text.encode(), file=".ci/config"), environ),
        environ=environ,
        clock=clock or QuickClock(),
        top=top,
        memory=memory or {},
    )
