"""The files by which a package repository calls ci-toolkit in its CI service, and the version that they pin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

from ci_toolkit import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

Service = Literal["gitlab", "github"]
Builds = Literal["elsewhere", "here", "farm"]
"""Where a repository's packages are built: by a chaotic-manager, by its own pipeline, by a farm."""
SERVICES: tuple[Service, ...] = get_args(Service)

# Path in the package repository to path below ci-templates/ of ci-toolkit's own.
_FILES: Mapping[Service, Mapping[str, str]] = {
    "gitlab": {
        ".gitlab-ci.yml": "gitlab/caller.yml",
        ".gitlab/ci-toolkit.yml": "gitlab/pipeline.yml",
    },
    "github": {
        ".github/workflows/packages.yml": "github/callers/packages.yml",
        ".github/workflows/package-changes.yml": "github/callers/package-changes.yml",
        ".github/workflows/ci-toolkit.yml": "github/workflows/ci-toolkit.yml",
        ".github/workflows/ci-toolkit-review.yml": "github/workflows/ci-toolkit-review.yml",
        ".github/actions/ci-toolkit/action.yml": "github/actions/ci-toolkit/action.yml",
    },
}
# What is different, or comes on top, where the pipeline builds, too, and where a farm does.
_BUILDING: Mapping[Service, Mapping[str, str]] = {
    "gitlab": {".gitlab-ci.yml": "gitlab/caller-building.yml"},
    "github": {
        ".github/workflows/packages.yml": "github/callers/packages-building.yml",
        ".github/workflows/ci-toolkit-build.yml": "github/workflows/ci-toolkit-build.yml",
    },
}
_FARM: Mapping[Service, Mapping[str, str]] = {
    "gitlab": {".gitlab-ci.yml": "gitlab/caller-farm.yml"},
    "github": {".github/workflows/packages.yml": "github/callers/packages-farm.yml"},
}
_TEMPLATES = "ci-templates"
_PROJECT = r"(?P<project>[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)"
_VERSION = r"(?P<version>[0-9]+(?:\.[0-9]+)*)\b"
_INSTALLED = rf"ci-toolkit(?P<project>)==[ ]?{_VERSION}"
_PINS: Mapping[Service, tuple[re.Pattern[str], ...]] = {
    "gitlab": (
        re.compile(rf"project:[ \t]*['\"]?{_PROJECT}['\"]?[ \t]*\n[ \t]*ref:[ \t]*['\"]?v{_VERSION}"),
        re.compile(rf"component:[ \t]*['\"]?[^/\s'\"]+/{_PROJECT}/[A-Za-z0-9_-]+@v{_VERSION}"),
        re.compile(_INSTALLED),
    ),
    "github": (
        re.compile(rf"uses:[ \t]*['\"]?{_PROJECT}/\.github/workflows/[^@\s]+@v{_VERSION}"),
        re.compile(_INSTALLED),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The version (without `v`) that a file pins; `project` is whose templates it calls, None: its own copies."""

    project: str | None
    version: str


def template(name: str) -> bytes:
    """A file that comes with ci-toolkit, by its path below `ci_toolkit/templates/`."""
    return files("ci_toolkit").joinpath("templates", *name.split("/")).read_bytes()


def caller_files(service: Service, *, version: str = __version__, builds: Builds = "elsewhere") -> Mapping[str, bytes]:
    """The files that a repository on `service` needs, path to content, with `version` pinned.

    `builds` says what becomes of what is scheduled: its pipeline hands it over to a manager, builds and publishes it
    itself, or hands it over to a farm.
    """
    others: Mapping[Builds, Mapping[str, str]] = {"here": _BUILDING[service], "farm": _FARM[service]}
    names = {**_FILES[service], **others.get(builds, {})}
    return {path: _pinned(name, version) for path, name in names.items()}


def caller_file(service: Service, path: str, version: str) -> bytes:
    """One of `caller_paths` with `version` pinned; of a caller the plain one, as in `template_path`."""
    return _pinned(template_path(service, path).removeprefix(f"{_TEMPLATES}/"), version)


def caller_paths(service: Service) -> tuple[str, ...]:
    """Every file of ours that a repository on `service` may have, whether its pipeline builds or not."""
    return tuple({**_FILES[service], **_BUILDING[service]})


def template_path(service: Service, path: str) -> str:
    """Where ci-toolkit's own repository keeps the file that is `path` in a package repository.

    Of a caller this is the plain one, and what makes it build counts as the owner's own lines.
    """
    names = {**_BUILDING[service], **_FILES[service]}
    return f"{_TEMPLATES}/{names[path]}"


def read_pin(service: Service, content: bytes) -> Pin | None:
    """What a file pins, None where it pins no version.

    >>> read_pin("github", b"uses: group/ci-toolkit/.github/workflows/pipeline.yml@v1.2")
    Pin(project='group/ci-toolkit', version='1.2')
    """
    found = _found(service, content)
    return Pin(project=found["project"] or None, version=found["version"]) if found else None


def with_pin(service: Service, content: bytes, version: str) -> bytes:
    """The file with another version where it pins one."""
    found = _found(service, content)
    if found is None:
        return content
    start, end = found.span("version")
    return (found.string[:start] + version + found.string[end:]).encode(errors="surrogateescape")


def _pinned(name: str, version: str) -> bytes:
    return template(name).replace(f"ci-toolkit=={__version__}".encode(), f"ci-toolkit=={version}".encode())


def _found(service: Service, content: bytes) -> re.Match[str] | None:
    text = content.decode(errors="surrogateescape")
    return next(filter(None, (form.search(text) for form in _PINS[service])), None)
