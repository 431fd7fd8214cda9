"""The files that a package repository starts with: its pipeline, its configuration and a first package."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ci_toolkit.effects.files import write_file
from ci_toolkit.errors import RefusedError
from ci_toolkit.model.config_keys import REPOSITORY_KEYS
from ci_toolkit.model.settings import SETTINGS_PATH
from ci_toolkit.pipelines.caller_files import Builds, Service, caller_files, template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FIRST_PACKAGE = "hello-packages"
_BACKENDS: Mapping[Builds, str] = {"here": "local", "farm": "buildbot"}
_CODEOWNERS: Mapping[Service, str] = {"gitlab": ".gitlab/CODEOWNERS", "github": ".github/CODEOWNERS"}


class Fate(Enum):
    """What becomes of a file."""

    NEW = "new"
    SAME = "as it is to be"
    ADDED_TO = "has lines added"
    KEPT = "yours, and kept"
    DIFFERS = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialFile:
    """One file by its path below the top; `before` None where there is none."""

    path: str
    content: bytes
    before: bytes | None
    fate: Fate

    @property
    def difference(self) -> str:
        """What writing it would change, as a unified diff."""
        old, new = ((text or b"").decode(errors="replace").splitlines() for text in (self.before, self.content))
        old_name = "/dev/null" if self.before is None else f"a/{self.path}"
        return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, old_name, f"b/{self.path}", lineterm=""))


def plan_initial_files(
    top: Path,
    service: Service,
    repository_name: str,
    *,
    builds: Builds = "elsewhere",
    farm_url: str | None = None,
) -> tuple[InitialFile, ...]:
    """Every file with what becomes of it; nothing is written. RefusedError where a folder of `top` leads elsewhere.

    `builds` is where packages are built, `farm_url` the address of the farm that does.
    """
    planned = [_planned(top, path, content) for path, content in caller_files(service, builds=builds).items()]
    planned.append(_planned(top, _CODEOWNERS[service], template("common/CODEOWNERS"), kept=True))
    settings = initial_settings(service, repository_name, builds=builds, farm_url=farm_url)
    planned.append(_planned(top, SETTINGS_PATH, settings.encode(), kept=True))
    planned.append(_planned(top, ".pre-commit-config.yaml", template("common/pre-commit-config.yaml")))
    planned.append(_ignored(top))
    if not any(top.glob("*/PKGBUILD")):
        names = ("PKGBUILD", ".SRCINFO", ".CI/config")
        planned += [
            _planned(top, f"{FIRST_PACKAGE}/{name}", template(f"common/{FIRST_PACKAGE}/{name}")) for name in names
        ]
    return tuple(planned)


def write_initial_files(top: Path, planned: Iterable[InitialFile], *, forced: bool) -> tuple[str, ...]:
    """Write the plan; gives the paths. RefusedError, before anything is written, if files differ and not forced."""
    planned = tuple(planned)
    different = [file.path for file in planned if file.fate is Fate.DIFFERS]
    if different and not forced:
        raise RefusedError(f"{', '.join(different)} would be overwritten; nothing is written", hint="--force does it")
    written = [file for file in planned if file.fate not in (Fate.SAME, Fate.KEPT)]
    for file in written:
        write_file(top / file.path, file.content)
    return tuple(file.path for file in written)


def usable_name(text: str) -> str:
    """A folder's name as the name of a repository."""
    return re.sub(r"[^a-z0-9_+.-]+", "-", text.lower()).strip("-.") or "packages"


def initial_settings(service: Service, repository_name: str, *, builds: Builds, farm_url: str | None) -> str:
    """`.ci/config` with every key that there is: a few set, the rest behind a sign, with its default."""
    chosen = {
        "REPO_NAME": repository_name,
        "BUILD_REPO": repository_name,
        "CI_HUMAN_REVIEW": "true",
        "CI_FORGE": service,
        **({"CI_BACKEND": _BACKENDS[builds]} if builds in _BACKENDS else {}),
        **({"CI_FARM_URL": farm_url} if farm_url else {}),
    }
    return "".join(_setting_lines(chosen))


def _setting_lines(chosen: dict[str, str]) -> Iterator[str]:
    yield "# Settings of the whole repository. A variable of the same name in a pipeline wins over this file.\n"
    for key in REPOSITORY_KEYS.values():
        yield f"\n# {key.meaning}: {key.shape.value}\n"
        yield f"{key.name}={chosen[key.name]}\n" if key.name in chosen else f"#{key.name}={key.default or ''}\n"


def _planned(top: Path, path: str, content: bytes, *, kept: bool = False) -> InitialFile:
    before = _read(top, path)
    if before is None:
        fate = Fate.NEW
    elif before == content:
        fate = Fate.SAME
    else:
        fate = Fate.KEPT if kept else Fate.DIFFERS
    return InitialFile(path=path, content=content, before=before, fate=fate)


def _ignored(top: Path) -> InitialFile:
    """`.gitignore` with our lines; what is there stays."""
    wanted, before = template("common/gitignore"), _read(top, ".gitignore")
    if before is None:
        return InitialFile(path=".gitignore", content=wanted, before=None, fate=Fate.NEW)
    there = set(before.splitlines())
    missing = [line for line in wanted.splitlines() if line not in there]
    if not any(line for line in missing if not line.startswith(b"#")):
        return InitialFile(path=".gitignore", content=before, before=before, fate=Fate.SAME)
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    content = before + gap + b"".join(line + b"\n" for line in missing)
    return InitialFile(path=".gitignore", content=content, before=before, fate=Fate.ADDED_TO)


def _read(top: Path, path: str) -> bytes | None:
    """What is there; a link is never followed, in no part of the path."""
    place = top / path
    if place.is_symlink() or not place.resolve().is_relative_to(top.resolve()):
        raise RefusedError(f"{path} is, or is behind, a symbolic link; nothing is written")
    return place.read_bytes() if place.exists() else None
