"""What `.CI/recipe.toml` says of an image."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import ConfigError, FormatError
from ci_toolkit.formats.containerfile import parse_containerfile
from ci_toolkit.formats.image_platform import parse_platform, platform_of
from ci_toolkit.formats.toml_values import check_keys, table_at, text_at, texts_at
from ci_toolkit.model.build_identity import is_read_by_builds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.formats.containerfile import Containerfile
    from ci_toolkit.formats.image_platform import ImagePlatform
    from ci_toolkit.formats.recipe_toml import RecipeFile
    from ci_toolkit.model.observation import UpstreamFile

_KEYS = ("file", "context", "arguments", "target", "platforms", "labels")
_FILES = ("Containerfile", "Dockerfile")
_IGNORED = (".containerignore", ".dockerignore")
_PATH = re.compile(r"([A-Za-z0-9@_+.-]+/)*[A-Za-z0-9@_+.-]+")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# What every build takes without declaring it.
_ALWAYS_THERE = frozenset(
    name
    for word in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (word, word.upper())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKeys:
    """What the recipe's own keys say; `file` None: the first of the usual names that is there."""

    file: str | None
    context: str
    arguments: Mapping[str, str]
    target: str | None
    platforms: tuple[ImagePlatform, ...]
    labels: Mapping[str, str]

    @property
    def architecture(self) -> str:
        """What the name of the file says: the machine's that the image is for, `any` where it is for several."""
        return "any" if len(self.platforms) > 1 else self.platforms[0].machine

    def path_in(self, files: Mapping[str, UpstreamFile]) -> str:
        """Which file of the folder says how to build; ConfigError where there is none."""
        names = (self.file,) if self.file else _FILES
        paths = [name if self.context == "." else f"{self.context}/{name}" for name in names]
        # One that is named may also lie beside the context.
        for path in (*paths, *names) if self.file else paths:
            if path in files:
                return path
        raise ConfigError("is not in the folder", key="file", got=" or ".join(paths))

    def ignore_file(self, files: Mapping[str, UpstreamFile]) -> str | None:
        """The file beside the Containerfile that says what it does not need, where there is one of its own."""
        path = self.path_in(files)
        return next((f"{path}{suffix}" for suffix in _IGNORED if f"{path}{suffix}" in files), None)

    def context_of(self, files: Mapping[str, UpstreamFile]) -> dict[str, UpstreamFile]:
        """The files that can be copied into the image: none of the owner's own, and none that no build reads."""
        prefix = "" if self.context == "." else f"{self.context}/"
        return {
            path.removeprefix(prefix): file
            for path, file in files.items()
            if path.startswith(prefix) and not path.startswith(".CI/") and is_read_by_builds(path)
        }


def parse_container_keys(own: Mapping[str, Any]) -> ContainerKeys:
    """The typed form; ConfigError for a key or value that cannot be."""
    check_keys(own, _KEYS, "")
    context = _path(text_at(own, "context", "."), "context") if own.get("context", ".") != "." else "."
    target = text_at(own, "target") if "target" in own else None
    if target is not None and not _TARGET.fullmatch(target):
        raise ConfigError("is no name of a stage", key="target", got=target)
    return ContainerKeys(
        file=_path(text_at(own, "file"), "file") if "file" in own else None,
        context=context,
        arguments=_texts(table_at(own, "arguments"), "arguments", _ARGUMENT),
        target=target,
        platforms=_platforms(texts_at(own, "platforms", "")),
        labels=_texts(table_at(own, "labels"), "labels", _LABEL),
    )


def read_containerfile(keys: ContainerKeys, files: Mapping[str, UpstreamFile]) -> Containerfile:
    """The Containerfile of a folder; ConfigError or FormatError where there is none that can be read."""
    path = keys.path_in(files)
    if not files[path].mode.startswith("100"):
        raise FormatError("is no regular file", file=path)
    return parse_containerfile(files[path].content, file=path)


def build_arguments(
    file: RecipeFile, keys: ContainerKeys, containerfile: Containerfile, known: Mapping[str, str]
) -> dict[str, str]:
    """What is handed over by `--build-arg`: what the owner says, and of `known` what the Containerfile asks for.

    ConfigError for an argument of the owner's that it does not take: most likely it is misspelt, and a build would go
    on without.
    """
    asked = containerfile.arguments
    unknown = sorted(name for name in keys.arguments if name not in asked and name not in _ALWAYS_THERE)
    if unknown:
        raise ConfigError("is taken by no ARG of the Containerfile", key=f"arguments.{unknown[0]}")
    offered = {**known, **file.environment}
    return {**{name: offered[name] for name in sorted(asked & offered.keys())}, **dict(sorted(keys.arguments.items()))}


def _path(text: str, key: str) -> str:
    if not _PATH.fullmatch(text) or {".", "..", ".CI"} & set(text.split("/")):
        raise ConfigError("names nothing inside the folder", key=key, got=text)
    return text


def _texts(table: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> dict[str, str]:
    for name, value in table.items():
        if not pattern.fullmatch(name):
            raise ConfigError("is no name that can be used", key=f"{key}.{name}")
        if not isinstance(value, str) or "\0" in value:
            raise ConfigError("is no text", key=f"{key}.{name}", got=str(value), hint="write it in quotes")
    return dict(table)


def _platforms(texts: list[str]) -> tuple[ImagePlatform, ...]:
    try:
        found = [parse_platform(text) for text in texts] or [platform_of(platform.machine())]
    except FormatError as error:
        raise ConfigError(error.problem, key="platforms", got=error.got, hint=error.hint) from error
    if len(set(found)) != len(found):
        raise ConfigError("names a platform twice", key="platforms", got=", ".join(texts))
    return tuple(sorted(found))
