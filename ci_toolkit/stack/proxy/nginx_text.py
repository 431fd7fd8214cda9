"""Pieces of nginx's language, and what of farm.toml and of plugins may stand in it.

In nginx a `;`, a brace, a quote, a space or a `$` in a value begins something else. So nothing from outside is quoted:
what is not made of harmless characters alone is refused.
"""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci_toolkit.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Bundle

_SEGMENT = re.compile(r"[A-Za-z0-9_.~+@-]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9_.-]*:[0-9]{1,5}")


def block(head: str, *parts: str) -> str:
    """A block with its parts, each one or several lines; empty ones are left out."""
    inner = "\n".join(part for part in parts if part)
    return f"{head} {{\n{indent(inner, '    ')}\n}}"


def explained(why: str, directives: str) -> str:
    """Directives with the lines of a comment before them."""
    return f"{indent(why, '# ')}\n{directives}"


def forwarding(*, upgrades: bool = False) -> str:
    """What is told to whom requests are handed on; inheritance ends where a location sets one of these."""
    lines = [
        "proxy_set_header Host $host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ]
    if upgrades:
        return "\n".join((*lines, "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $upgraded;"))
    return "\n".join((*lines, 'proxy_set_header Connection "";'))


def is_plain_path(path: str) -> bool:
    """Whether a path is absolute, means nothing else to nginx, and leads to nowhere but itself."""
    first, *segments = path.removesuffix("/").split("/")
    return (
        path.startswith("/") and not first and all(_SEGMENT.fullmatch(part) and set(part) != {"."} for part in segments)
    )


def url_place(url: str, *, key: str) -> tuple[str, str]:
    """The host, with its port, and the path of a URL in farm.toml, which ends with a slash; ConfigError for others."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + "/"
    host = re.sub(r":[0-9]+$", "", parts.netloc.lower())
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not is_plain_path(path):
        hint = "a name and a path of letters, digits, '.', '_' and '-'"
        raise ConfigError("is nothing that a proxy can be set up for", file="farm.toml", key=key, got=url, hint=hint)
    return parts.netloc.lower(), path


def plugin_path(bundle: Bundle, path: str) -> str:
    """A path of a plugin's route, which ends with a slash; PluginError when it could be read as something else."""
    if not is_plain_path(path) or not path.endswith("/"):
        raise PluginError(
            f"stack_fragments: {bundle.name} from {bundle.origin} has a route with {path!r}, which is no plain path",
            hint="it begins and ends with '/', and has letters, digits and '.', '_', '~', '+', '@', '-' in between",
        )
    return path


def plugin_address(bundle: Bundle, address: str) -> str:
    """`host:port` of a plugin's service; PluginError when it is anything else."""
    if not _ADDRESS.fullmatch(address):
        raise PluginError(
            f"stack_fragments: {bundle.name} from {bundle.origin} has a route to a service at {address!r}",
            hint="the service needs a name and a port",
        )
    return address


def plugin_name(bundle: Bundle) -> str:
    """A plugin's name as a part of a path; PluginError when it cannot be one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", bundle.name):
        raise PluginError(
            f"stack_fragments: {bundle.name!r} from {bundle.origin} is no name for a path",
            hint="small letters, digits, '.', '_' and '-'",
        )
    return bundle.name
