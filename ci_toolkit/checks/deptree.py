"""Who needs whom among all packages: circles, an order that builder classes break, and names that are gone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.checks.problem import Problem
from ci_toolkit.checks.spec import SRCINFO, Check
from ci_toolkit.errors import ConfigError, FormatError, ToolkitError
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.formats.recipe_toml import RECIPE_PATH, parse_recipe_file
from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.package_config import CONFIG_PATH
from ci_toolkit.model.settings import SETTINGS_PATH
from ci_toolkit.scheduling.dependencies import circles, deptree_record, edges
from ci_toolkit.scheduling.schedule import built_too_early

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.checks.spec import Files, Subject
    from ci_toolkit.formats.deptree import DeptreeRecord

_NAME = "deptree"


_Needs = Mapping[Pkgbase, frozenset[Pkgbase]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """All packages: what each provides and needs, and which of the others each needs by their own names.

    What a package merely provides another one may provide as well, in the repository or outside of it, so nothing
    follows from that for circles and classes.
    """

    records: tuple[DeptreeRecord, ...]
    needs: _Needs


def _whole(subject: Subject) -> Iterator[Problem]:
    tree = _read_tree(subject.files)
    chosen = frozenset(subject.packages)
    yield from _circles(tree.needs, chosen, subject.files)
    if not subject.tools.keeps_order():
        yield from _too_early(tree.needs, chosen, subject.files)
    yield from _gone(tree, subject)


def _read_tree(files: Files) -> _Tree:
    records: list[DeptreeRecord] = []
    own: list[tuple[str, ...]] = []
    for name in files.folders():
        try:
            srcinfo = _description(name, files)
        except (ConfigError, FormatError):
            srcinfo = None  # pkgbuild-srcinfo and recipe-file say what is wrong with it
        records.append(deptree_record(Pkgbase(name), srcinfo))
        own.append(srcinfo.names if srcinfo else ())
    # Several folders may be called differently and build packages of one name: it is renamed on the way.
    owners = Counter(name for names in own for name in names)
    plain = [
        replace(record, names=(record.pkgbase, *(name for name in names if owners[name] == 1)))
        for record, names in zip(records, own, strict=True)
    ]
    return _Tree(records=tuple(records), needs=edges(plain))


def _description(name: str, files: Files) -> SrcInfo | None:
    described = files.read(f"{name}/{RECIPE_PATH}")
    if described is not None:
        return parse_recipe_file(described, read=lambda path: files.read(f"{name}/{path}")).srcinfo(name)
    data = files.read(f"{name}/{SRCINFO}")
    return SrcInfo.parse(data, file=SRCINFO) if data is not None else None


def _circles(needs: _Needs, chosen: frozenset[str], files: Files) -> Iterator[Problem]:
    for way in circles(needs):
        if chosen.isdisjoint(way):
            continue
        first = next(name for name in way if name in chosen)
        file, line = _place(first, (_behind(way, first),), files)
        yield Problem(
            check=_NAME,
            severity="error",
            file=file,
            line=line,
            text=f"needs itself: {' → '.join((*way, way[0]))}",
            hint="whichever is built first is built against the old version of the other",
        )


def _behind(way: tuple[Pkgbase, ...], name: Pkgbase) -> Pkgbase:
    """The package behind `name` on a way that ends where it begins."""
    return way[(way.index(name) + 1) % len(way)]


def _too_early(needs: _Needs, chosen: frozenset[str], files: Files) -> Iterator[Problem]:
    """Builders of different classes work at the same time, so what one takes does not wait for what it does not."""
    default = _class(files, SETTINGS_PATH, "CI_DEFAULT_CLASS")[0] or "1"
    relevant = {name for name in needs if name in chosen or needs[name] & chosen}
    relevant |= {other for name in relevant for other in needs[name]}
    found = {name: _class(files, f"{name}/{CONFIG_PATH}", "BUILDER_CLASS") for name in relevant}
    classes = {name: word or default for name, (word, _) in found.items()}
    for pkgbase, other in built_too_early(classes, needs):
        if pkgbase in chosen or other in chosen:
            text = f"is of class {classes[pkgbase]} and needs {other} of class {classes[other]}, and may be built first"
            yield Problem(
                check=_NAME,
                severity="warning",
                file=f"{pkgbase}/{CONFIG_PATH}",
                line=found[pkgbase][1],
                text=text,
                hint=f"BUILDER_CLASS={classes[other]} keeps the order",
            )


def _class(files: Files, path: str, key: str) -> tuple[str | None, int | None]:
    """A builder class and its line."""
    try:
        file = KeyValueFile.parse(files.read(path) or b"", file=path)
    except ToolkitError:
        return None, None  # ci-config says what is wrong with it
    return file.get(key), file.line_of(key)


def _gone(tree: _Tree, subject: Subject) -> Iterator[Problem]:
    """Names that packages had at the commit before, that nobody has now, and that somebody needs.

    A package's own name is missed. One that it merely provided, or had under another folder's name, may be that of a
    package of the distribution that it stood in for, so for all who need such a name there is one warning.
    """
    gone = _names_gone(tree, subject.tools.srcinfos_before())
    needed: dict[str, list[Pkgbase]] = {}
    for record in tree.records if gone else ():
        for name in gone.keys() & set(record.dependencies):
            needed.setdefault(name, []).append(record.pkgbase)
    for name, dependants in needed.items():
        package, is_own = gone[name]
        others = f", as {len(dependants) - 1} others do" if len(dependants) > 1 and not is_own else ""
        for pkgbase in dependants if is_own else dependants[:1]:
            file, line = _place(pkgbase, (name,), subject.files)
            yield Problem(
                check=_NAME,
                severity="error" if is_own else "warning",
                file=file,
                line=line,
                text=f"needs {name}{others}, which no package of this repository provides any more",
                hint=f"{package} did, before this change",
            )


def _names_gone(tree: _Tree, before: Mapping[str, bytes]) -> dict[str, tuple[str, bool]]:
    """Each name with the package that had it, and whether it was that package's own."""
    provided = {name for record in tree.records for name in record.names}
    gone: dict[str, tuple[str, bool]] = {}
    for package, data in before.items():
        try:
            srcinfo = SrcInfo.parse(data, file=SRCINFO)
        except FormatError:
            continue
        own = {package, *(srcinfo.names if srcinfo.pkgbase == package else ())}
        names = deptree_record(Pkgbase(package), srcinfo).names
        gone |= {name: (package, name in own) for name in names if name not in provided}
    return gone


def _place(pkgbase: str, names: tuple[str, ...], files: Files) -> tuple[str, int | None]:
    """Where a package's `.SRCINFO` says that it needs one of some names; the file, where its owner describes it."""
    described = f"{pkgbase}/{RECIPE_PATH}"
    if files.read(described) is not None:
        return described, None
    path = f"{pkgbase}/{SRCINFO}"
    text = (files.read(path) or b"").decode(errors="replace")
    either = "|".join(map(re.escape, names))
    found = re.search(rf"^[ \t]*(?:make)?depends(?:_\w+)?[ \t]*=[ \t]*(?:{either})(?:[<>=:\s]|$)", text, re.MULTILINE)
    return path, text.count("\n", 0, found.start()) + 1 if found else None


CHECK = Check(name=_NAME, whole=_whole)
