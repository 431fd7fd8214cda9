"""What a plugin adds is refused, with the plugin's name, when it would not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ci_toolkit.errors import PluginError
from ci_toolkit.stack.deployment import Bundle
from ci_toolkit.stack.fragment_check import check_bundle
from ci_toolkit.stack_fragments.spec import (
    Alert,
    Dashboard,
    Fragment,
    Mount,
    Route,
    Scrape,
    Secret,
    SeedTable,
    Service,
    Template,
)
from tests.support.stack_plugins import PLUGINS

_GOOD = Service(name="x", image="example.org/x:1.0", port=80, health=("true",))


def _service(**changes: Any) -> Fragment:
    return Fragment(services=(replace(_GOOD, **changes),))


def _routed(*routes: Route) -> Fragment:
    return Fragment(services=(_GOOD,), routes=routes)


def _seed(**changes: Any) -> Fragment:
    good: dict[str, Any] = {"name": "t", "columns": {"a": "text"}, "rows": (("x",),)}
    return Fragment(seeds=(SeedTable(**(good | changes)),))


def _alert(name: str = "A", summary: str = "s", lasting: str = "") -> Fragment:
    return Fragment(alerts=(Alert(name=name, expr="up", severity="info", summary=summary, lasting=lasting),))


def test_plugins_that_fit_are_taken() -> None:
    for name, fragment in PLUGINS.items():
        check_bundle(Bundle(name=name, origin="test 1", fragment=fragment))


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        (_service(name="other"), "service other: its name is not the plugin's own"),
        (_service(name="xy"), "not the plugin's own"),
        (_service(name="x\nprivileged: true"), "not the plugin's own"),
        (_service(name="x-seed"), "not the plugin's own"),
        (_service(image="example.org/x"), "has no tag or digest"),
        (_service(image="example.org:5000/x"), "has no tag or digest"),
        (_service(image="example.org/x:latest"), "has no tag or digest"),
        (_service(image="x:1\n  privileged: true"), "has no tag or digest"),
        (_service(image=""), "either an image or a dockerfile"),
        (_service(dockerfile="FROM x"), "either an image or a dockerfile"),
        (_service(image="", dockerfile="FROM x\nHEALTHCHECK NONE\n"), "no HEALTHCHECK"),
        (_service(health=()), "no health check"),
        (_service(port=0), "0 is no port"),
        (_service(memory="lots"), "'lots' and 1.0 are no limits"),
        (_service(after=("nobody",)), "'nobody' is no other service"),
        (_service(beside="x"), "'x' is no other service"),
        (_service(environment={"A B": "c"}), "variable 'A B' cannot be set"),
        (_service(environment={"A": "c\nB=d"}), "variable 'A' cannot be set"),
        (_service(command=("a\nb",)), "control character"),
        (_service(uses=("No",)), "uses 'No'"),
        (_service(mounts=(Mount(source="/etc", target="/x"),)), "'/etc' cannot be mounted"),
        (_service(mounts=(Mount(source="./../../etc", target="/x"),)), "cannot be mounted"),
        (_service(mounts=(Mount(source="postgres", target="/x"),)), "'postgres' cannot be mounted"),
        (_service(mounts=(Mount(source="x", target="/x:rw,z"),)), "cannot be mounted"),
        (_service(secrets=(Secret(name="telegram-token"),)), "secret 'telegram-token' is not the plugin's own"),
        (Fragment(services=(_GOOD, _GOOD)), "two of its services are called 'x'"),
        (Fragment(internal="y"), "internal leads to 'y'"),
        (_routed(Route(service="x", path="/a;}")), "a route from '' to '/a;}' is none"),
        (_routed(Route(service="x", path="/../")), "a route"),
        (_routed(Route(service="x", below="a {")), "a route"),
        (_routed(Route(service="x"), Route(service="x")), "two of its routes"),
        (Fragment(services=(_GOOD,), scrapes=(Scrape(service="x", path="metrics"),)), "a scrape of 'metrics'"),
        (Fragment(templates=(Template(path="../../.env", text=""),)), "no path of its own"),
        (Fragment(templates=(Template(path="compose.yml", text=""),)), "no path of its own"),
        (_alert(name="a b"), "alert 'a b' is none"),
        (_alert(summary=""), "tells nothing"),
        (_alert(lasting="5 m"), "no duration"),
        (Fragment(dashboards=(Dashboard(name="queue", title="", panels=()),)), "not the plugin's own"),
        (_seed(name="t; DROP"), "seed table 't; DROP'"),
        (_seed(columns={"a": "text); DROP TABLE b; --"}), "is no column"),
        (_seed(rows=(("x", "y"),)), "not as many values"),
        (_seed(key=2), "cannot be the key"),
        (_seed(rows=(("\0",),)), "NUL"),
    ],
)
def test_what_does_not_fit_is_refused(fragment: Fragment, said: str) -> None:
    with pytest.raises(PluginError, match=r"stack_fragments: x from x-plugin 2\.0 does not fit: ") as told:
        check_bundle(Bundle(name="x", origin="x-plugin 2.0", fragment=fragment))
    assert said in str(told.value)


@pytest.mark.parametrize("name", ["master", "prometheus", "X", "a-b", "../x", ""])
def test_a_plugin_cannot_be_called_like_the_stack_itself(name: str) -> None:
    with pytest.raises(PluginError, match="is no name for what adds to a stack"):
        check_bundle(Bundle(name=name, origin="x 1", fragment=Fragment()))
