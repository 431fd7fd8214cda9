"""Real builds of small packages, with small limits."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.clock import SystemClock
from ci_toolkit.effects.downloads import Downloads
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.effects.web import Web, WebManners
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package_config import parse_package_config
from ci_toolkit.recipes.build import BuildRequest, Built
from ci_toolkit.recipes.build_sources import SourceFetcher
from ci_toolkit.recipes.makepkg.build import MakepkgBuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci_toolkit.recipes.build import BuildResult

TOOLS = ("bsdtar", "bwrap", "fakeroot", "makepkg", "pacman", "patch", "unshare", "zstd")
LIMITS = BuildLimits(time_s=60.0, memory_bytes=1 << 30, processes=200, output_bytes=1 << 20, disk_bytes=64 << 20)
EPOCH_S = 1_790_000_000
PACKAGE = 'package() {\n  install -Dm644 /dev/null "$pkgdir/usr/share/demo/file"\n}\n'

needs_makepkg = pytest.mark.skipif(
    not os.environ.get("CI") and any(shutil.which(tool) is None for tool in TOOLS),
    reason=f"one of {', '.join(TOOLS)} is not installed",
)


def pkgbuild(functions: str = PACKAGE, *, head: str = "", name: str = "demo") -> str:
    """A PKGBUILD; what `head` sets comes last before the functions, and so counts."""
    return f"pkgname={name}\npkgver=1.0\npkgrel=1\narch=('any')\nlicense=('MIT')\n{head}\n{functions}"


_PLAIN_HEAD = "license=('MIT')\n\n"


def srcinfo(*more: str) -> str:
    """What makepkg says of `pkgbuild()`."""
    rows = ["pkgver = 1.0", "pkgrel = 1", "arch = any", "license = MIT", *more]
    return "\n".join(["pkgbase = demo", *(f"\t{row}" for row in rows), "", "pkgname = demo", ""])


@dataclass
class Bench:
    """Builds package folders given as texts, one after the other."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)

    def build(
        self,
        text: str,
        files: Mapping[str, str] | None = None,
        *,
        config: str = "",
        limits: BuildLimits = LIMITS,
        cancelled: Callable[[], str | None] = lambda: None,
        **more: Any,
    ) -> BuildResult:
        """Build one; `files` are those of its folder beside PKGBUILD."""
        texts = {"PKGBUILD": text, **(files or {})}
        if _PLAIN_HEAD in text:
            texts.setdefault(".SRCINFO", srcinfo())
        parsed = parse_package_config(KeyValueFile.parse(config.encode(), file=".CI/config"))
        request = BuildRequest(
            pkgbase=more.pop("pkgbase", "demo"),
            files={path: UpstreamFile(mode="100644", content=content.encode()) for path, content in texts.items()},
            config=parsed,
            out=self.folder / "out",
            log=self.folder / "out/demo.log",
            epoch_s=EPOCH_S,
            limits=limits,
            **more,
        )
        environ = {**os.environ, **self.environ}
        processes, clock, redactor = Processes(redactor=Redactor(environ)), SystemClock(), Redactor(environ)
        with closing(Web(clock=clock, manners=WebManners(allow_local=True, attempts=1))) as web:
            fetcher = SourceFetcher(
                downloads=Downloads(folder=self.folder / "cache/downloads", web=web),
                processes=processes,
                env=upstream_environment(environ, allow_local=True),
                cache=self.folder / "cache/sources",
            )
            sandbox = Sandbox(processes=processes, environ=environ)
            builder = MakepkgBuild(
                sandbox=sandbox,
                fetcher=fetcher,
                clock=clock,
                redactor=redactor,
                show=self.shown.append,
                cancelled=cancelled,
            )
            return builder.run(request)

    @property
    def log(self) -> str:
        return (self.folder / "out/demo.log").read_text()


def built(result: BuildResult) -> Built:
    assert isinstance(result.outcome, Built), (result.outcome, result.log.read_text())
    return result.outcome


def contents(package: Path) -> list[str]:
    done = subprocess.run(["bsdtar", "-tf", str(package)], check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split() if not name.startswith(".") and not name.endswith("/")]


def unpacked(package: Path, name: str) -> str:
    command = ["bsdtar", "-xOf", str(package), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pkginfo(package: Path) -> str:
    return unpacked(package, ".PKGINFO")
