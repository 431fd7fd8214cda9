"""A package repository whose builds happen on this machine, made of packages that take a second each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.support.world import Result, World


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """A package without sources; `body` is what its build() does, `config` its `.CI/config`."""

    name: str
    version: str = "1.0"
    release: str = "1"
    depends: tuple[str, ...] = ()
    body: str = ""
    content: str = "something"
    config: str = ""

    def folder(self) -> dict[str, str]:
        """What the package repository holds."""
        build = f"build() {{\n  {self.body}\n}}\n" if self.body else ""
        pkgbuild = (
            f"pkgname={self.name}\npkgver={self.version}\npkgrel={self.release}\narch=('any')\nlicense=('MIT')\n"
            f"depends=({' '.join(map(repr, self.depends))})\n{build}"
            f'package() {{\n  mkdir -p "$pkgdir/usr/share/{self.name}"\n'
            f'  echo {self.content} > "$pkgdir/usr/share/{self.name}/file"\n}}\n'
        )
        rows = [f"pkgver = {self.version}", f"pkgrel = {self.release}", "arch = any", "license = MIT"]
        rows += [f"depends = {name}" for name in self.depends]
        head = [f"pkgbase = {self.name}", *(f"\t{row}" for row in rows)]
        return {
            f"{self.name}/PKGBUILD": pkgbuild,
            f"{self.name}/.SRCINFO": "\n".join([*head, "", f"pkgname = {self.name}", ""]),
            f"{self.name}/.CI/config": f"CI_PKGBUILD_SOURCE=custom\n{self.config}",
        }


@dataclass(frozen=True, kw_only=True)
class Described:
    """A folder that a command builds, which leaves `outputs`; `more` are further lines of its `.CI/recipe.toml`."""

    name: str
    command: str
    outputs: tuple[str, ...]
    version: str = "1.0"
    depends: tuple[str, ...] = ()
    more: str = ""

    def folder(self) -> dict[str, str]:
        """What the package repository holds."""
        outputs, needs = (", ".join(f'"{one}"' for one in names) for names in (self.outputs, self.depends))
        text = f'version = "{self.version}"\ncommand = """\n{self.command}\n"""\noutputs = [{outputs}]\n'
        return {
            f"{self.name}/.CI/recipe.toml": f"{text}needs = [{needs}]\n{self.more}",
            f"{self.name}/.CI/config": "CI_PKGBUILD_SOURCE=custom\n",
        }


def folders(*packages: Tiny | Described) -> dict[str, str]:
    """All of them."""
    return {path: text for package in packages for path, text in package.folder().items()}


class LocalBuilds:
    """The repository of a world with the local backend."""

    def __init__(self, world: World, *packages: Tiny | Described, **settings: str) -> None:
        self.world = world
        self.top = world.folder / "home/.local/share/ci-toolkit/builds/samples"
        self.served = self.top / "repository/x86_64"
        world.start(folders(*packages), settings={"CI_BACKEND": "local", **settings}, seen=False)

    def push(self, *packages: Tiny | Described, remove: tuple[str, ...] = ()) -> None:
        """A person's commit, scheduled."""
        self.world.push(folders(*packages), remove=remove)
        self.schedule()

    def schedule(self) -> None:
        """on-commit, which has to succeed."""
        result = self.world.run("on-commit")
        assert result.status == 0, result.stderr

    def build(self, **variables: str) -> Result:
        """One run of the backend in this process."""
        return self.world.run("builds", "run", "--demo-key", **variables)

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """One run in a process of its own."""
        return self.world.spawn("builds", "run", "--demo-key", **variables)

    def jobs(self, *words: str) -> dict[str, Any]:
        """The last job of each package."""
        return {job["package"]: job for job in self.world.run("builds", "list", "--json", *words).json}

    def states(self) -> dict[str, str]:
        """Where the last job of each package is."""
        return {name: job["state"] for name, job in self.jobs().items()}

    def steps(self, package: str) -> list[str]:
        """The states that a package's last job went through."""
        return [step["to"] for step in self.world.run("builds", "show", package, "--json").json["transitions"]]

    def published(self) -> dict[str, str]:
        """Packages and versions that clients get."""
        listed = self.world.run("publish", "list", "--json").json
        return {row["name"]: row["version"] for row in listed}

    def wait(self, holds: Callable[[], bool], *, within_s: float = 30.0) -> None:
        """Until something holds."""
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, self.states()
            time.sleep(0.05)
