"""The locations of the farm's own server: its pages, Buildbot's, what is published, Grafana."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci_toolkit.errors import ConfigError
from ci_toolkit.stack.proxy.nginx_text import block, explained, forwarding, is_plain_path, url_place
from ci_toolkit.stack.proxy.plugin_routes import proxied_by_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment

CONTAINER_REPOSITORIES = "/srv/repositories/"
_HSTS = 'add_header Strict-Transport-Security "max-age=31536000" always;'
_NO_SNIFFING = "add_header X-Content-Type-Options nosniff always;"
_TAKEN = ("/repositories/", "/grafana/", "/plugins/")


def farm_locations(deployment: Deployment) -> Iterator[str]:
    """The farm's pages and API, and its metrics for those who scrape."""
    _, path = url_place(deployment.farm.url, key="url")
    if path.startswith(_TAKEN):
        raise ConfigError("is where the proxy has something else", file="farm.toml", key="url", got=path)
    below = path != "/"
    if below:
        yield block("location = /", f"return 302 {path};")
        yield block("location /", "return 404;")
        yield block(f"location = {path.rstrip('/')}", f"return 301 {path};")
    yield explained(
        "The farm's own pages and API. Logs that are followed come as they grow, and may be silent for as long as a\n"
        "build is. What browsers may do with them, they say themselves.",
        block(
            f"location {path}",
            "limit_req zone=farm_pages burst=200 nodelay;",
            f"proxy_pass http://farm{'/' if below else ''};",
            "proxy_buffering off;",
            "proxy_read_timeout 1h;",
        ),
    )
    yield explained(
        "A schedule has the folders of all its packages in it. The master looks at the token before it reads any of\n"
        "that, so nothing is kept here until it has.",
        block(
            f"location ~ ^{re.escape(path)}api/repositories/[^/]+/schedules$",
            "client_max_body_size 256m;",
            "proxy_request_buffering off;",
            f"rewrite (?s)^{re.escape(path)}(.*)$ /$1 break;" if below else "",
            "proxy_pass http://farm;",
            "proxy_read_timeout 300s;",
        ),
    )
    readers = [f"allow {_network(one)};" for one in deployment.stack.prometheus.readers]
    asked = f"proxy_pass http://farm{'/metrics' if below else ''};"
    yield explained(
        "Who scrapes from elsewhere, and nobody else. With public = false in farm.toml a token is needed besides.",
        block(f"location = {path}metrics", *readers, "deny all;", asked),
    )


def _network(reader: str) -> str:
    try:
        return str(ip_network(reader, strict=False))
    except ValueError as error:
        raise ConfigError(f"is no address: {error}", file="stack.toml", key="prometheus.readers", got=reader) from error


def has_buildbot(deployment: Deployment) -> bool:
    """Whether Buildbot's pages are shown: some are there, on this host, and the farm is public; they want no token."""
    farm = deployment.farm
    same_host = urlsplit(farm.buildbot_url).netloc.lower() == urlsplit(farm.url).netloc.lower()
    return deployment.buildbot_port is not None and farm.is_public and same_host


def buildbot_locations(deployment: Deployment) -> Iterator[str]:
    """Buildbot's pages at the path that farm.toml has for them; nothing where there are none to be shown."""
    if not has_buildbot(deployment):
        return
    _, path = url_place(deployment.farm.buildbot_url, key="buildbot.url")
    _, farm = url_place(deployment.farm.url, key="url")
    if path in ("/", farm) or path.startswith(_TAKEN):
        hint = f'url = "https://{deployment.authority}/buildbot/"'
        raise ConfigError(
            "is where the proxy has something else", file="farm.toml", key="buildbot.url", got=path, hint=hint
        )
    yield explained(
        "Buildbot's pages. They show, and control nothing.",
        block(f"location = {path.rstrip('/')}", f"return 301 {path};"),
    )
    yield block(f"location {path}", "proxy_pass http://buildbot/;")
    yield block(
        f"location {path}sse/", "proxy_pass http://buildbot/sse/;", "proxy_buffering off;", "proxy_read_timeout 1h;"
    )
    yield block(
        f"location {path}ws", "proxy_pass http://buildbot/ws;", forwarding(upgrades=True), "proxy_read_timeout 1h;"
    )


def repository_locations(deployment: Deployment) -> Iterator[str]:
    """What pacman gets, of those repositories whose folder nginx can look into."""
    yield explained(
        f"What pacman gets: Server = https://{deployment.authority}/repositories/NAME/$arch. Databases are links\n"
        "into a folder whose name begins with a dot, which is not for anybody to look into.",
        block("location ^~ /repositories/", "return 404;"),
    )
    for name, publish in sorted(deployment.farm.publish.items()):
        if publish is None or not publish.startswith("/"):
            yield f"# {name} is published in the master's own folder, which nobody else may look into."
        elif not is_plain_path(publish):
            key = f"repositories.{name}.publish"
            hint = "letters, digits and '.', '_', '~', '+', '@', '-' between slashes"
            raise ConfigError("is no path for a proxy", file="farm.toml", key=key, got=publish, hint=hint)
        elif deployment.stack.is_composed and not publish.startswith(CONTAINER_REPOSITORIES):
            yield f"# {name} is not published below {CONTAINER_REPOSITORIES}, which is all that is mounted here."
        else:
            yield _repository(name, publish)


def _repository(name: str, publish: str) -> str:
    return block(
        f"location /repositories/{name}/",
        f"alias {publish.rstrip('/')}/;",
        _HSTS,
        _NO_SNIFFING,
        block(r"location ~ /\.", "deny all;"),
        block(
            r"location ~ \.(db|files)(\.tar\.zst)?(\.sig)?$",
            _HSTS,
            _NO_SNIFFING,
            'add_header Cache-Control "no-cache";',
        ),
    )


def grafana_locations(deployment: Deployment) -> Iterator[str]:
    """The dashboards; Grafana itself knows that it is at `/grafana/`."""
    there = proxied_by_name(deployment.address("grafana"))
    yield block("location = /grafana", "return 301 /grafana/;")
    yield block("location /grafana/", "client_max_body_size 4m;", there)
    yield explained(
        "Panels that are brought up to date as they change.",
        block("location /grafana/api/live/", there, forwarding(upgrades=True), "proxy_read_timeout 1h;"),
    )
