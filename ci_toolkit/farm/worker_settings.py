"""Settings of builds on their way to a worker: the repository's, but for what is the worker's own to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.model.settings import Settings

# What a worker's environment says about its machine, and nothing else of a repository's keys, holds there.
OWN_KEYS = (
    *("CI_BUILD_ROOT", "CI_BUILD_MEMORY", "CI_BUILD_DISK", "CI_BUILD_CCACHE"),
    *("CI_BUILD_ASSUME", "CI_KEEP_FAILED", "CI_SANDBOX"),
)


def handed_settings(settings: Settings) -> dict[str, str]:
    """The keys of a repository that matter where it is built, without those that have no value."""
    said = {
        "GIT_AUTHOR_NAME": settings.author_name,
        "GIT_AUTHOR_EMAIL": settings.author_email,
        "CI_BUILD_TIMEOUT": str(settings.build_timeout_s),
        "CI_BUILD_TIMEOUT_MAX": str(settings.most_build_timeout_s),
        "CI_BUILD_MEMORY": str(settings.build_memory_mib),
        "CI_BUILD_DISK": str(settings.build_disk_mib),
        "CI_BUILD_ROOT": settings.build_root or "",
        "CI_BUILD_CCACHE": str(settings.build_ccache).lower(),
        "CI_KEEP_FAILED": str(settings.keep_failed).lower(),
        "CI_LOG_DAYS": str(settings.log_days),
        "CI_BUILD_ASSUME": " ".join(settings.build_assumed),
        "CI_CODE_SKIP": str(settings.skip_status),
        "CI_CLONE_DELAY": str(settings.clone_delay_s),
        "CI_ALLOW_LOCAL_UPSTREAMS": str(settings.allow_local_upstreams).lower(),
    }
    return {key: value for key, value in said.items() if value}


def received_settings(handed: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """The settings of a build on this worker; ConfigError when the master sent what is no value of a key."""
    file = KeyValueFile.empty(file="the master's order")
    for key, value in {"REPO_NAME": "repository", "BUILD_REPO": "repository", **handed}.items():
        try:
            file = file.with_value(key, value)
        except ValueError as error:
            raise ConfigError("cannot be set", key=key, got=value) from error
    return parse_settings(file, {key: environ[key] for key in OWN_KEYS if key in environ})
