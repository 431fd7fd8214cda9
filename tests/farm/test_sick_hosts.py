"""When a worker is suspected, and when it is trusted again."""

from __future__ import annotations

from ci_toolkit.farm.sick_hosts import FailedBuild, SickHosts


def failed(name: str, number: int = 1, repository: str = "samples") -> FailedBuild:
    return FailedBuild(repository, name, number)


def suspected() -> SickHosts:
    hosts = SickHosts()
    for name in ("a", "b", "c"):
        hosts.failed("ill", failed(name))
    return hosts


def test_three_different_packages_in_a_row_are_enough() -> None:
    hosts = SickHosts()
    assert hosts.failed("ill", failed("a")) == ()
    assert hosts.failed("ill", failed("b")) == ()
    assert hosts.failed("ill", failed("c")) == (failed("a"), failed("b"), failed("c"))


def test_the_same_package_again_counts_once_and_a_success_counts_all_off() -> None:
    hosts = SickHosts()
    for number in range(5):
        assert hosts.failed("ill", failed("a", number)) == ()
    hosts.failed("ill", failed("b"))
    hosts.succeeded("ill", "samples", "good")
    assert hosts.failed("ill", failed("c")) == ()


def test_packages_of_the_same_name_in_two_repositories_are_two() -> None:
    hosts = SickHosts()
    hosts.failed("ill", failed("a"))
    hosts.failed("ill", failed("a", repository="other"))
    assert len(hosts.failed("ill", failed("b"))) == 3


def test_one_is_trusted_again_when_all_of_them_fail_elsewhere() -> None:
    hosts = suspected()
    assert hosts.cleared_by("well", failed("a")) is None
    assert hosts.cleared_by("well", failed("b")) is None
    assert hosts.cleared_by("ill", failed("c")) is None  # that says nothing
    assert hosts.cleared_by("well", failed("c")) == "ill"


def test_one_stays_where_it_is_when_one_of_them_is_built_elsewhere() -> None:
    hosts = suspected()
    hosts.succeeded("well", "samples", "b")
    assert hosts.cleared_by("well", failed("a")) is None
    assert hosts.cleared_by("well", failed("c")) is None
