"""What a plugin adds is refused, with the plugin's name, when it would not fit."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any

import pytest

from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.stack.deployment import Bundle
from ci_toolkit.stack.fragment_check import check_bundle
from ci_toolkit.stack.monitoring.promql import parse_promql
from ci_toolkit.stack_fragments.spec import (
    Alert,
    AlertCase,
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


def _templates(*paths: str) -> Fragment:
    return Fragment(templates=tuple(Template(path=path, text="") for path in paths))


def _case(at: str) -> Fragment:
    cases = (AlertCase(series={"up": "1"}, at=at),)
    return Fragment(alerts=(Alert(name="A", expr="up", severity="info", summary="s", cases=cases),))


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
        (_service(secrets=(Secret(name="x-pin", owner=2**40),)), "secret 'x-pin' is not the plugin's own"),
        (_service(name="x-side", beside="proxy"), "'proxy' has no network of its own that could be shared"),
        (
            Fragment(
                services=(_GOOD, replace(_GOOD, name="x-b", beside="x"), replace(_GOOD, name="x-c", beside="x-b"))
            ),
            "service x-c: 'x-b' has no network of its own that could be shared",
        ),
        (
            Fragment(services=(replace(_GOOD, after=("x-b",)), replace(_GOOD, name="x-b", after=("x",)))),
            "wait for each other",
        ),
        (_service(name="x-"), "not the plugin's own"),
        (_service(name="x-" + "y" * 62), "not the plugin's own"),
        (_service(image="", dockerfile="FROM a\nHEALTHCHECK CMD b\nFROM c\nCMD d\n"), "no HEALTHCHECK"),
        (_service(image="", dockerfile="FROM a\nHEALTHCHECK CMD b\nHEALTHCHECK NONE\n"), "no HEALTHCHECK"),
        (_service(cpus=0.001), "'256m' and 0.001 are no limits"),
        (Fragment(services=(_GOOD, _GOOD)), "two of its services are called 'x'"),
        (Fragment(internal="y"), "internal leads to 'y'"),
        (_routed(Route(service="x", path="/a;}")), "a route from '' to '/a;}' is none"),
        (_routed(Route(service="x", path="/../")), "a route"),
        (_routed(Route(service="x", below="a {")), "a route"),
        (_routed(Route(service="x"), Route(service="x")), "two of its routes"),
        (Fragment(services=(_GOOD,), scrapes=(Scrape(service="x", path="metrics"),)), "a scrape of 'metrics'"),
        (Fragment(templates=(Template(path="../../.env", text=""),)), "no path of its own"),
        (Fragment(templates=(Template(path="compose.yml", text=""),)), "no path of its own"),
        (_templates("Dockerfile.x/a"), "template 'Dockerfile.x/a' is no path of its own"),
        (_templates("Compose.yml"), "template 'Compose.yml' is no path of its own"),
        (_templates("a" * 300), "is no path of its own"),
        (_templates("a", "a/b"), "template 'a/b' lies in 'a', which is a file"),
        (_templates("a/b", "a"), "template 'a/b' lies in 'a', which is a file"),
        (_templates("a.conf", "A.conf"), "two of its templates are called 'a.conf'"),
        (_case("9" * 5000 + "m"), "alert A: its case at '99"),
        (_case("soon"), "alert A: its case at 'soon' is none"),
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


@pytest.mark.parametrize(
    "name",
    [
        *("database-password", "database-url", "farm-token", "s3-credentials"),
        *("smtp-password", "telegram-token", "webhook-token"),
    ],
)
def test_no_plugin_is_handed_a_secret_of_the_stack_by_what_it_is_called(name: str) -> None:
    plugin = name.partition("-")[0]
    service = replace(_GOOD, name=plugin, secrets=(Secret(name=name),))
    with pytest.raises(PluginError, match=f"secret '{name}' is not the plugin's own"):
        check_bundle(Bundle(name=plugin, origin="x 1", fragment=Fragment(services=(service,))))


@pytest.mark.parametrize("text", ["1" * 20_000 + "_", "a" * 20_000, "[" + "1" * 20_000, '"' + "\\" * 20_000])
def test_a_long_text_takes_no_longer_than_it_is_long(text: str) -> None:
    begun_s = time.process_time()
    with contextlib.suppress(ConfigError):
        parse_promql(text)
    hostile = replace(
        _GOOD, name=text, image=text, dockerfile=f"HEALTHCHECK{text}", memory=text, uses=(text,), environment={text: ""}
    )
    fragment = Fragment(
        services=(hostile,),
        routes=(Route(service=text, below=text, path=f"/{text}"),),
        scrapes=(Scrape(service=text, path=f"/{text}"),),
        templates=(Template(path=text, text=""),),
        alerts=(Alert(name=text, expr=text, severity="info", summary=text, lasting=text),),
        seeds=(SeedTable(name=text, columns={text: text}, rows=()),),
    )
    with pytest.raises(PluginError):
        check_bundle(Bundle(name=text, origin="x 1", fragment=fragment))
    assert time.process_time() - begun_s < 1
