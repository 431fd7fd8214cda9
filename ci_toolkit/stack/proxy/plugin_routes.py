"""What nginx hands on to services of plugins, below `/plugins/NAME/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import PluginError
from ci_toolkit.stack.output import Output, text_output
from ci_toolkit.stack.proxy.nginx_text import block, forwarding, plugin_address, plugin_name, plugin_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Bundle, Deployment
    from ci_toolkit.stack_fragments.spec import Route


def routed_bundles(deployment: Deployment) -> Iterator[Bundle]:
    """The plugins that have routes."""
    return (bundle for bundle in deployment.bundles if bundle.fragment.routes)


def plugin_site(bundle: Bundle) -> str:
    """The file of a plugin's locations, beside the farm's."""
    return f"plugin-{plugin_name(bundle)}.conf"


def plugin_sites(deployment: Deployment) -> Iterator[Output]:
    """The locations of every plugin that has routes, which the farm's server includes."""
    for bundle in routed_bundles(deployment):
        here = f"/plugins/{plugin_name(bundle)}/"
        places = [f"{here}{route.below}" for route in bundle.fragment.routes]
        if len({*places}) != len(places):
            raise PluginError(f"stack_fragments: {bundle.name} from {bundle.origin} has two routes for one path")
        parts = (
            block(f"location = {here.rstrip('/')}", f"return 301 {here};"),
            *(_location(deployment, bundle, route) for route in bundle.fragment.routes),
        )
        yield text_output(f"nginx/sites/{plugin_site(bundle)}", "\n\n".join(parts))


def _location(deployment: Deployment, bundle: Bundle, route: Route) -> str:
    place = plugin_path(bundle, f"/plugins/{plugin_name(bundle)}/{route.below}")
    # Neither name nor path is in an expression. What is rewritten nginx escapes anew, so that no line can begin in it.
    segments = "/[^/]+" * (place.count("/") - 1)
    return block(
        f"location ^~ {place}",
        "limit_req zone=farm_pages burst=200 nodelay;",
        "client_max_body_size 1m;",
        # `break` ends what is set, too, so that this comes before the rewriting.
        proxied_by_name(_address(deployment, bundle, route)),
        f"rewrite (?s)^{segments}/(.*)$ {plugin_path(bundle, route.path)}$1 break;",
        f"proxy_set_header X-Forwarded-Prefix /plugins/{plugin_name(bundle)};",
        forwarding(upgrades=route.streams),
        "proxy_buffering off;\nproxy_read_timeout 1h;" if route.streams else "",
    )


def _address(deployment: Deployment, bundle: Bundle, route: Route) -> str:
    service = bundle.service(route.service)
    if service is None or service.port is None:
        raise PluginError(
            f"stack_fragments: {bundle.name} from {bundle.origin} has a route to {route.service!r}",
            hint="a route leads to a service of the same plugin that has a port",
        )
    return plugin_address(bundle, deployment.service_address(service))


def proxied_by_name(address: str) -> str:
    """What hands on to `host:port`, which is looked up for each request and not when nginx starts."""
    return f'set $there "{address}";\nproxy_pass http://$there;'
