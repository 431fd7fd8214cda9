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


def caller_files(service: Service, *, version: str = __version__) -> Mapping[str, bytes]:
    """The files that a repository on `service` needs, path to content, with `version` pinned."""
    pinned = f"ci-toolkit=={version}".encode()
    return {
        path: template(name).replace(f"ci-toolkit=={__version__}".encode(), pinned)
        for path, name in _FILES[service].items()
    }


def template_path(service: Service, path: str) -> str:
    """Where ci-toolkit's own repository keeps the file that is `path` in a package repository."""
    return f"{_TEMPLATES}/{_FILES[service][path]}"


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


def _found(service: Service, content: bytes) -> re.Match[str] | None:
    text = content.decode(errors="surrogateescape")
    return next(filter(None, (form.search(text) for form in _PINS[service])), None)
