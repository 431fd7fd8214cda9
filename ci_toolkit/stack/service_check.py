"""Whether a service of a plugin fits into a stack: its name, what it runs, what it may use, what it can reach."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ci_toolkit.errors import shortened
from ci_toolkit.stack.secret_names import STACK_SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack_fragments.spec import Fragment, Service

# What the stack itself runs; no plugin may be called like one of these.
CORE_SERVICES = frozenset(
    (
        "farm",
        "master",
        "worker",
        "proxy",
        "postgres",
        "redis",
        "prometheus",
        "alertmanager",
        "loki",
        "promtail",
        "grafana",
    )
)
PLUGIN = re.compile(r"(?=.{1,40}\Z)[a-z][a-z0-9]*(?:__?[a-z0-9]+)*")
# An image that is built is called by it, which allows no other ends, and no more between.
_NAME = re.compile(r"(?=.{1,63}\Z)[a-z][a-z0-9]*(?:(?:__?|-+)[a-z0-9]+)*")
_IMAGE = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_MOVING = frozenset((":latest", ":stable", ":edge", ":main", ":master", ":nightly"))
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TARGET = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)+")
_MEMORY = re.compile(r"[1-9][0-9]*[kmg]")
_INSTRUCTION = re.compile(r"^[ \t]*(FROM|HEALTHCHECK)[ \t]+(\S+)", re.MULTILINE | re.IGNORECASE)
_LARGEST_USER = 2**31 - 1


def is_own(plugin: str, name: str) -> bool:
    """Whether a name is a plugin's: its own, or one that begins with it and a hyphen."""
    return _NAME.fullmatch(name) is not None and (name == plugin or name.startswith(f"{plugin}-"))


def has_healthcheck(dockerfile: str) -> bool:
    """Whether the text of a Dockerfile says how its container's health is found out: what holds is said last."""
    said = ""
    for instruction, word in _INSTRUCTION.findall(dockerfile):
        said = "" if instruction.upper() == "FROM" or word.upper() == "NONE" else word
    return bool(said)


def service_faults(plugin: str, service: Service, fragment: Fragment) -> Iterator[str]:
    """A sentence for everything about it that does not fit."""
    if not is_own(plugin, service.name) or service.name == f"{plugin}-seed":
        yield "its name is not the plugin's own"
    yield from _program_faults(service)
    if service.port is not None and not 0 < service.port < 65536:
        yield f"{service.port} is no port"
    if not _MEMORY.fullmatch(service.memory) or not 0.01 <= service.cpus <= 1024:
        yield f"{shortened(service.memory)!r} and {service.cpus} are no limits, which are as 256m and 0.5"
    yield from _other_faults(service, fragment)
    for name, value in service.environment.items():
        if not _VARIABLE.fullmatch(name) or not value.isprintable():
            yield f"variable {shortened(name)!r} cannot be set"
    yield from _mount_faults(plugin, service, fragment)


def _program_faults(service: Service) -> Iterator[str]:
    if bool(service.image) == bool(service.dockerfile):
        yield "it needs either an image or a dockerfile"
    elif service.image:
        found = _IMAGE.fullmatch(service.image)
        if not found or (not found["digest"] and (not found["tag"] or found["tag"] in _MOVING)):
            yield f"image {shortened(service.image)!r} has no tag or digest that stays what it is"
        if not service.health:
            yield "it has no health check"
    elif not has_healthcheck(service.dockerfile):
        yield "its dockerfile has no HEALTHCHECK"
    if not all(word.isprintable() for word in (*service.command, *service.health)):
        yield "its command has a control character"


def _other_faults(service: Service, fragment: Fragment) -> Iterator[str]:
    known = {one.name for one in fragment.services} | CORE_SERVICES - {"farm", "worker"}
    for other in (*service.after, *filter(None, [service.beside])):
        if other not in known or other == service.name:
            yield f"{shortened(other)!r} is no other service"
    sidecars = {"proxy", *(one.name for one in fragment.services if one.beside)}
    if service.beside in sidecars:
        yield f"{shortened(service.beside)!r} has no network of its own that could be shared"
    for used in service.uses:
        if not PLUGIN.fullmatch(used):
            yield f"it uses {shortened(used)!r}, which is no plugin"


def _mount_faults(plugin: str, service: Service, fragment: Fragment) -> Iterator[str]:
    templates = {template.path for template in fragment.templates}
    for mount in service.mounts:
        inside = mount.source.removeprefix("./")
        owned = inside in templates if mount.source.startswith("./") else is_own(plugin, mount.source)
        if not owned or not _TARGET.fullmatch(mount.target):
            yield f"{shortened(mount.source)!r} cannot be mounted at {shortened(mount.target)!r}"
    for secret in service.secrets:
        if not is_own(plugin, secret.name) or secret.name in STACK_SECRETS or not 0 <= secret.owner <= _LARGEST_USER:
            yield f"secret {shortened(secret.name)!r} is not the plugin's own"
