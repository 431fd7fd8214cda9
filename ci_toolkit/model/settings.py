"""The repository-wide configuration: `.ci/config`, overridden by environment variables of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.oci_reference import parse_oci_registry
from ci_toolkit.model.config_keys import (
    REPOSITORY_KEYS,
    parse_absolute_path,
    parse_auto_merge,
    parse_boolean,
    parse_build_root,
    parse_builder,
    parse_class_limits,
    parse_commas,
    parse_count,
    parse_names,
    parse_news_kinds,
    parse_nix_cache,
    parse_nix_compression,
    parse_pages_url,
    parse_projects,
    parse_push_url,
    parse_repository_name,
    parse_repository_names,
    parse_sandbox,
    parse_template_updates,
    parse_web_address,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ci_toolkit.formats.key_value import KeyValueFile
    from ci_toolkit.formats.oci_reference import OciRegistry
    from ci_toolkit.model.finding import Severity
    from ci_toolkit.model.news import NewsKind

T = TypeVar("T")

SETTINGS_PATH = ".ci/config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for the whole repository; `overridden` names the keys whose value the environment changed."""

    repo_name: str
    build_repo: str
    author_name: str
    author_email: str
    redis_ssh_host: str
    redis_ssh_port: int
    redis_ssh_user: str
    redis_port: int
    human_review: bool
    overwrite_commits: bool
    manage_aur: bool
    clone_delay_s: int
    aur_proxy: str | None
    lib_databases: tuple[str, ...]
    rebuild_triggers: tuple[str, ...]
    rebuild_blacklist: tuple[str, ...]
    default_class: str | None
    max_parallel: int
    template_updates: bool
    template_repo: str | None
    template_commits: bool
    backend: str
    farm_url: str | None
    farm_ca: str | None
    manager_url: str | None
    manager_repositories: tuple[str, ...]
    forge: str
    forge_url: str | None
    forge_project: str | None
    forge_ca: str | None
    review_labels: tuple[str, ...]
    review_assignees: tuple[str, ...]
    review_reviewers: tuple[str, ...]
    review_draft: bool
    review_auto_merge: Severity | None
    dashboard: bool
    aur_metadata_url: str
    aur_git_url: str
    aur_api_url: str
    aur_push_url: str
    aur_known_hosts: str | None
    github_url: str
    sandbox: str
    nvchecker_review: bool
    allow_local_upstreams: bool
    remove_limit_percent: int
    review_cooldown_hours: int
    skip_status: int
    build_timeout_s: int
    most_build_timeout_s: int
    build_memory_mib: int
    build_disk_mib: int
    build_root: str
    build_ccache: bool
    keep_failed: bool
    build_slots: int
    build_assumed: tuple[str, ...]
    class_limits: Mapping[str, int]
    publish_dir: str | None
    files_dir: str | None
    oci_registry: OciRegistry | None
    oci_fallback: OciRegistry | None
    oci_ca: str | None
    archive_days: int
    log_days: int
    nix_cache: str
    nix_compression: str
    builds_url: str | None
    notifiers: tuple[str, ...]
    notify_on: frozenset[NewsKind]
    notify_interval_s: int
    notify_projects: Mapping[str, str]
    mail_from: str | None
    mail_to: tuple[str, ...]
    matrix_room: str | None
    telegram_chat: str | None
    overridden: tuple[str, ...] = ()


def parse_settings(file: KeyValueFile, environ: Mapping[str, str]) -> Settings:
    """The typed form; ConfigError with key, and line where the file says it, at the first unacceptable value."""
    read = _Reader(file, environ)
    return Settings(
        repo_name=read("REPO_NAME", parse_repository_name),
        build_repo=read("BUILD_REPO", parse_repository_name),
        author_name=read("GIT_AUTHOR_NAME", _one_line),
        author_email=read("GIT_AUTHOR_EMAIL", _one_line),
        redis_ssh_host=read("REDIS_SSH_HOST", _one_line),
        redis_ssh_port=read("REDIS_SSH_PORT", parse_count),
        redis_ssh_user=read("REDIS_SSH_USER", _one_line),
        redis_port=read("REDIS_PORT", parse_count),
        human_review=read("CI_HUMAN_REVIEW", parse_boolean),
        manage_aur=read("CI_MANAGE_AUR", parse_boolean),
        overwrite_commits=read("CI_OVERWRITE_COMMITS", parse_boolean),
        clone_delay_s=read("CI_CLONE_DELAY", parse_count),
        aur_proxy=read.optional("CI_AUR_PROXY", _one_line),
        lib_databases=tuple(read.text("CI_LIB_DB").split()),
        rebuild_triggers=parse_names(read.text("CI_REBUILD_TRIGGERS")),
        rebuild_blacklist=parse_names(read.text("CI_REBUILD_BLACKLIST")),
        default_class=read.optional("CI_DEFAULT_CLASS", parse_builder),
        max_parallel=max(1, read("CI_MAX_PARALLEL", parse_count)),
        template_updates=read("TEMPLATE_ENABLE_UPDATES", parse_boolean),
        template_repo=read.optional("TEMPLATE_REPO", _one_line),
        template_commits=read("TEMPLATE_UPDATES", parse_template_updates),
        backend=read("CI_BACKEND", _one_line),
        farm_url=read.optional("CI_FARM_URL", _one_line),
        farm_ca=read.optional("CI_FARM_CA", _one_line),
        manager_url=read.optional("CI_MANAGER_URL", parse_web_address),
        manager_repositories=read("CI_MANAGER_REPOSITORIES", parse_repository_names),
        forge=read("CI_FORGE", _one_line),
        forge_url=read.optional("CI_FORGE_URL", _one_line),
        forge_project=read.optional("CI_FORGE_PROJECT", _one_line),
        forge_ca=read.optional("CI_FORGE_CA", _one_line),
        review_labels=read("CI_REVIEW_LABELS", parse_commas),
        review_assignees=read("CI_HUMAN_REVIEW_ASSIGNEE", parse_commas),
        review_reviewers=read("CI_REVIEW_REVIEWERS", parse_commas),
        review_draft=read("CI_REVIEW_DRAFT", parse_boolean),
        review_auto_merge=read.optional("CI_REVIEW_AUTO_MERGE", parse_auto_merge),
        dashboard=read("CI_DASHBOARD", parse_boolean),
        aur_metadata_url=read("CI_AUR_METADATA_URL", _one_line),
        aur_git_url=read("CI_AUR_GIT_URL", _one_line),
        aur_api_url=read("CI_AUR_API_URL", _one_line),
        aur_push_url=read("CI_AUR_PUSH_URL", parse_push_url),
        aur_known_hosts=read.optional("CI_AUR_KNOWN_HOSTS", _one_line),
        github_url=read("CI_GITHUB_URL", _one_line),
        sandbox=read("CI_SANDBOX", parse_sandbox),
        nvchecker_review=read("CI_NVCHECKER_REVIEW", parse_boolean),
        allow_local_upstreams=read("CI_ALLOW_LOCAL_UPSTREAMS", parse_boolean),
        remove_limit_percent=read("CI_REMOVE_LIMIT", parse_count),
        review_cooldown_hours=read("CI_REVIEW_COOLDOWN", parse_count),
        skip_status=read("CI_CODE_SKIP", parse_count),
        build_timeout_s=read("CI_BUILD_TIMEOUT", parse_count),
        most_build_timeout_s=read("CI_BUILD_TIMEOUT_MAX", parse_count),
        build_memory_mib=read("CI_BUILD_MEMORY", parse_count),
        build_disk_mib=read("CI_BUILD_DISK", parse_count),
        build_root=read("CI_BUILD_ROOT", parse_build_root),
        build_ccache=read("CI_BUILD_CCACHE", parse_boolean),
        keep_failed=read("CI_KEEP_FAILED", parse_boolean),
        build_slots=read("CI_BUILD_SLOTS", parse_count),
        build_assumed=tuple(read.text("CI_BUILD_ASSUME").split()),
        class_limits=read("CI_CLASS_LIMITS", parse_class_limits),
        publish_dir=read.optional("CI_PUBLISH_DIR", parse_absolute_path),
        files_dir=read.optional("CI_FILES_DIR", parse_absolute_path),
        oci_registry=read.optional("CI_OCI_REGISTRY", parse_oci_registry),
        oci_fallback=read.optional("CI_OCI_FALLBACK", parse_oci_registry),
        oci_ca=read.optional("CI_OCI_CA", parse_absolute_path),
        archive_days=read("CI_ARCHIVE_DAYS", parse_count),
        log_days=read("CI_LOG_DAYS", parse_count),
        nix_cache=read.optional("CI_NIX_CACHE", parse_nix_cache) or "",
        nix_compression=read("CI_NIX_COMPRESSION", parse_nix_compression),
        builds_url=read.optional("CI_BUILDS_URL", parse_pages_url),
        notifiers=tuple(dict.fromkeys(read.text("CI_NOTIFY").split())),
        notify_on=read("CI_NOTIFY_ON", parse_news_kinds),
        notify_interval_s=read("CI_NOTIFY_INTERVAL", parse_count),
        notify_projects=read("CI_NOTIFY_PROJECTS", parse_projects),
        mail_from=read.optional("CI_NOTIFY_MAIL_FROM", _one_line),
        mail_to=tuple(read.text("CI_NOTIFY_MAIL_TO").split()),
        matrix_room=read.optional("CI_NOTIFY_MATRIX_ROOM", _one_line),
        telegram_chat=read.optional("CI_NOTIFY_TELEGRAM_CHAT", _one_line),
        overridden=tuple(key for key in REPOSITORY_KEYS if read.is_overridden(key)),
    )


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ConfigError("has a control character", got=text)
    return text


@dataclass(frozen=True, slots=True)
class _Reader:
    file: KeyValueFile
    environ: Mapping[str, str]

    def is_overridden(self, key: str) -> bool:
        """Whether file and environment both speak, and differ."""
        said = self.file.get(key)
        return said is not None and self.environ.get(key, "") not in ("", said)

    def text(self, key: str) -> str:
        """The value in force: environment, file, default; empty when there is none."""
        return self.environ.get(key) or self.file.get(key) or REPOSITORY_KEYS[key].default or ""

    def optional(self, key: str, parse: Callable[[str], T]) -> T | None:
        """The parsed value, None when there is none."""
        return self(key, parse) if self.text(key) else None

    def __call__(self, key: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(self.text(key))
        except ConfigError as error:
            if self.environ.get(key):
                raise error.located(file="the environment", key=key) from None
            raise error.located(file=self.file.file, key=key, line=self.file.line_of(key)) from None
