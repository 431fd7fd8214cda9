"""What a stranger's folder may consist of, and whom a repository trusts."""

from __future__ import annotations

import pytest

from ci_toolkit.model.names import Oid
from ci_toolkit.pipelines.reading import parse_maintainers
from ci_toolkit.review import folder
from ci_toolkit.review.folder import FolderEntry, folder_fault, link_fault
from ci_toolkit.review.trust import is_trusted

OID = Oid("1" * 40)
BASE = [FolderEntry(path=name, mode="100644", oid=OID) for name in ("PKGBUILD", ".SRCINFO")]


def fault(path: str, mode: str = "100644", size: int | None = 10) -> str | None:
    sizes = {OID: 10} | ({} if size is None else {Oid("2" * 40): size})
    return folder_fault([*BASE, FolderEntry(path=path, mode=mode, oid=Oid("2" * 40))], sizes)


def test_ordinary_folders_are_fine() -> None:
    assert fault("sub/dir/fix-1.0_a+b.patch") is None
    assert fault("run", "100755") is None
    assert fault("LICENSES/0BSD.txt", "120000") is None
    assert fault(".nvchecker.toml") is None


@pytest.mark.parametrize(
    ("path", "mode", "size", "why"),
    [
        ("x", "160000", 10, "submodule"),
        ("x", "40000", 10, "nested"),
        ("x", "100664", 10, "mode"),
        ("x", "010644", 10, "mode"),
        ("x", "100644", None, "missing"),
        ("x", "100644", folder.LARGEST_FILE_BYTES + 1, "larger"),
        ("../x", "100644", 10, "leaves"),
        ("a/../../x", "100644", 10, "leaves"),
        ("a//x", "100644", 10, "leaves"),
        (".gitattributes", "100644", 10, "git works"),
        ("a/.GITMODULES", "100644", 10, "git works"),
        ("a/.git/config", "100644", 10, "git works"),
        ("GIT~1", "100644", 10, "git works"),
        ("a\tb", "100644", 10, "characters"),
        ("a\\b", "100644", 10, "characters"),
        ("a\u202eb", "100644", 10, "characters"),
        ("x" * 300, "100644", 10, "too long"),
    ],
)
def test_a_folder_with_one_of_these_is_not_taken(path: str, mode: str, size: int | None, why: str) -> None:
    found = fault(path, mode, size)
    assert found is not None
    assert why in found


def test_missing_files_and_too_many_are_named() -> None:
    assert folder_fault(BASE[:1], {OID: 1}) == "it has no .SRCINFO"
    assert folder_fault(BASE[1:], {OID: 1}) == "it has no PKGBUILD"
    link = FolderEntry(path="PKGBUILD", mode="120000", oid=OID)
    assert folder_fault([link, BASE[1]], {OID: 1}) == "it has no PKGBUILD"
    many = [FolderEntry(path=f"f{number}", mode="100644", oid=OID) for number in range(folder.MOST_FILES)]
    assert folder_fault([*BASE, *many], {OID: 1}) == f"it has more than {folder.MOST_FILES} files"


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "a/../../x", "../../.git/config"])
def test_links_that_leave_the_folder_are_refused(target: str) -> None:
    assert link_fault({"a/link" if target.startswith("../..") else "link": target.encode()})


@pytest.mark.parametrize(("path", "target"), [("link", "a/b"), ("LICENSES/0BSD", "../LICENSE"), ("a", "./b")])
def test_links_inside_are_fine(path: str, target: str) -> None:
    assert link_fault({path: target.encode()}) is None


def test_only_whole_listed_names_are_trusted_and_case_folds_in_ascii_only() -> None:
    trusted = parse_maintainers(b"# list\nKestrel\n  bob  # friend\n\na.b\n")
    assert is_trusted(("kestrel",), trusted)
    assert is_trusted(("KESTREL", "Bob"), trusted)
    for names in (("kestrel", "eve"), ("\u212aestrel",), ("axb",), ("kest",), ("kestrel2",), (".*",), ("",), (), None):
        assert not is_trusted(names, trusted), names
    assert not is_trusted(("anyone",), frozenset())
