"""One service of a compose file, with what all of them have: restarts, limits, logs that do not fill the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.limits import limit_of
from ci_toolkit.stack.monitoring.loki import log_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci_toolkit.stack.stack_file import Limit, Stack

_LOGS = {"max-size": "20m", "max-file": "5"}
NETWORK_HOLDER = "farm"
_TOGETHER = ("master", "proxy")
_MOST_PROCESSES = 512


def composed(stack: Stack, name: str, image: str, *, usual: Limit | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - what compose files have
    """A service; `more` are further keys in their order, of which those that are None or empty are left out."""
    limit = limit_of(stack, name, usual)
    usually = {
        "restart": "unless-stopped",
        "init": True,
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "pids_limit": _MOST_PROCESSES,
        "mem_limit": limit.memory,
        "cpus": limit.cpus,
        # Promtail finds out by the tag whose log it reads.
        "logging": {"driver": "json-file", "options": {**_LOGS, "tag": log_tag(stack, name)}},
    }
    service = {"image": image, **more, **{key: value for key, value in usually.items() if key not in more}}
    return {key: value for key, value in service.items() if value is not None and value not in ([], {}, "")}


def healthcheck(*words: str, start_s: int = 30) -> dict[str, Any]:
    """A command in the container that ends with 0 when all is well; it has `start_s` seconds until that counts."""
    return {
        "test": ["CMD", *map(literal, words)],
        "interval": "15s",
        "timeout": "10s",
        "retries": 4,
        "start_period": f"{start_s}s",
    }


def reading(url: str) -> dict[str, Any]:
    """A health check of an image that has busybox: the URL answers."""
    return healthcheck("wget", "-q", "-O", "/dev/null", url)


def after(names: Iterable[str]) -> dict[str, Any]:
    """These are healthy first."""
    return {name: {"condition": "service_healthy"} for name in names}


def placed(path: str) -> str:
    """A path of stack.toml as compose has it: without a `./` a name would be a volume's."""
    return path if path.startswith("/") else f"./{path}"


def network_of(name: str) -> str:
    """The network of a service, for one that shares it."""
    return f"service:{NETWORK_HOLDER if name in _TOGETHER else name}"


def mounted(*places: Sequence[str]) -> list[str]:
    """Read-only mounts, of pairs of what is here and where it is there."""
    return [f"{here}:{there}:ro" for here, there in places]


def literal(text: str) -> str:
    """A text in which compose puts in no variables."""
    return text.replace("$", "$$")
