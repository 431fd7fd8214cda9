"""What a chaotic-manager would drop, crash on or never begin is refused before anything is written for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.backends.chaotic_manager import ChaoticManagerBackend
from ci_toolkit.backends.spec import BackendTools
from ci_toolkit.errors import ConfigError, HandOverError
from ci_toolkit.formats.deptree import DeptreeRecord
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.names import Pkgbase
from ci_toolkit.model.settings import parse_settings
from tests.support.backend_contract import Folders
from tests.support.jobs import schedule
from tests.support.pacman_stand import SteppingClock

if TYPE_CHECKING:
    from pathlib import Path

    from ci_toolkit.scheduling.schedule import Schedule

NO_MORE_THAN = 20_000  # names of 250 letters are more than any program can be given


def tools_for(top: Path, config: str = "") -> BackendTools:
    settings = parse_settings(KeyValueFile.parse(config.encode(), file=".ci/config"), {})
    return BackendTools(top=top, environ={}, settings=settings, clock=SteppingClock())


def refusal(top: Path, made: Schedule, config: str = "") -> str:
    """What is said instead of a hand-over, of which nothing is left."""
    backend = ChaoticManagerBackend()
    backend.submit(schedule("r0", "earlier"), Folders(), tools_for(top))
    with pytest.raises(HandOverError) as caught:
        backend.submit(made, Folders(), tools_for(top, config))
    assert list((top / ".ci").iterdir()) == []
    return caught.value.problem


def record(**parts: Any) -> DeptreeRecord:
    return DeptreeRecord(**{"pkgbase": Pkgbase("a"), "names": ("a",), "dependencies": (), **parts})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("REPO_NAME=extra\n", "REPO_NAME extra is none of CI_MANAGER_REPOSITORIES (did you mean extras?)"),
        (
            "REPO_NAME=extras\nBUILD_REPO=sources\n",
            "BUILD_REPO sources is none of CI_MANAGER_REPOSITORIES (there are chaotic-aur, extras)",
        ),
    ],
    ids=["target", "source"],
)
def test_a_repository_that_the_manager_does_not_know_is_refused(tmp_path: Path, config: str, said: str) -> None:
    known = "CI_MANAGER_REPOSITORIES=chaotic-aur extras\n"
    assert refusal(tmp_path, schedule("r1", "a"), known + config) == said
    assert ChaoticManagerBackend().submit(schedule("r1", "a"), Folders(), tools_for(tmp_path, known))


@pytest.mark.parametrize(
    ("line", "blamed"),
    [
        ("REDIS_SSH_HOST=my host", "REDIS_SSH_HOST 'my host' is no host name"),
        ("REDIS_SSH_HOST='\"host\"'", "REDIS_SSH_HOST '\"host\"' is no host name"),
        ("REDIS_SSH_HOST=a,b", "REDIS_SSH_HOST 'a,b' is no host name"),
        ("REDIS_SSH_USER=-oProxyCommand=x", "REDIS_SSH_USER '-oProxyCommand=x' is no user name"),
        ("REDIS_SSH_PORT=0", "REDIS_SSH_PORT 0 is no port"),
        ("REDIS_PORT=65536", "REDIS_PORT 65536 is no port"),
    ],
)
def test_a_way_to_it_that_would_never_come_up_is_refused(tmp_path: Path, line: str, blamed: str) -> None:
    assert refusal(tmp_path, schedule("r1", "a"), f"{line}\n") == blamed


@pytest.mark.parametrize("host", ["build.example.org", "192.0.2.7", "2001:db8::7", "::1", "localhost"])
def test_hosts_and_addresses_are_taken(tmp_path: Path, host: str) -> None:
    config = f"REDIS_SSH_HOST={host}\n"
    assert ChaoticManagerBackend().submit(schedule("r1", "a"), Folders(), tools_for(tmp_path, config))


def test_everything_that_speaks_against_it_is_said_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, schedule("r1", "Upper", "ok/0", "fine/big box", "good/box-1"), "REDIS_PORT=0\n")
    assert said.split("; ") == [
        "REDIS_PORT 0 is no port",
        "the manager would drop Upper, as it takes only names of a-z 0-9 _ . + -",
        "no builder can ever take ok/0, fine/big box, whose class is neither a number of at least 1 nor a name",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        record(names=()),
        record(names=("a", "")),
        record(names=("a:b",)),
        record(dependencies=("x;y",)),
        record(dependencies=("x\n",)),
    ],
    ids=["no name", "empty name", "colon", "semicolon", "line break"],
)
def test_a_record_that_the_manager_would_misread_is_refused(tmp_path: Path, broken: DeptreeRecord) -> None:
    made = replace(schedule("r1", "a"), deptree=(broken,))
    assert refusal(tmp_path, made) == "the manager would misread what a provides or needs"


def test_a_removal_of_everything_is_refused(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, schedule("r1", removed=True)) == "a removal that leaves no package at all is not handed over"
    )


def test_more_arguments_than_a_program_can_be_given_are_refused(tmp_path: Path) -> None:
    names = [f"{'x' * 240}{number}" for number in range(NO_MORE_THAN)]
    said = refusal(tmp_path, replace(schedule("r1", there=names, removed=True), deptree=()))
    assert said.startswith("auto-repo-remove would have ")
    assert said.endswith(" bytes of arguments, more than a program can be given")


def test_five_thousand_packages_are_not_too_many(tmp_path: Path) -> None:
    names = [f"python-of-some-length-{number}/12" for number in range(5_000)]
    assert ChaoticManagerBackend().submit(schedule("r1", *names), Folders(), tools_for(tmp_path))


@pytest.mark.parametrize(
    "url", ["http://example.org", "ftp://example.org", "https://u:p@example.org", "https://a/?q", "x"]
)
def test_an_address_that_cannot_be_asked_safely_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tools_for(tmp_path, f"CI_MANAGER_URL={url}\n")
    assert (caught.value.key, caught.value.line) == ("CI_MANAGER_URL", 1)


@pytest.mark.parametrize("url", ["https://example.org:8443/manager/", "http://127.0.0.1:80", "http://localhost/x"])
def test_other_addresses_are_taken(tmp_path: Path, url: str) -> None:
    assert tools_for(tmp_path, f"CI_MANAGER_URL={url}\n").settings.manager_url == url.rstrip("/")
