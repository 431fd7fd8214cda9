"""What a build on this machine needs to be installed: packages that are given as files, and what the machine has.

pacman knows nothing of a machine that it does not manage. There, a program of the package's name, a library, or a file
that stands for it shows that the machine has a package; it is then entered into the root's database.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError
from ci_toolkit.recipes.makepkg.demands import parse_dependency, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.effects.host_view import HostView
    from ci_toolkit.formats.package_info import PackageInfo
    from ci_toolkit.formats.srcinfo import SrcInfo

_HOST_DATABASE = Path("/var/lib/pacman/local")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
_NEWEST, _OLDEST = "99:0", "0"
# Packages whose name is not that of a program: one that each of them brings, or a library.
_SIGNS = {
    "base": "bash",
    "base-devel": "make",
    "binutils": "ld",
    "coreutils": "ls",
    "diffutils": "diff",
    "findutils": "find",
    "gcc-libs": "libgcc_s.so",
    "glibc": "libc.so",
    "inetutils": "hostname",
    "iproute2": "ip",
    "libarchive": "libarchive.so",
    "libcap": "libcap.so",
    "mercurial": "hg",
    "ncurses": "libncursesw.so",
    "openssh": "ssh",
    "pkgconf": "pkg-config",
    "procps-ng": "ps",
    "python": "python3",
    "readline": "libreadline.so",
    "shadow": "useradd",
    "subversion": "svn",
    "systemd": "systemctl",
    "util-linux": "mount",
    "zlib": "libz.so",
}


@dataclass(kw_only=True)
class Dependencies:
    """Fills the database of a root; `assumed` are names that the machine is said to have."""

    view: HostView
    assumed: Sequence[str] = ()
    entered: dict[str, list[str]] = field(default_factory=dict)

    def of_machine(self, srcinfo: SrcInfo, architecture: str, given: Sequence[PackageInfo]) -> None:
        """Enter what the machine has of what a PKGBUILD, and the packages that are given, depend on."""
        if _HOST_DATABASE.is_dir() and any(_HOST_DATABASE.glob("*/desc")):
            shutil.copytree(_HOST_DATABASE, self.view.database / "local", dirs_exist_ok=True)
            return
        brought = {info.name for info in given}
        for text in (*written(srcinfo, architecture), *(text for info in given for text in info.depends)):
            found = parse_dependency(text)
            if found and found["name"] not in brought and (found["name"] in self.assumed or has(found["name"])):
                provided = self.entered.setdefault(found["name"], [])
                if found["how"]:
                    provided.append(_satisfying(found["how"], found["version"]))
        for name, versions in self.entered.items():
            self._enter(name, versions)

    def install(self, packages: Sequence[Path]) -> str:
        """What pacman says; UpstreamError when it refuses them."""
        if not packages:
            return ""
        done = self.view.install(packages)
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        if done.status != 0:
            raise UpstreamError(f"the packages it is built with cannot be installed: {said}")
        return said

    def _enter(self, name: str, versions: Iterable[str]) -> None:
        entry = self.view.database / "local" / f"{name}-0-0"
        entry.mkdir()
        provides = "".join(f"{name}={version}\n" for version in dict.fromkeys(versions))
        text = f"%NAME%\n{name}\n\n%VERSION%\n0-0\n\n%ARCH%\nany\n\n"
        (entry / "desc").write_text(text + (f"%PROVIDES%\n{provides}\n" if provides else ""))
        (entry / "files").touch()


def has(name: str) -> bool:
    """Whether this machine has what a package of that name brings."""
    sign = _SIGNS.get(name, name)
    if re.search(r"\.so(\.|$)", sign):
        return any(any(Path(folder).glob(f"{sign}*")) for folder in _LIBRARIES)
    return shutil.which(sign, path=_PATH) is not None


def _satisfying(how: str, version: str) -> str:
    """A version that such a constraint accepts: which one the machine has, nobody can tell."""
    if how == ">":
        return _NEWEST
    return _OLDEST if how == "<" else version
