"""A minimal root that pacman manages, put together from this machine's own programs, with a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.makepkg import remove_slow_checks

PROGRAMS = (
    *("awk", "b2sum", "basename", "bash", "bsdtar", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "du"),
    *("env", "expr", "faked-sysv", "fakeroot", "file", "find", "gettext", "grep", "gzip", "head", "id", "install"),
    *("ldconfig", "ln", "ls", "makepkg", "mkdir", "mktemp", "mv", "nproc", "pacman", "pacman-conf", "patch", "prlimit"),
    *("readlink", "realpath", "repo-add", "rm", "rmdir", "sed", "setpriv", "sh", "sha256sum", "sleep", "sort", "stat"),
    *("tail", "tee", "touch", "tput", "tr", "true", "uname", "uniq", "vercmp", "wc", "xargs", "zstd", "getopt", "tac"),
)
CONFIG = """[options]
Architecture = auto
CheckSpace
SigLevel = Never
[extra]
Server = file:///srv/extra
"""
MAKEPKG_CONFIG = """CARCH=x86_64
CHOST=x86_64-pc-linux-gnu
OPTIONS=(!strip !docs !zipman !purge !debug)
BUILDENV=(!distcc !color !ccache check !sign)
INTEGRITY_CHECK=(sha256)
COMPRESSZST=(zstd -c -q -)
PKGEXT=.pkg.tar.zst
SRCEXT=.src.tar.gz
DLAGENTS=()
VCSCLIENTS=(git::git hg::mercurial)
"""
INSTALLED = "%NAME%\nbase\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n"


@dataclass(frozen=True)
class MinimalRoot:
    """An Arch root as far as makepkg and pacman need one; `top` is its folder."""

    top: Path

    def offer(self, *packages: Path) -> None:
        """Put packages into the repository that its pacman.conf names."""
        served = self.top / "srv/extra"
        for package in packages:
            shutil.copy2(package, served)
        files = [str(served / package.name) for package in packages]
        argv = ["repo-add", "--quiet", str(served / "extra.db.tar.gz"), *files]
        subprocess.run(argv, check=True, capture_output=True)

    def copy(self, to: Path) -> MinimalRoot:
        """Another one of the same files, which may be changed."""
        subprocess.run(["cp", "-al", str(self.top), str(to)], check=True)
        return MinimalRoot(to)

    def put(self, path: str, text: str) -> None:
        """Replace a file; in a copy that is no file of the original any more."""
        place = self.top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
        place.chmod(0o755 if "/bin/" in path else 0o644)

    def listing(self) -> list[str]:
        """Every file with its size and the time of its last change."""
        found = []
        for folder, _, names in os.walk(self.top):
            for name in (".", *names):
                path = Path(folder) / name
                about = path.lstat()
                found.append(f"{path.relative_to(self.top)} {about.st_mode} {about.st_size} {about.st_mtime_ns}")
        return sorted(found)


def make_minimal_root(top: Path) -> MinimalRoot:
    """Copy programs with the libraries that they load, and what makepkg and pacman read."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (top / "usr" / name).mkdir(parents=True, exist_ok=True)
        (top / name).symlink_to(f"usr/{name}")
    for name in ("dev", "etc", "proc", "root", "run", "srv/extra", "tmp", "var/cache/pacman/pkg", "var/tmp"):
        (top / name).mkdir(parents=True)
    programs = [Path(found) for name in PROGRAMS if (found := shutil.which(name))]
    fakeroot = sorted(Path("/usr/lib").glob("*/libfakeroot/libfakeroot-sysv.so"))
    for path in (*programs, *fakeroot, *_libraries(programs), Path("/usr/lib/file/magic.mgc")):
        _copy(path, top)
    for folder in ("/usr/share/makepkg", "/usr/lib/locale/C.utf8"):
        if Path(folder).is_dir():
            shutil.copytree(folder, top / folder.lstrip("/"))
    remove_slow_checks(top)
    root = MinimalRoot(top)
    (top / "etc/mtab").symlink_to("../proc/self/mounts")
    root.put("etc/pacman.conf", CONFIG)
    root.put("etc/makepkg.conf", MAKEPKG_CONFIG)
    root.put("etc/passwd", "root:x:0:0::/root:/bin/bash\n")
    root.put("etc/group", "root:x:0:\n")
    root.put("usr/bin/only-in-the-root", "#!/bin/bash\necho told by the root\n")
    root.put("var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
    root.put("var/lib/pacman/local/base-1-1/desc", INSTALLED)
    root.put("var/lib/pacman/local/base-1-1/files", "%FILES%\n")
    for folder, _, _ in os.walk(top):
        Path(folder).chmod(0o755)
    return root


def _libraries(programs: list[Path]) -> set[Path]:
    binaries = [str(path) for path in programs if path.read_bytes()[:4] == b"\x7fELF"]
    told = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    words = (word for line in told.splitlines() if line.startswith("\t") for word in line.split())
    return {Path(word) for word in words if word.startswith("/")}


def _copy(path: Path, top: Path) -> None:
    if path.exists():
        place = top / path.parent.resolve().relative_to("/") / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
