"""Databases that repo-add made, and everything that only looks like one."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import shutil
import subprocess
import tarfile
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Protocol

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.errors import FormatError
from ci_toolkit.formats import pacman_database
from ci_toolkit.formats.pacman_database import DatabasePackage, read_pacman_database

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LONG = "n" * 150
OFFERED = (
    DatabasePackage(name="attr", base="attr", version="2.5.2-1", provides=("xattr=2.5.2", "libattr.so=1-64")),
    DatabasePackage(name="gcc", base="gcc", version="15.1.1+r7+gf36ec88aa85a-1", provides=()),
    DatabasePackage(name="gcc-libs", base="gcc", version="15.1.1+r7+gf36ec88aa85a-1", provides=("libgo.so=24-64",)),
    DatabasePackage(name="lib32-x@1", base="lib32-x@1", version="1.0_a~b^c-1.2", provides=()),
    DatabasePackage(name=LONG, base=LONG, version="1-1", provides=()),
    DatabasePackage(name="zlib", base="zlib", version="1:1.3.1-2", provides=("libz.so=1-64",)),
)
SUFFIXES = ("tar", "tar.gz", "tar.xz", "tar.zst")
PACKED = SUFFIXES[1:]
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": lambda data: gzip.compress(data, mtime=0),
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


class Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


COMPRESSORS: Mapping[str, Callable[[], Compressor]] = {
    "tar.gz": lambda: zlib.compressobj(1, wbits=31),
    "tar.xz": lambda: lzma.LZMACompressor(preset=0),
    "tar.zst": lambda: zstandard.ZstdCompressor().compressobj(),
}


def read(data: bytes) -> tuple[DatabasePackage, ...]:
    return read_pacman_database(data, file="core.db")


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert caught.value.file == "core.db"
    assert str(caught.value).startswith("core.db: ")
    return caught.value


# What repo-add makes


def run(folder: Path, *command: str) -> bytes:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TMPDIR": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout


def make_package(folder: Path, package: DatabasePackage, *, with_base: bool) -> str:
    """A package file of a `.PKGINFO` and an `.MTREE`; its name."""
    lines = [f"pkgname = {package.name}", f"pkgver = {package.version}", "pkgdesc = Größe, %NAME% and more"]
    lines += [f"pkgbase = {package.base}"] if with_base else []
    lines += ["size = 1", "arch = x86_64", "license = MIT", "depend = glibc"]
    lines += [f"provides = {name}" for name in package.provides]
    (folder / ".PKGINFO").write_text("\n".join(lines) + "\n")
    (folder / ".MTREE").write_bytes(gzip.compress(b"#mtree\n", mtime=0))
    tar = run(folder, "/usr/bin/bsdtar", "-cf", "-", ".MTREE", ".PKGINFO")
    name = f"{package.name}-{package.version.replace(':', '_')}-x86_64.pkg.tar.zst"
    (folder / name).write_bytes(COMPRESS["tar.zst"](tar))
    return name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The database of OFFERED by suffix, `files` databases and empty ones likewise."""
    if shutil.which("repo-add") is None:
        pytest.skip("repo-add is not installed; it comes with pacman")
    folder = tmp_path_factory.mktemp("repository")
    packages = [make_package(folder, package, with_base=package.name != "attr") for package in OFFERED]
    for suffix in SUFFIXES:
        run(folder, "repo-add", "-q", f"core.db.{suffix}", *packages)
        run(folder, "repo-add", "-q", f"empty.db.{suffix}")
    return {path.name: path.read_bytes() for path in folder.glob("*.tar*") if ".pkg." not in path.name}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_database_of_repo_add_is_read(made: Mapping[str, bytes], suffix: str) -> None:
    assert read(made[f"core.db.{suffix}"]) == OFFERED


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lists_of_files_are_passed_over(made: Mapping[str, bytes], suffix: str) -> None:
    assert read(made[f"core.files.{suffix}"]) == OFFERED


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_database_without_packages_is_empty(made: Mapping[str, bytes], suffix: str) -> None:
    assert read(made[f"empty.db.{suffix}"]) == ()


@pytest.mark.parametrize("suffix", PACKED)
def test_a_database_of_repo_add_that_is_cut_anywhere_is_refused(made: Mapping[str, bytes], suffix: str) -> None:
    for kind in ("core", "empty"):
        whole = made[f"{kind}.db.{suffix}"]
        for length in range(len(whole)):
            refused(whole[:length])


def test_without_compression_all_that_may_be_cut_off_is_padding(made: Mapping[str, bytes]) -> None:
    whole = made["core.db.tar"]
    end_mark = -(-len(whole.rstrip(b"\0")) // 512) * 512 + 1024
    for length in (*range(0, end_mark, 7), *range(end_mark - 1024, end_mark)):
        refused(whole[:length])
    for length in range(end_mark, len(whole), 512):
        assert read(whole[:length]) == OFFERED
        refused(whole[: length + 511])


@pytest.mark.parametrize("suffix", PACKED)
def test_a_flipped_bit_never_makes_another_list(made: Mapping[str, bytes], suffix: str) -> None:
    whole = made[f"core.db.{suffix}"]
    accepted = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        try:
            assert read(bytes(damaged)) == OFFERED
            accepted += 1
        except FormatError:
            pass
    assert accepted < len(whole) / 20  # bits that mean nothing, such as the time in gzip's header


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("garbage", [b"x", b"\0", b"\n", b"<html></html>", b"x" * 512, b"\0" * 16384], ids=len)
def test_garbage_behind_the_database_is_refused(made: Mapping[str, bytes], suffix: str, garbage: bytes) -> None:
    refused(made[f"core.db.{suffix}"] + garbage)
    refused(made[f"empty.db.{suffix}"] + garbage)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_databases_in_a_row_are_none(made: Mapping[str, bytes], suffix: str) -> None:
    refused(made[f"core.db.{suffix}"] * 2)
    refused(made[f"empty.db.{suffix}"] * 2)


@pytest.mark.parametrize("suffix", PACKED)
def test_what_was_packed_twice_is_refused(made: Mapping[str, bytes], suffix: str) -> None:
    refused(COMPRESS["tar.gz"](made[f"core.db.{suffix}"]))


# Hand-made databases


def desc(name: str = "a", version: str = "1-1", more: str = "") -> bytes:
    return f"%FILENAME%\n{name}.pkg.tar.zst\n\n%NAME%\n{name}\n\n%VERSION%\n{version}\n\n{more}".encode()


def member(
    path: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.size, info.type, info.linkname = len(content), kind, target
    return info, content


def make_tar(*members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def database(*contents: bytes, folder: str = "a-1-1") -> bytes:
    return make_tar(*[member(f"{folder}/desc", content) for content in contents])


def with_header(tar: bytes, start: int, field: bytes) -> bytes:
    """The tar, its first header changed at `start` and given a right check sum."""
    header = bytearray(tar[:512])
    header[start : start + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + tar[512:]


def entries(count: int) -> list[tuple[tarfile.TarInfo, bytes]]:
    noise = random.Random(count)
    return [
        member(f"p{number}-{number}-1/desc", desc(f"p{number}", f"{number}-1", f"%CSIZE%\n{noise.random()}\n\n"))
        for number in range(count)
    ]


A = DatabasePackage(name="a", base="a", version="1-1", provides=())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_larger_database_is_whole_or_refused(suffix: str) -> None:
    tar = make_tar(*entries(1000))
    whole = COMPRESS[suffix](tar)
    assert [package.version for package in read(whole)] == [f"{number}-1" for number in range(1000)]
    content = len(tar.rstrip(b"\0")) if suffix == "tar" else len(whole)
    for cut in range(0, content, content // 41):
        refused(whole[:cut])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zeros_that_a_crash_left_are_no_end(suffix: str) -> None:
    tar = make_tar(*entries(30))
    refused(COMPRESS[suffix](tar[: 512 * 20] + bytes(len(tar) - 512 * 20)))
    refused(COMPRESS[suffix](bytes(len(tar))))


@pytest.mark.parametrize("suffix", PACKED)
def test_long_runs_are_unpacked_to_their_end(suffix: str) -> None:
    tar = make_tar(member("a-1-1/files", bytes(3 << 20)), member("a-1-1/desc", desc()))
    assert read(COMPRESS[suffix](tar)) == (A,)


@pytest.mark.parametrize("path", ["a-1-1/desc", "./a-1-1/desc"])
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_formats(path: str, kind: int) -> None:
    assert read(make_tar(member(path, desc()), kind=kind)) == (A,)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("length", [30, 93, 94, 95, 96, 99, 101, 150])
def test_long_names_in_every_format(kind: int, length: int) -> None:
    name = "n" * length
    tar = make_tar(member(f"{name}-1-1/desc", desc(name)), member("a-1-1/desc", desc()), kind=kind)
    assert [package.name for package in read(tar)] == [name, "a"]


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_longest_name(kind: int) -> None:
    name = "n" * 255
    assert read(make_tar(member(f"{name}-1-1/desc", desc(name)), kind=kind))[0].name == name
    name += "n"
    error = refused(make_tar(member(f"{name}-1-1/desc", desc(name)), kind=kind))
    assert "impossible %NAME%" in str(error)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_long_target_of_a_link_names_nothing(kind: int) -> None:
    link = member("a-1-1/desc", kind=tarfile.SYMTYPE, target="x" * 200 + "-1-1/desc")
    assert read(make_tar(link, member("a-1-1/desc", desc()), kind=kind)) == (A,)


@pytest.mark.parametrize(
    "other",
    [
        member("a-1-1", kind=tarfile.DIRTYPE),
        member("b-1-1/desc", kind=tarfile.DIRTYPE),
        member("b-1-1/desc", kind=tarfile.SYMTYPE, target="/etc/passwd"),
        member("b-1-1/desc", kind=tarfile.LNKTYPE, target="a-1-1/desc"),
        member("b-1-1/desc", kind=tarfile.CHRTYPE),
        member("b-1-1/desc", kind=tarfile.BLKTYPE),
        member("b-1-1/desc", kind=tarfile.FIFOTYPE),
        member("a-1-1/files", b"%FILES%\nusr/\n"),
        member("a-1-1/depends", b"%DEPENDS%\nglibc\n"),
        member("desc", desc("b")),
        member("x/b-1-1/desc", desc("b")),
        member("b-1-1/desc/", desc("b")),
        member("b-1-1/mydesc", desc("b")),
    ],
    ids=lambda made: f"{made[0].name} {made[0].type.decode()}",
)
def test_other_members_are_passed_over(other: tuple[tarfile.TarInfo, bytes]) -> None:
    good = member("a-1-1/desc", desc())
    assert read(make_tar(other, good)) == read(make_tar(good, other)) == (A,)
    assert "not a pacman database" in str(refused(make_tar(other)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (desc(more="%BASE%\nb\n\n"), "b"),
        (desc(more="%BASE%\n\n"), None),
        (desc(more="\n\n%BASE%\nb\n\n\n"), "b"),
        (desc(more="%BASE%\nb"), "b"),
        (desc(more="%BASE%\nb\n"), "b"),
        (desc(more="%DESC%\n%BASE%\n\n"), "a"),
        (desc(more="%LICENSE%\nMIT\n%BASE%\nb\n\n"), "a"),
        (desc(more="%base%\nb\n\n"), "a"),
        (desc(more="%BASE% \nb\n\n"), "a"),
        (desc(more="%PACKAGER%\nJ\xf6rg\n\n").replace("ö".encode(), b"\xf6"), "a"),
    ],
)
def test_bases(text: bytes, expected: str | None) -> None:
    if expected is None:
        assert "has no %BASE%" in str(refused(database(text)))
    else:
        assert read(database(text))[0].base == expected


def test_provides_are_kept_as_written() -> None:
    more = "%PROVIDES%\nlibx.so=1-64\nsh\npkgconfig(x) >= 1\ngröße\n\n%DEPENDS%\nb\n\n"
    assert read(database(desc(more=more)))[0].provides == ("libx.so=1-64", "sh", "pkgconfig(x) >= 1", "größe")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "has no %NAME%"),
        (b"\n\n\n", "has no %NAME%"),
        (b"\0" * 600, "has no %NAME%"),
        (b"<html>\n\n</html>", "has no %NAME%"),
        (b"%VERSION%\n1-1\n\n", "has no %NAME%"),
        (b"%NAME%\na\n\n", "has no %VERSION%"),
        (b"%NAME%\na\n\n%VERSION%\n\n", "has no %VERSION%"),
        (b"%NAME%\n\na\n\n%VERSION%\n1-1\n\n", "has no %NAME%"),
        (b"%NAME%\r\na\r\n\r\n%VERSION%\r\n1-1\r\n", "has no %NAME%"),
        (desc(more="%NAME%\na\n\n"), "has %NAME% twice"),
        (desc(more="%VERSION%\n1-1\n\n"), "has %VERSION% twice"),
        (desc(more="%PROVIDES%\nb\n\n%PROVIDES%\nc\n\n"), "has %PROVIDES% twice"),
        (desc("a\nb"), "impossible %NAME%"),
        (desc(version="1-1\n2-1"), "impossible %VERSION%"),
        (desc(more="%BASE%\n../b\n\n"), "impossible %BASE%"),
        (desc("b"), "is the folder of b 1-1"),
        (desc(version="2-1"), "is the folder of a 2-1"),
        (desc(more="%PROVIDES%\na\x1bb\n\n"), "control character in %PROVIDES%"),
        (desc(more="%PROVIDES%\na\r\n\n"), "control character in %PROVIDES%"),
        (desc(more="%PROVIDES%\na\n\n").replace(b"\na\n\n", b"\n\xff\n\n"), "NAME"),
        (desc(more="%PROVIDES%\nxy\n\n").replace(b"xy", b"\xff"), "%PROVIDES% that is not UTF-8"),
    ],
)
def test_a_desc_that_cannot_be_is_blamed(text: bytes, said: str) -> None:
    error = refused(database(text))
    assert said in str(error)
    assert error.key == "a-1-1"


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a b", "a/b", "a:b", "a\tb", "a$b", "a;b", "ä", "a=1", "a\0", "../a", "%a%"]
)
def test_impossible_names(name: str) -> None:
    text = b"%NAME%\n" + name.encode() + b"\n\n%VERSION%\n1-1\n\n"
    assert "%NAME%" in str(refused(database(text)))


@pytest.mark.parametrize(
    "version",
    [
        "1",
        "-1",
        "1-",
        "1-1-1",
        "a:1-1",
        ":1-1",
        "1:1:1-1",
        "1/2-1",
        "1 2-1",
        "1\t-1",
        "1-1 ",
        "ä-1",
        "1-1\0",
        "1\x7f-1",
        "9" * 254 + "-1",
    ],
)
def test_impossible_versions(version: str) -> None:
    assert "%VERSION%" in str(refused(database(desc(version=version))))


@pytest.mark.parametrize("version", ["1-1", "0:1-1", "12:1.0-1.1", "1.0~rc1^2+g1_a-10", "r12.abcdef-1", "1,2-1"])
def test_possible_versions(version: str) -> None:
    assert read(database(desc(version=version), folder=f"a-{version}"))[0].version == version


def test_a_name_that_is_there_twice_is_refused() -> None:
    older = member("a-1-1/desc", desc())
    newer = member("a-2-1/desc", desc(version="2-1"))
    for tar in (make_tar(older, newer), make_tar(older, older)):
        error = refused(tar)
        assert (error.key, error.problem) == ("a", "is there twice")


# What is no database at all


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\0", "cut off"),
        (bytes(512), "cut off"),
        (bytes(1000), "cut off"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"\n  <html>" + b"x" * 5000, "a web page"),
        (b"x" * 20000, "neither a tar"),
        (b"PK\3\4" + bytes(600), "neither a tar"),
        (b"BZh91AY&SY", "neither a tar"),
        (b"\x1f\x8b", "cut off"),
        (b"\x1f\x8b<html>", "damaged"),
        (b"\xfd7zXZ\0", "cut off"),
        (b"\xfd7zXZ\0<html></html>", "damaged"),
        (b"\x28\xb5\x2f\xfd", "cut off"),
        (b"\x28\xb5\x2f\xfd<html></html>", ""),
        (b"\x28\xb5\x2f\xfd\x00\xff\x01\0\0", "damaged"),  # a window of 3.75 TiB
        *[(pack(b""), "cut off") for pack in list(COMPRESS.values())[1:]],
        *[(pack(b"<html></html>" * 100), "a header of the archive is none") for pack in list(COMPRESS.values())[1:]],
        (lzma.compress(make_tar(), format=lzma.FORMAT_ALONE), "neither a tar"),
    ],
)
def test_what_is_no_database_is_refused(data: bytes, said: str) -> None:
    assert said in str(refused(data))


@pytest.mark.parametrize(
    ("start", "field"),
    [
        (124, b"-0000000001\0"),
        (124, b"+0000000001\0"),
        (124, b"0o000000001\0"),
        (124, b"0_000000001\0"),
        (124, b"00000000008\0"),
        (124, b"           \0"),
        (124, bytes(12)),
        (124, b"\x80" + bytes(11)),
        (124, b"\x80" + b"\xff" * 11),
        (124, b"\xff" * 12),
        (124, b"77777777777\0"),
        (124, b"777777777777"),
        (124, b"00010000001\0"),
        (156, b"S"),
        (156, b"V"),
        (156, b"D"),
        (156, b"\xff"),
        (156, b"5"),
        (156, b"2"),
        (156, b"x"),
        (156, b"L"),
        (156, b"g"),
        (0, b"\xff"),
        (0, b"../../"),
        (257, b"USTAR"),
        (257, bytes(8)),
        (345, b"b"),
    ],
)
def test_hostile_headers(start: int, field: bytes) -> None:
    whole = database(desc())
    assert read(with_header(whole, 0, b"a")) == (A,)
    refused(with_header(whole, start, field))


@pytest.mark.parametrize(
    ("kind", "said"), [(b"5", "but has a size"), (b"2", "but has a size"), (b"S", "of a kind"), (b"V", "of a kind")]
)
def test_hostile_members_are_blamed(kind: bytes, said: str) -> None:
    error = refused(with_header(database(desc()), 156, kind))
    assert error.key == "a-1-1/desc"
    assert said in error.problem


def test_what_gnu_tar_keeps_behind_the_header_is_no_path() -> None:
    whole = make_tar(member("a-1-1/desc", desc()), kind=tarfile.GNU_FORMAT)
    assert read(with_header(whole, 345, b"14500000000\0")) == (A,)


def test_a_path_ends_at_its_first_nul() -> None:
    assert read(with_header(database(desc()), 11, b"junk")) == (A,)


def test_a_check_sum_is_looked_at_in_every_header() -> None:
    tar = bytearray(make_tar(*entries(3)))
    tar[1024] ^= 1
    assert "wrong check sum" in str(refused(bytes(tar)))


def test_half_an_end_mark_is_none() -> None:
    tar = database(desc())
    assert "half an end mark" in str(refused(tar[:1024] + bytes(512) + tar))


@pytest.mark.parametrize(
    "records",
    [
        b"",
        b"\0" * 20,
        b"x",
        b"12 path=abcd",
        b"0 path=x\n",
        b"1 \n",
        b"-12 path=abc\n",
        b"+12 path=abc\n",
        b"1_2 path=abc\n",
        b"999999999 path=abc\n",
        b"9" * 5000,
        b"30 path=a-1-1/desc\n",
        b"30 path=b-1-1/desc\n" + b"x" * 20,
        b"20 path=b-1-1/desc\n ",
        b"12 size=100\n",
        b"21 GNU.sparse.major=1\n",
        b"22 GNU.sparse.major=1\n",
        b"19 path=b-1-1/desc\n",
        b"12 path=\xff\xff\xff\n",
    ],
)
def test_hostile_extended_headers(records: bytes) -> None:
    extended = member("x", records, kind=tarfile.XHDTYPE)
    tar = make_tar(extended, member("a-1-1/desc", desc()))
    if records:
        refused(tar)
    else:
        assert read(tar) == (A,)


def test_an_extended_header_without_a_member_is_refused() -> None:
    error = refused(make_tar(member("a-1-1/desc", desc()), member("x", b"19 path=b-1-1/desc\n", kind=tarfile.XHDTYPE)))
    assert "no member" in str(error)


# Limits


def test_the_limits_are_those_that_are_promised() -> None:
    assert pacman_database.LARGEST_UNPACKED_BYTES == 512 * 1024 * 1024
    assert pacman_database.MOST_PACKAGES == 200_000


def test_a_huge_desc_is_not_read() -> None:
    assert "more than 1 MiB" in str(refused(database(desc() + b"x" * (1 << 20))))


def test_too_many_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacman_database, "MOST_PACKAGES", 30)
    assert len(read(make_tar(*entries(30)))) == 30
    assert "more than 30 packages" in str(refused(make_tar(*entries(31))))


def test_too_many_provides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacman_database, "LARGEST_PROVIDES_BYTES", 8)
    assert read(database(desc(more="%PROVIDES%\n1234\n567\n\n")))[0].provides == ("1234", "567")
    refused(database(desc(more="%PROVIDES%\n1234\n5678\n\n")))


def bomb(suffix: str, size_mib: int) -> bytes:
    """A list of files that unpacks to `size_mib`; less than 100 kB, but for gzip."""
    head = with_header(make_tar(member("a-1-1/files", b"x"))[:512], 124, b"%011o\0" % (size_mib << 20))
    compressor = COMPRESSORS[suffix]()
    zeros = bytes(1 << 20)
    parts = [compressor.compress(head), *[compressor.compress(zeros) for _ in range(size_mib)], compressor.flush()]
    return b"".join(parts)


@pytest.mark.parametrize(("suffix", "size_mib"), [("tar.gz", 40), ("tar.xz", 40), ("tar.zst", 520)])
def test_a_bomb_is_stopped_before_it_takes_memory(suffix: str, size_mib: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if size_mib < 512:
        monkeypatch.setattr(pacman_database, "LARGEST_UNPACKED_BYTES", 32 << 20)
    data = bomb(suffix, size_mib)
    tracemalloc.start()
    try:
        error = refused(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "unpacks to more" in str(error)
    # zstandard hands out all that a bit of input makes, 8 MiB at most, and that may be there three times.
    assert peak_bytes < (32 << 20 if suffix == "tar.zst" else 4 << 20)


@pytest.mark.parametrize(("exponent", "fits"), [(17, True), (18, False)])
def test_zstd_may_not_ask_for_more_than_128_mib(exponent: int, fits: bool) -> None:
    raw_block = (1024 << 3 | 1).to_bytes(3, "little") + bytes(1024)
    frame = b"\x28\xb5\x2f\xfd\0" + bytes([exponent << 3]) + raw_block
    if fits:
        assert read(frame) == ()
    else:
        assert "memory" in str(refused(frame))


@pytest.mark.parametrize(("dictionary", "fits"), [(28, True), (30, False)])
def test_xz_may_not_ask_for_more_than_128_mib(dictionary: int, fits: bool) -> None:
    packed = bytearray(lzma.compress(make_tar()))
    end = 12 + packed[12] * 4  # the block header follows 12 bytes of stream header, and ends with its check sum
    packed[12 + 4] = dictionary
    packed[end : end + 4] = zlib.crc32(packed[12:end]).to_bytes(4, "little")
    if fits:
        assert read(bytes(packed)) == ()
    else:
        assert "emory" in str(refused(bytes(packed)))


# Laws


@st.composite
def damaged_databases(draw: st.DrawFn) -> bytes:
    """A database with a few bytes changed, cut out or put in, packed before or after that."""
    data = bytearray(make_tar(*entries(draw(st.integers(0, 3)))))
    pack = COMPRESS[draw(st.sampled_from(SUFFIXES))]
    early = draw(st.booleans())
    if early:
        data = bytearray(pack(bytes(data)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 600))] = draw(st.binary(max_size=20))
    return bytes(data) if early else pack(bytes(data))


def reads_or_refuses(data: bytes) -> None:
    file = "core.db"
    try:
        packages = read(data)
    except FormatError as error:
        file = error.file or ""
    else:
        assert all(isinstance(package, DatabasePackage) for package in packages)
    assert file == "core.db"


@given(
    st.binary()
    | damaged_databases()
    | st.tuples(st.sampled_from([b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"]), st.binary()).map(b"".join)
)
def test_no_bytes_make_anything_but_a_format_error(data: bytes) -> None:
    reads_or_refuses(data)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"%NAME%", b"%BASE%", b"%VERSION%", b"%PROVIDES%", b"%DESC%", b""]),
            st.sampled_from([b"a", b"1-1", b"", b"\n", b"%NAME%"]) | st.binary(max_size=5),
            st.sampled_from([b"\n\n", b"\n", b""]),
        )
    )
)
def test_no_desc_makes_anything_but_a_format_error(blocks: list[tuple[bytes, bytes, bytes]]) -> None:
    reads_or_refuses(database(b"".join(key + b"\n" + value + end for key, value, end in blocks)))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9@_+][a-z0-9@._+-]{0,40}", fullmatch=True),
        st.tuples(
            st.from_regex(r"([0-9]:)?[a-z0-9.+_]{1,8}-[0-9.]{1,4}", fullmatch=True),
            st.lists(st.from_regex(r"[a-z.]{1,8}(=[0-9]-64)?", fullmatch=True), max_size=3),
        ),
        max_size=4,
    ),
    st.sampled_from(SUFFIXES),
)
def test_what_is_written_is_read(wanted: dict[str, tuple[str, list[str]]], suffix: str) -> None:
    members = []
    for name, (version, provides) in wanted.items():
        more = "%PROVIDES%\n" + "\n".join(provides) + "\n\n" if provides else ""
        members.append(member(f"{name}-{version}/desc", desc(name, version, more)))
    packages = read(COMPRESS[suffix](make_tar(*members)))
    assert {package.name: (package.version, list(package.provides)) for package in packages} == wanted
    assert [package.name for package in packages] == list(wanted)
