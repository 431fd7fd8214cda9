"""What is rendered for nginx, with a real nginx: who asks gets what is meant for him, and nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.errors import ConfigError, PluginError
from ci_toolkit.stack.proxy.nginx import nginx_outputs
from ci_toolkit.stack_fragments.spec import Fragment, Route, Service
from tests.support.rendered_nginx import FIRST_LINE, Echo, RunningNginx, running_nginx
from tests.support.stacks import FARM, STACK, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
SYSTEMD = f'run_by = "systemd"\n{STACK}\n[prometheus]\nreaders = ["127.0.0.2/32"]\n'


def hello(*routes: Route, port: int | None = 8080, name: str = "hello") -> Fragment:
    """A plugin of one service."""
    return Fragment(services=(Service(name=name, image="hello:1", port=port),), routes=routes)


ROUTES = (
    Route(service="hello", path="/ui/"),
    Route(service="hello", below="events/", path="/api/events/", streams=True),
)


@pytest.fixture(scope="module")
def farm() -> Iterator[Echo]:
    with Echo("farm") as service:
        yield service


@pytest.fixture(scope="module")
def plugin() -> Iterator[Echo]:
    with Echo("plugin") as service:
        yield service


@pytest.fixture(scope="module")
def nginx(farm: Echo, plugin: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNginx]:
    folder = tmp_path_factory.mktemp("nginx")
    published = folder / "published/mine/x86_64"
    (published / ".mine").mkdir(parents=True)
    (published / ".mine/mine.db.tar.zst").write_text("a database")
    (published / "mine.db").symlink_to(".mine/mine.db.tar.zst")
    (published / "one-1-1-any.pkg.tar.zst").write_text("a package")
    (folder / "published/secret").write_text("nobody's")
    toml = FARM.replace("8010", farm.port).replace("8020", plugin.port)
    toml = toml.replace("/srv/repositories/mine", f"{folder}/published/mine")
    deployment = deployed(SYSTEMD, farm=toml, hello=hello(*ROUTES, port=int(plugin.port)))
    with running_nginx(deployment, folder, {"127.0.0.1:3000": plugin.host}) as running:
        yield running


@needs_nginx
def test_without_encryption_there_is_nothing_but_the_way_to_it(nginx: RunningNginx) -> None:
    answer = nginx.ask("/workers?a=b", port="80")
    assert (answer.status, answer.headers["location"]) == (301, "https://farm.example.org/workers?a=b")


@needs_nginx
def test_the_farm_is_reached_and_told_who_asks(nginx: RunningNginx) -> None:
    answer = nginx.ask("/jobs/mine/1?x=%2F")
    assert (answer.said["who"], answer.said["path"]) == ("farm", "/jobs/mine/1?x=%2F")
    headers = answer.said["headers"]
    assert isinstance(headers, dict)
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@needs_nginx
def test_metrics_are_for_those_who_scrape(nginx: RunningNginx) -> None:
    assert nginx.ask("/metrics").status == 403
    assert nginx.ask("/metrics", source="127.0.0.2").said["path"] == "/metrics"


@needs_nginx
@pytest.mark.parametrize("path", ["/jobs/mine/1/log?follow=1", "/plugins/hello/events/log?follow=1"])
def test_what_grows_comes_as_it_grows(nginx: RunningNginx, farm: Echo, plugin: Echo, path: str) -> None:
    farm.released.clear()
    plugin.released.clear()
    connection = nginx.connected(timeout_s=5)  # less than what grows waits for before it ends by itself
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.read(len(FIRST_LINE)) == FIRST_LINE
        farm.released.set()
        plugin.released.set()
        assert answer.read() == b""
    finally:
        farm.released.set()
        plugin.released.set()
        connection.close()


@needs_nginx
def test_a_schedule_may_be_long_and_nothing_else(nginx: RunningNginx) -> None:
    long = b"{" * 1_000_000
    assert nginx.ask("/api/repositories/mine/schedules?source=a", body=long).said["length"] == len(long)
    assert nginx.ask("/api/workers/big/drain", body=long).status == 413
    assert nginx.ask("/api/repositories/mine/schedules/more", body=long).status == 413


@needs_nginx
@pytest.mark.parametrize(
    ("asked", "arrives"),
    [
        ("/plugins/hello/", "/ui/"),
        ("/plugins/hello/a/b?c=d", "/ui/a/b?c=d"),
        ("/plugins/hello/a%20b%3Fc", "/ui/a%20b%3Fc"),
        ("/plugins/hello/a%0d%0aHost:%20other", "/ui/a%0D%0AHost:%20other"),
        ("/plugins/hello/x/../../hello/y", "/ui/y"),
        ("/plugins/hello/events/now?d=e", "/api/events/now?d=e"),
        ("/grafana/d/one?orgId=1", "/grafana/d/one?orgId=1"),
        ("/grafana/api/live/ws", "/grafana/api/live/ws"),
        ("/buildbot/api/v2/workers", "/api/v2/workers"),
        ("/buildbot/sse/changes", "/sse/changes"),
        ("/buildbot/ws", "/ws"),
    ],
)
def test_others_are_asked_for_their_own_paths(nginx: RunningNginx, asked: str, arrives: str) -> None:
    said = nginx.ask(asked).said
    assert (said["who"], said["path"]) == ("plugin", arrives)


@needs_nginx
def test_a_plugin_is_told_where_it_is(nginx: RunningNginx) -> None:
    headers = nginx.ask("/plugins/hello/").said["headers"]
    assert isinstance(headers, dict)
    assert headers["x-forwarded-prefix"] == "/plugins/hello"


@needs_nginx
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plugins/other/", 404),
        ("/plugins/hello", 301),
        ("/plugins/hello/events", 301),
        ("/plugins/", 404),
        ("/repositories/mine/x86_64/.mine/mine.db.tar.zst", 403),
        ("/repositories/mine/../secret", 404),
        ("/repositories/mine/%2e%2e/secret", 404),
        ("/repositories/mine../secret", 404),
        ("/repositories/other/x86_64/other.db", 404),
        ("/repositories/mine/", 403),
    ],
)
def test_what_is_not_for_anybody_is_not_had(nginx: RunningNginx, path: str, status: int) -> None:
    assert nginx.ask(path).status == status


@needs_nginx
def test_databases_are_asked_for_anew_and_packages_are_not(nginx: RunningNginx) -> None:
    database = nginx.ask("/repositories/mine/x86_64/mine.db")
    assert (database.body, database.headers["cache-control"]) == (b"a database", "no-cache")
    assert "strict-transport-security" in database.headers
    package = nginx.ask("/repositories/mine/x86_64/one-1-1-any.pkg.tar.zst")
    assert package.body == b"a package"
    assert "cache-control" not in package.headers


@needs_nginx
def test_other_containers_see_the_metrics_and_nothing_else(farm: Echo, tmp_path: Path) -> None:
    toml = FARM.replace("8010", farm.port).replace("farm.example.org", "farm.example.org/farm", 1)
    with running_nginx(deployed(farm=toml), tmp_path, {}) as nginx:
        assert nginx.ask("/metrics", port="9180").said["path"] == "/metrics"
        assert nginx.ask("/healthz", port="9180").status == 204
        assert nginx.ask("/workers", port="9180").status == 404
        # The farm is below a path here, which is its proxy's matter alone.
        assert nginx.ask("/farm/workers?a=b").said["path"] == "/workers?a=b"
        long = b"{" * 1_000_000
        found = nginx.ask("/farm/api/repositories/mine/schedules?source=a", body=long).said
        assert (found["path"], found["length"]) == ("/api/repositories/mine/schedules?source=a", len(long))
        assert nginx.ask("/farm/metrics").status == 403
        assert nginx.ask("/workers").status == 404
        assert nginx.ask("/").headers["location"] == "/farm/"


def rendered(farm: str = FARM, stack: str = STACK, **plugins: Fragment) -> dict[str, str]:
    outputs = nginx_outputs(deployed(stack, farm=farm, **plugins))
    return {output.path: output.content.decode() for output in outputs}


def test_without_plugins_there_is_nothing_of_theirs() -> None:
    files = rendered(silent=hello())
    assert sorted(files) == ["nginx/nginx.conf", "nginx/sites/farm.conf", "nginx/sites/inside.conf"]
    assert "plugin" not in "".join(files.values())


def test_in_containers_names_are_looked_up_when_they_are_asked_for() -> None:
    site = rendered(hello=hello(Route(service="hello")))["nginx/sites/plugin-hello.conf"]
    assert 'set $there "hello:8080";' in site


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('[buildbot]\nurl = "https://farm.example.org/', '[buildbot]\nurl = "https://other.example.org/'),
        ('web = "tcp:8020:interface=127.0.0.1"', ""),
        ('url = "https://farm', 'public = false\nurl = "https://farm'),
    ],
    ids=["another host", "no pages", "not public"],
)
def test_buildbots_pages_are_not_shown_where_they_should_not_be(old: str, new: str) -> None:
    assert old in FARM
    stack = f"{STACK}[prometheus]\ntoken = true\n"
    assert "buildbot" not in "".join(rendered(FARM.replace(old, new, 1), stack).values()).lower()


@pytest.mark.parametrize(
    ("publish", "said"),
    [
        ('publish = "here"', "# mine is published in the master's own folder"),
        ("", "# mine is published in the master's own folder"),
        ('publish = "/var/mine"', "# mine is not published below /srv/repositories/"),
    ],
)
def test_a_repository_that_cannot_be_looked_into_is_said(publish: str, said: str) -> None:
    site = rendered(FARM.replace('publish = "/srv/repositories/mine"', publish))["nginx/sites/farm.conf"]
    assert said in site
    assert "alias" not in site


BAD_PATHS = [
    "/a b/",
    "/a;b/",
    "/a{b/",
    "/a}/",
    "/$host/",
    "/a\nb/",
    '/"/',
    "/'/",
    "/a\\/",
    "//a/",
    "/../",
    "/a/../b/",
    "/a",
]


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize("part", ["path", "below"])
def test_a_plugins_path_is_no_place_for_directives(path: str, part: str) -> None:
    route = Route(service="hello", path=path) if part == "path" else Route(service="hello", below=path)
    with pytest.raises(PluginError, match=r"hello from hello-plugin 1\.0 has a route with"):
        rendered(hello=hello(route))


@pytest.mark.parametrize(
    "fragment",
    [
        Fragment(routes=(Route(service="hello"),)),
        hello(Route(service="hello"), port=None),
        hello(Route(service="a;b"), name="a;b"),
        hello(Route(service="hello"), Route(service="hello")),
        hello(Route(service="hello", below="a/"), Route(service="hello", below="a/", path="/a/")),
    ],
    ids=["no service", "no port", "a name with a directive", "no second place", "twice the same"],
)
def test_a_route_that_leads_nowhere_is_refused_with_its_plugins_name(fragment: Fragment) -> None:
    with pytest.raises(PluginError, match=r"hello from hello-plugin 1\.0"):
        rendered(hello=fragment)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('url = "https://farm.example.org"', 'url = "https://farm.example.org/a;b"', "url"),
        ('url = "https://farm.example.org"', 'url = "https://farm.example.org/grafana"', "url"),
        ("https://farm.example.org/buildbot/", "https://farm.example.org/", "buildbot.url"),
        ("https://farm.example.org/buildbot/", "https://farm.example.org/{}", "buildbot.url"),
        ("/srv/repositories/mine", "/srv/repositories/$mine", "repositories.mine.publish"),
    ],
)
def test_what_cannot_be_had_in_front_of_the_farm_is_said_with_its_key(old: str, new: str, key: str) -> None:
    assert old in FARM
    with pytest.raises(ConfigError) as caught:
        rendered(FARM.replace(old, new, 1))
    assert (caught.value.file, caught.value.key) == ("farm.toml", key)
