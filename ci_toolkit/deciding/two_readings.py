"""What the bash template makes of a repository and what ci-toolkit makes of it, where the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.formats.bash_template import PACKAGE_KEYS as TEMPLATE_KEYS
from ci_toolkit.formats.bash_template import read_as_template, template_record
from ci_toolkit.model.config_keys import PACKAGE_KEYS, REPOSITORY_KEYS, Key, Shape
from ci_toolkit.scheduling.dependencies import deptree_records, edges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ci_toolkit.formats.key_value import KeyValueFile
    from ci_toolkit.model.names import Pkgbase
    from ci_toolkit.model.package import Package

_CONFIG = ".CI/config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that will be different: `package` None for the whole repository; `old` and `new` are readings of it."""

    package: str | None
    what: str
    old: str
    new: str


def package_differences(
    packages: Mapping[Pkgbase, Package],
    *,
    fault_of: Callable[[Package], str | None],
    is_source: Callable[[str], bool],
) -> tuple[Difference, ...]:
    """Everything that differs of packages, by package."""
    found: list[Difference] = []
    order = _order_differences(packages.values())
    for pkgbase, package in packages.items():
        found += _config_differences(package, is_source)
        fault = fault_of(package)
        if fault:
            found.append(Difference(package=pkgbase, what="name", old="scheduled", new=fault))
        if package.srcinfo_fault:
            new = f"an error in every run: {package.srcinfo_fault.what_and_where}"
            found.append(Difference(package=pkgbase, what=".SRCINFO", old="read as far as it goes", new=new))
        if package.is_vcs and not pkgbase.endswith("-git") and not package.config.force_vcs:
            found.append(Difference(package=pkgbase, what="VCS head", old="not followed", new="followed"))
        found += order.get(pkgbase, ())
    return tuple(found)


def settings_differences(file: KeyValueFile) -> tuple[Difference, ...]:
    """What differs of `.ci/config`."""
    return tuple(_value_differences(None, file, REPOSITORY_KEYS, known=None))


def _config_differences(package: Package, is_source: Callable[[str], bool]) -> Iterator[Difference]:
    if package.config_fault is not None:
        new = f"refused: {package.config_fault.what_and_where}"
        yield Difference(package=package.pkgbase, what=_CONFIG, old="read as it stands", new=new)
    file = package.config_file
    if file is None:
        return
    yield from _value_differences(package.pkgbase, file, PACKAGE_KEYS, known=TEMPLATE_KEYS)
    source = package.config.source
    if source is not None and not is_source(source):
        yield Difference(
            package=package.pkgbase,
            what="CI_PKGBUILD_SOURCE",
            old=f"cloned from {source}",
            new="no kind of source",
        )


def _value_differences(
    package: str | None, file: KeyValueFile, keys: Mapping[str, Key], *, known: frozenset[str] | None
) -> Iterator[Difference]:
    before = read_as_template(file.to_bytes())
    for name, key in keys.items():
        now, old = file.get(name), before.get(name)
        if known is not None and name not in known:
            if now:
                yield Difference(package=package, what=name, old="ignored", new=now)
        elif (old or "") != (now or ""):
            yield Difference(package=package, what=name, old=repr(old or ""), new=repr(now or ""))
        elif key.shape is Shape.BOOLEAN and now and now != "true" and now.lower() == "true":
            yield Difference(package=package, what=name, old=f"off, as {now!r} is not 'true'", new="on")


def _order_differences(packages: Iterable[Package]) -> dict[Pkgbase, tuple[Difference, ...]]:
    """What is built before what, where that differs.

    The template loses all names of some packages, and then takes what they need for what they are: hundreds of others
    wait for them without need. That is said once, of the package that they wait for.
    """
    listed = tuple(packages)
    records = [
        template_record(package.pkgbase, package.srcinfo.to_bytes() if package.srcinfo else b"") for package in listed
    ]
    nameless = {record.pkgbase for record in records if not record.has_names}
    old, new = edges(record.as_written() for record in records), edges(deptree_records(listed))
    found: dict[Pkgbase, tuple[Difference, ...]] = {}
    for pkgbase, after in new.items():
        gone, added = old[pkgbase] - after - nameless, after - old[pkgbase]
        if gone or added:
            found[pkgbase] = (Difference(package=pkgbase, what="build order", old=_after(gone), new=_after(added)),)
    for pkgbase in nameless:
        waiting = sum(pkgbase in after for after in old.values()), sum(pkgbase in after for after in new.values())
        if waiting[0] != waiting[1]:
            texts = (f"{count} packages of the repository wait for it" for count in waiting)
            row = Difference(package=pkgbase, what="its place in the build order", old=next(texts), new=next(texts))
            found[pkgbase] = (*found.get(pkgbase, ()), row)
    return found


def _after(names: frozenset[Pkgbase]) -> str:
    return f"after {', '.join(sorted(names))}" if names else "-"
