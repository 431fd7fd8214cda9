"""nginx in front of a farm: TLS, the farm's pages and API, Buildbot's, Grafana, plugins, and what is published.

In containers nginx shares the master's network, and so reaches the farm on loopback. All others are containers that may
be made anew with another address: their names are looked up when they are asked for. `nginx.conf` and `sites/` are
below `/etc/nginx`, the certificate in `/etc/nginx/tls`. Without containers all of it stays where it was rendered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.deployment import INSIDE_PORT
from ci_toolkit.stack.output import text_output
from ci_toolkit.stack.proxy.nginx_text import block, explained, forwarding, url_place
from ci_toolkit.stack.proxy.places import (
    buildbot_locations,
    farm_locations,
    grafana_locations,
    has_buildbot,
    repository_locations,
)
from ci_toolkit.stack.proxy.plugin_routes import plugin_site, plugin_sites, routed_bundles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output

_ACME = "/.well-known/acme-challenge/"


def nginx_outputs(deployment: Deployment) -> Iterator[Output]:
    """The main file, the farm's server, in containers the one for metrics, and the locations of plugins."""
    yield text_output("nginx/nginx.conf", _main_file(deployment))
    yield text_output("nginx/sites/farm.conf", "\n\n".join((_redirect(deployment), _server(deployment))))
    if deployment.stack.is_composed:
        yield text_output("nginx/sites/inside.conf", _inside())
    yield from plugin_sites(deployment)


def tls_folder(deployment: Deployment) -> str:
    """Where nginx finds `cert.pem` and `key.pem`."""
    stack = deployment.stack
    if stack.is_composed:
        return "/etc/nginx/tls"
    return stack.tls if stack.tls.startswith("/") else f"{stack.installed_at}/{stack.tls}"


def _main_file(deployment: Deployment) -> str:
    composed = deployment.stack.is_composed
    user = "nginx" if composed else "www-data"
    sites = ("farm", "inside") if composed else ("farm",)
    return "\n\n".join(
        (
            f"user {user};\nworker_processes auto;\npid /run/nginx.pid;\nerror_log stderr warn;",
            block("events", "worker_connections 1024;"),
            block(
                "http",
                "include /etc/nginx/mime.types;\ndefault_type application/octet-stream;",
                # What systemd gives a program as its output cannot be opened by name.
                f"access_log {'/dev/stdout' if composed else 'syslog:server=unix:/dev/log,nohostname,tag=nginx'};",
                "server_tokens off;\nsendfile on;\nkeepalive_timeout 65s;\n",
                "ssl_protocols TLSv1.2 TLSv1.3;\nssl_session_cache shared:farm:10m;\nssl_session_tickets off;\n",
                "# Schedules are longer, and have a location of their own.\nclient_max_body_size 64k;\n",
                "# Nobody gets as many answers as it takes to keep others from having any.",
                "limit_req_zone $binary_remote_addr zone=farm_pages:10m rate=30r/s;",
                "limit_conn_zone $binary_remote_addr zone=farm_connections:10m;",
                "limit_req_status 429;\nlimit_conn_status 429;\n",
                _RESOLVER if composed else "",
                block("map $http_upgrade $upgraded", "default upgrade;", "'' '';") + "\n",
                _upstreams(deployment) + "\n",
                f"proxy_http_version 1.1;\n{forwarding()}\n",
                *(f"include sites/{site}.conf;" for site in sites),
            ),
        )
    )


_RESOLVER = (
    "# Docker's. A container that is made anew has another address, which is asked for again after this time.\n"
    "resolver 127.0.0.11 valid=10s ipv6=off;\n"
)


def _upstreams(deployment: Deployment) -> str:
    farm = block("upstream farm", f"server 127.0.0.1:{deployment.farm_port};", "keepalive 16;")
    if not has_buildbot(deployment):
        return farm
    return farm + "\n" + block("upstream buildbot", f"server 127.0.0.1:{deployment.buildbot_port};")


def _redirect(deployment: Deployment) -> str:
    host, _ = url_place(deployment.farm.url, key="url")
    return block(
        "server",
        "listen 80;\nlisten [::]:80;",
        f"server_name {_name(deployment)};",
        block("location /", f"return 301 https://{host}$request_uri;"),
        explained(
            "For certificates by ACME: certbot certonly --webroot -w TLS/http-01, where TLS is the folder of cert.pem.",
            block(f"location {_ACME}", f"root {tls_folder(deployment)}/http-01;"),
        ),
    )


def _name(deployment: Deployment) -> str:
    host = deployment.host
    return f"[{host}]" if ":" in host else host


def _server(deployment: Deployment) -> str:
    plugins = [f"include sites/{plugin_site(bundle)};" for bundle in routed_bundles(deployment)]
    places = (
        *farm_locations(deployment),
        *buildbot_locations(deployment),
        *repository_locations(deployment),
        *grafana_locations(deployment),
        "\n".join((block("location ^~ /plugins/", "return 404;"), *plugins)) if plugins else "",
    )
    tls = tls_folder(deployment)
    # Debian 12 has a version that does not know the newer way to say it.
    http2 = ("", "http2 on;") if deployment.stack.is_composed else (" http2", "")
    return block(
        "server",
        f"listen 443 ssl{http2[0]};\nlisten [::]:443 ssl{http2[0]};",
        http2[1],
        f"server_name {_name(deployment)};",
        f"ssl_certificate {tls}/cert.pem;\nssl_certificate_key {tls}/key.pem;",
        'add_header Strict-Transport-Security "max-age=31536000" always;',
        "limit_conn farm_connections 64;\nabsolute_redirect off;\n",
        "\n\n".join(place for place in places if place),
    )


def _inside() -> str:
    """What other containers see."""
    return explained(
        "For other containers, on a port that is published nowhere.",
        block(
            "server",
            f"listen {INSIDE_PORT};",
            "access_log off;",
            block("location = /metrics", "proxy_pass http://farm;"),
            explained("That nginx itself answers.", block("location = /healthz", "return 204;")),
            block("location /", "return 404;"),
        ),
    )
