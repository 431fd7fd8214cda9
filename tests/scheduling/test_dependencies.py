"""Who needs whom, and in which order that is built."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ci_toolkit.formats.srcinfo import SrcInfo
from ci_toolkit.model.names import Oid, Pkgbase
from ci_toolkit.model.package import Package
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.scheduling.dependencies import build_order, deptree_records, edges, in_circles


def package(name: str, srcinfo: str | None) -> Package:
    parsed = SrcInfo.parse(srcinfo.encode(), file=".SRCINFO") if srcinfo else None
    return Package(pkgbase=Pkgbase(name), tree=Oid("1" * 40), files={}, config=PackageConfig(), srcinfo=parsed)


SPLIT = """
pkgbase = tools
\tpkgver = 1
\tpkgrel = 1
\tmakedepends = cmake>=3
\tdepends = glibc
\tdepends_x86_64 = lib32-x

pkgname = tools-a
\tdepends = tools-lib
\tdepends = other=2:1.0
\tprovides = a.b++=1

pkgname = tools-lib
\tprovides = libtools.so=1-64
\tdepends =
"""


def test_a_split_package_needs_what_its_parts_need_but_not_itself() -> None:
    (record,) = deptree_records([package("tools", SPLIT)])
    assert record.names == ("a.b++", "libtools.so", "tools", "tools-a", "tools-lib")
    assert record.dependencies == ("cmake", "glibc", "lib32-x", "other")


def test_without_a_readable_srcinfo_a_package_has_at_least_its_name() -> None:
    (record,) = deptree_records([package("x", None)])
    assert (record.names, record.dependencies) == (("x",), ())


def graph(**needs: str) -> dict[Pkgbase, frozenset[Pkgbase]]:
    return {Pkgbase(name): frozenset(map(Pkgbase, text.split())) for name, text in needs.items()}


def test_dependencies_come_first_also_through_packages_that_are_not_built() -> None:
    needs = graph(a="b", b="c", c="", d="")
    assert build_order([Pkgbase("a"), Pkgbase("c"), Pkgbase("d")], needs) == ("c", "d", "a")


def test_a_circle_is_reported_and_built_last_in_a_stable_order() -> None:
    needs = graph(a="b", b="a", c="a", d="")
    wanted = list(needs)
    assert build_order(wanted, needs) == ("d", "a", "b", "c")
    assert set(in_circles(wanted, needs)) == {"a", "b"}


def test_edges_resolve_provided_names_to_every_provider() -> None:
    one = package("one", "pkgbase = one\npkgver = 1\npkgrel = 1\nprovides = virtual\npkgname = one\n")
    two = package("two", "pkgbase = two\npkgver = 1\npkgrel = 1\nprovides = virtual=3\npkgname = two\n")
    user = package("user", "pkgbase = user\npkgver = 1\npkgrel = 1\ndepends = virtual>=2\npkgname = user\n")
    assert edges(deptree_records([one, two, user]))[Pkgbase("user")] == {"one", "two"}


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40))
def test_in_a_graph_without_circles_every_dependency_comes_first(pairs: list[tuple[int, int]]) -> None:
    needs = {Pkgbase(f"p{number}"): frozenset[Pkgbase]() for number in range(16)}
    for one, other in pairs:
        if one != other:
            low, high = sorted((one, other))
            needs[Pkgbase(f"p{high}")] |= {Pkgbase(f"p{low}")}
    order = build_order(needs.keys(), needs)
    assert sorted(order) == sorted(needs)
    position = {name: number for number, name in enumerate(order)}
    assert all(position[other] < position[name] for name, others in needs.items() for other in others)
