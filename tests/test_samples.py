"""The sample packages are what real ones are: formatted, in step with `.SRCINFO`, and they build without a network.

Each build happens in bubblewrap, in a user namespace and without a network. A dependency that is a sample itself is
built first and installed by pacman into a layer, which an overlay lays over `/usr`: that needs no root and writes
nothing to the machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.makepkg import write_quick_library

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAMPLES = Path(__file__).resolve().parent.parent / "sample-pkgbuilds"
UPSTREAMS = SAMPLES / ".upstreams"
PLACEHOLDER = "http://127.0.0.1:8765"
TOOLS = ("bsdtar", "bwrap", "fakeroot", "g++", "gcc", "git", "make", "makepkg", "mount", "pacman", "patch", "unshare")
TIME_LIMIT_S = 120
EPOCH = 1_790_000_000  # of every commit and every built file
# Said to be installed, because the machine has them although its pacman database does not know.
ON_THE_MACHINE = ("awk", "bash", "bc", "coreutils", "diffutils", "findutils", "git", "glibc", "grep", "sed")
SEALED_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
MINIMAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One version of one package, and what is to come out of it."""

    folder: str  # below sample-pkgbuilds/
    version: str  # epoch, pkgver and pkgrel of what is built
    files: Mapping[str, tuple[str, ...]]  # pkgname -> all its files and links
    arch: str = "any"
    needs: tuple[str, ...] = ()  # samples to be installed, in this order
    projects: tuple[str, ...] = ("start",)  # revisions of the followed projects
    pkginfo: Mapping[str, frozenset[str]] = field(default_factory=dict)  # "pkgname key" -> all its values

    @property
    def path(self) -> Path:
        return SAMPLES / self.folder

    @property
    def packages(self) -> frozenset[str]:
        return frozenset(f"{name}-{self.version}-{self.arch}.pkg.tar.zst" for name in self.files)


def one(name: str, *files: str) -> dict[str, tuple[str, ...]]:
    return {name: files}


BUILDS = {
    "hexpeek-git": Sample(
        folder="hexpeek-git",
        version="0.4.0.r1-1",
        arch="x86_64",
        files=one("hexpeek-git", "usr/bin/hexpeek"),
        pkginfo={"hexpeek-git provides": frozenset({"hexpeek=0.4.0"})},
    ),
    "hexpeek-git moved": Sample(
        folder="hexpeek-git",
        version="0.5.0.r2-1",
        arch="x86_64",
        files=one("hexpeek-git", "usr/bin/hexpeek"),
        projects=("start", "moved"),
        pkginfo={"hexpeek-git provides": frozenset({"hexpeek=0.5.0"})},
    ),
    "ini-diff": Sample(folder="ini-diff", version="2.0.1-1", files=one("ini-diff", "usr/bin/ini-diff")),
    "ini-diff moved": Sample(
        folder=".upstreams/packaging/ini-diff/moved", version="2.0.1-2", files=one("ini-diff", "usr/bin/ini-diff")
    ),
    "keyval": Sample(
        folder="keyval",
        version="0.9.2-1",
        files={
            "keyval": ("usr/bin/keyval",),
            "keyval-bash-completion": ("usr/share/bash-completion/completions/keyval",),
            "keyval-vim": ("etc/vim/keyval.vimrc", "usr/share/vim/vimfiles/syntax/keyval.vim"),
        },
        pkginfo={
            "keyval provides": frozenset({"kv=0.9.2"}),
            "keyval depend": frozenset({"awk", "bash", "coreutils", "grep", "sed"}),
            "keyval-bash-completion depend": frozenset({"bash", "keyval=0.9.2"}),
            "keyval-vim depend": frozenset(),
        },
    ),
    "leap-table": Sample(
        folder="leap-table", version="2026.1-1", files=one("leap-table", "usr/share/leap-table/leap-table.tsv")
    ),
    "libring++": Sample(folder="libring++", version="1.0.0-1", files=one("libring++", "usr/include/ring++/ring.hpp")),
    "libtally": Sample(
        folder="libtally",
        version="1.2.0-1",
        arch="x86_64",
        files=one(
            "libtally",
            "usr/include/tally.h",
            "usr/lib/libtally.so",
            "usr/lib/libtally.so.1",
            "usr/lib/libtally.so.1.2.0",
            "usr/lib/pkgconfig/libtally.pc",
            "usr/share/licenses/libtally/LICENSE",
        ),
        pkginfo={"libtally provides": frozenset({"libtally.so=1-64"})},
    ),
    "lsdup": Sample(folder="lsdup", version="1.4.0-1", files=one("lsdup", "usr/bin/lsdup")),
    "lsdup moved": Sample(folder=".upstreams/aur/lsdup/moved", version="1.4.1-1", files=one("lsdup", "usr/bin/lsdup")),
    "palettes-1.0": Sample(
        folder="palettes-1.0",
        version="1:1.0.4-1",
        files=one("palettes-1.0", "usr/share/palettes/grey-8.gpl", "usr/share/palettes/okabe-ito.gpl"),
    ),
    "pw-words": Sample(
        folder="pw-words",
        version="1.0.3-1",
        files=one("pw-words", "usr/bin/pw-words", "usr/share/pw-words/words.txt"),
        pkginfo={"pw-words depend": frozenset({"bash", "coreutils"})},
    ),
    "pw-words moved": Sample(
        folder=".upstreams/aur/pw-words/moved",
        version="2.0.0-1",
        files=one(
            "pw-words",
            "usr/bin/pw-words",
            "usr/share/man/man1/pw-words.1.gz",
            "usr/share/pw-words/words-de.txt",
            "usr/share/pw-words/words-en.txt",
            "usr/share/pw-words/words.txt",
        ),
        pkginfo={"pw-words depend": frozenset({"bash", "bc", "coreutils", "findutils"})},
    ),
    "spool-clean": Sample(
        folder="spool-clean",
        version="2.1.0-3",
        files=one(
            "spool-clean",
            ".INSTALL",
            "etc/spool-clean.conf",
            "usr/bin/spool-clean",
            "usr/lib/systemd/system/spool-clean.service",
            "usr/lib/systemd/system/spool-clean.timer",
        ),
    ),
    "tally": Sample(
        folder="tally",
        version="1.1.0-2",
        arch="x86_64",
        needs=("libtally",),
        files=one("tally", "usr/bin/tally"),
        pkginfo={"tally depend": frozenset({"glibc", "libtally.so=1-64"})},
    ),
    "tally-report": Sample(
        folder="tally-report",
        version="0.3.0-1",
        needs=("libtally", "tally"),
        files=one("tally-report", "usr/bin/tally-report"),
    ),
}
# Every folder once: a version that differs by what its project has is the same folder.
FOLDERS = tuple(dict.fromkeys(sample.path for sample in BUILDS.values()))
PACKAGES = tuple(folder for folder in FOLDERS if folder.parent == SAMPLES)


def folder_id(folder: Path) -> str:
    return folder.relative_to(SAMPLES).as_posix()


def run(
    *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    clean = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}
    return subprocess.run(
        [os.fspath(word) for word in command],
        cwd=cwd,
        env=clean,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=TIME_LIMIT_S,
    )


def output(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a command that has to succeed says on standard output."""
    done = run(*command, cwd=cwd, env=env)
    assert done.returncode == 0, (command, done.returncode, (done.stdout + done.stderr).decode())
    return done.stdout.decode()


# ------------------------------------------------------------------ the machine


def in_layer(layer: Path, mount_point: Path, work: Path, *command: str) -> list[str | Path]:
    """`command` as an ordinary user in a sandbox: `layer` over the machine's `/usr`, and only `work` to write to."""
    overlay = 'mount -t overlay overlay -o "lowerdir=$1:/usr" "$2" && shift 2 && exec "$@"'
    links: list[str] = []
    for name in ("bin", "lib", "lib32", "lib64", "libx32", "sbin"):
        if (Path("/") / name).is_symlink():
            links += ["--symlink", f"usr/{name}", f"/{name}"]
    wrapped: list[str | Path] = ["unshare", "--user", "--map-root-user", "--mount"]
    wrapped += ["sh", "-c", overlay, "sh", layer / "usr", mount_point]
    wrapped += ["bwrap", "--unshare-all", "--uid", "1000", "--gid", "1000", "--die-with-parent", "--new-session"]
    wrapped += ["--ro-bind", mount_point, "/usr", *links, "--ro-bind", "/etc", "/etc"]
    wrapped += ["--ro-bind", layer / "var/lib/pacman", "/var/lib/pacman"]
    wrapped += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", work, "/build"]
    wrapped += ["--chdir", "/build/package", *command]
    return wrapped


def empty_layer(path: Path) -> Path:
    """A layer with nothing in it but a pacman database that knows what the machine has."""
    (path / "usr").mkdir(parents=True)
    local = path / "var/lib/pacman/local"
    for name in ON_THE_MACHINE:
        entry = local / f"{name}-1-1"
        entry.mkdir(parents=True)
        (entry / "desc").write_text(f"%NAME%\n{name}\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n")
        (entry / "files").touch()
    (local / "ALPM_DB_VERSION").write_text("9\n")
    return path


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    shop = Workshop(tmp_path_factory.mktemp("workshop"))
    probe = shop.sandboxed(shop.work_folder(None), "true")
    if probe.returncode != 0:
        pytest.skip(f"no sandbox with an overlay here: {probe.stderr.decode().strip()}")
    return shop


class Workshop:
    """Builds samples, each once, whoever needs it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._built: dict[str, dict[str, Path]] = {}
        self._layers: dict[tuple[str, ...], Path] = {}
        self._used = 0

    def _new(self, kind: str) -> Path:
        self._used += 1
        return self._root / f"{kind}-{self._used}"

    def work_folder(self, sample: Sample | None) -> Path:
        """A private copy of a package with all that a network would have given it."""
        work = self._new("work")
        package = work / "package"
        if sample is None:
            package.mkdir(parents=True)
            return work
        shutil.copytree(sample.path, package, ignore=shutil.ignore_patterns(".CI"))
        for source in values(sample.path, "source"):
            if source.startswith(f"{PLACEHOLDER}/files/"):
                shutil.copy(UPSTREAMS / source.removeprefix(f"{PLACEHOLDER}/"), package)
            elif source.startswith(f"git+{PLACEHOLDER}/projects/"):
                name = source.rpartition("/")[2].partition(".git#")[0]
                make_project(work / "projects" / f"{name}.git", name, sample.projects)
        return work

    def sandboxed(
        self, work: Path, *command: str, needs: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        mount_point = self._new("usr")
        mount_point.mkdir()
        env = {
            "PATH": MINIMAL_PATH,
            "HOME": "/build",
            "PACKAGER": "Samples <bot@samples.invalid>",
            "PKGDEST": "/build/packages",
            "PKGEXT": ".pkg.tar.zst",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            **SEALED_GIT,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "url.file:///build/projects/.insteadOf",
            "GIT_CONFIG_VALUE_0": f"{PLACEHOLDER}/projects/",
            **(variables or {}),
        }
        (work / "packages").mkdir(exist_ok=True)
        return run(*in_layer(self._layer(tuple(needs)), mount_point, work, *command), env=env)

    def build(self, name: str) -> dict[str, Path]:
        """The packages that come out of one sample, by file name."""
        if name not in self._built:
            sample = BUILDS[name]
            done, packages = self.make(self.work_folder(sample), needs=sample.needs)
            assert done.returncode == 0, (done.stdout + done.stderr).decode()
            self._built[name] = packages
        return self._built[name]

    def make(
        self, work: Path, *, needs: Sequence[str] = ()
    ) -> tuple[subprocess.CompletedProcess[bytes], dict[str, Path]]:
        """Run makepkg without the checks that it makes of a PKGBUILD for its `.SRCINFO`, too."""
        write_quick_library(work / "library")
        command = ("makepkg", "--noconfirm", "--nocolor")
        done = self.sandboxed(work, *command, needs=needs, variables={"LIBRARY": "/build/library"})
        return done, {path.name: path for path in (work / "packages").iterdir()}

    def _layer(self, needs: tuple[str, ...]) -> Path:
        if needs not in self._layers:
            layer = empty_layer(self._new("layer"))
            config = layer / "pacman.conf"
            config.write_text("[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n")
            for name in needs:
                output(
                    *("unshare", "--user", "--map-root-user", "pacman", "--upgrade", "--noconfirm"),
                    *("--config", config, "--root", layer, "--dbpath", layer / "var/lib/pacman"),
                    *("--cachedir", layer / "cache", "--logfile", layer / "pacman.log"),
                    *self.build(name).values(),
                )
            self._layers[needs] = layer
        return self._layers[needs]


def make_project(bare: Path, name: str, revisions: Sequence[str]) -> None:
    """A bare repository with one commit a revision on its branch main."""
    output("git", "init", "--quiet", "--bare", "--initial-branch=main", bare, env=SEALED_GIT)
    for number, revision in enumerate(revisions):
        date = f"{EPOCH + number} +0000"
        env = {
            **SEALED_GIT,
            **{f"GIT_{who}_{what}": "upstream" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
        }
        git = ("git", f"--git-dir={bare}", f"--work-tree={UPSTREAMS / 'projects' / name / revision}")
        output(*git, "add", "--all", env=env)
        output(*git, "commit", "--quiet", f"--message={revision}", env=env)


def contents(package: Path) -> set[str]:
    """Files and links of a built package; of makepkg's own files only the scriptlet."""
    names = output("bsdtar", "-tf", package).splitlines()
    return {name for name in names if not name.endswith("/") and name not in {".BUILDINFO", ".MTREE", ".PKGINFO"}}


def pkginfo(package: Path, key: str) -> list[str]:
    return re.findall(rf"^{key} = (.*)$", output("bsdtar", "-xOf", package, ".PKGINFO"), re.MULTILINE)


# ------------------------------------------------------------------ what is written


def values(folder: Path, key: str) -> list[str]:
    return re.findall(rf"^\t?{key} = (.*)$", (folder / ".SRCINFO").read_text(), re.MULTILINE)


def written_version(folder: Path) -> str:
    epoch = "".join(f"{value}:" for value in values(folder, "epoch"))
    return f"{epoch}{values(folder, 'pkgver')[0]}-{values(folder, 'pkgrel')[0]}"


def config(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def changed_lines(old: Path, new: Path) -> set[str]:
    """What each changed line of `new` begins with, up to its `=`."""
    before, after = old.read_text().splitlines(), new.read_text().splitlines()
    assert len(before) == len(after)
    return {line.partition("=")[0].strip() for was, line in zip(before, after, strict=True) if was != line}


def files_of(folder: Path) -> set[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if path.parts[0] != ".CI"}


def test_every_folder_is_built_here() -> None:
    assert {path.parent for path in SAMPLES.rglob("PKGBUILD")} == set(FOLDERS)


@pytest.mark.parametrize("folder", PACKAGES, ids=folder_id)
def test_a_package_folder_is_named_after_its_pkgbase(folder: Path) -> None:
    assert values(folder, "pkgbase") == [folder.name]
    assert config(folder / ".CI/config")["CI_PKGBUILD_SOURCE"] in {
        "aur",
        "custom",
        f"{PLACEHOLDER}/packaging/{folder.name}.git",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=folder_id)
def test_a_folder_holds_its_sources_and_nothing_else(folder: Path) -> None:
    local = {source for source in values(folder, "source") if "://" not in source}
    assert files_of(folder) == {"PKGBUILD", ".SRCINFO", *local, *values(folder, "install")}


def test_loopback_addresses_are_all_the_placeholder() -> None:
    for path in SAMPLES.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert text.count("127.0.0.1") == text.count(PLACEHOLDER), path
            assert "localhost" not in text, path


def test_aur_metadata_lists_what_is_pulled_from_there() -> None:
    listed = json.loads((UPSTREAMS / "aur.json").read_text())
    assert set(listed) == {
        folder.name for folder in PACKAGES if config(folder / ".CI/config")["CI_PKGBUILD_SOURCE"] == "aur"
    }
    assert {path.name for path in (UPSTREAMS / "aur").iterdir()} <= set(listed)
    for entry in listed.values():
        assert set(entry) == {"Maintainer", "CoMaintainers", "LastModified"}
        assert isinstance(entry["LastModified"], int)


def test_a_bump_is_for_the_version_at_hand() -> None:
    bumps = {folder: config(folder / ".CI/config").get("CI_PACKAGE_BUMP") for folder in PACKAGES}
    bumped = {folder: bump for folder, bump in bumps.items() if bump is not None}
    assert bumped
    assert all(bump == f"{written_version(folder)}/1" for folder, bump in bumped.items())


@pytest.mark.parametrize(
    ("upstream", "lines"),
    [("aur/lsdup", {"pkgver", "sha256sums"}), ("packaging/ini-diff", {"pkgrel"})],
    ids=["lsdup", "ini-diff"],
)
def test_a_minor_move_is_nothing_else(upstream: str, lines: set[str]) -> None:
    old, new = SAMPLES / upstream.partition("/")[2], UPSTREAMS / upstream / "moved"
    assert files_of(old) == files_of(new)
    assert changed_lines(old / "PKGBUILD", new / "PKGBUILD") == lines
    assert changed_lines(old / ".SRCINFO", new / ".SRCINFO") <= lines | {"source"}
    for name in files_of(old) - {"PKGBUILD", ".SRCINFO"}:
        assert (old / name).read_bytes() == (new / name).read_bytes()


@pytest.mark.parametrize("folder", FOLDERS, ids=folder_id)
def test_shfmt_has_nothing_to_change(folder: Path) -> None:
    shfmt = shutil.which("shfmt", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if shfmt is None:
        pytest.skip("shfmt is not installed")
    scripts = [folder / "PKGBUILD", *folder.glob("*.install"), *folder.glob("*.sh")]
    assert output(shfmt, "--diff", *scripts, cwd=SAMPLES) == ""


# ------------------------------------------------------------------ what makepkg says


@pytest.mark.parametrize("folder", FOLDERS, ids=folder_id)
def test_srcinfo_is_what_makepkg_prints(workshop: Workshop, folder: Path) -> None:
    work = workshop.work_folder(Sample(folder=folder_id(folder), version="", files={}))
    printed = workshop.sandboxed(work, "makepkg", "--printsrcinfo")
    assert printed.returncode == 0, printed.stderr.decode()
    assert printed.stdout == (folder / ".SRCINFO").read_bytes()


@pytest.mark.parametrize("name", BUILDS)
def test_builds_without_a_network(workshop: Workshop, name: str) -> None:
    sample = BUILDS[name]
    packages = workshop.build(name)
    assert packages.keys() == sample.packages
    for pkgname, files in sample.files.items():
        package = packages[f"{pkgname}-{sample.version}-{sample.arch}.pkg.tar.zst"]
        assert contents(package) == set(files)
        assert pkginfo(package, "pkgver") == [sample.version]
    for where, expected in sample.pkginfo.items():
        pkgname, _, key = where.partition(" ")
        package = packages[f"{pkgname}-{sample.version}-{sample.arch}.pkg.tar.zst"]
        assert frozenset(pkginfo(package, key)) == expected


def test_tally_is_refused_without_its_library(workshop: Workshop) -> None:
    refused, _ = workshop.make(workshop.work_folder(BUILDS["tally"]))
    assert refused.returncode == 8  # E_INSTALL_DEPS_FAILED
    said = (refused.stdout + refused.stderr).decode()
    assert "libtally.so" in said
    assert "libtally\n" in said


def test_a_second_build_is_the_same_byte_for_byte(workshop: Workshop) -> None:
    _, packages = workshop.make(workshop.work_folder(BUILDS["libtally"]))
    assert {name: path.read_bytes() for name, path in packages.items()} == {
        name: path.read_bytes() for name, path in workshop.build("libtally").items()
    }
