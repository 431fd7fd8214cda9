"""Stacks for tests: a farm with two workers, and plugins by name."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from ci_toolkit.formats.farm_layout import farm_layout
from ci_toolkit.stack.deployment import Bundle, Deployment
from ci_toolkit.stack.stack_file import parse_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.stack_fragments.spec import Fragment

FARM = """\
url = "https://farm.example.org"
web = "tcp:8010:interface=127.0.0.1"
workers_listen = "ssl:9989:privateKey=tls/key.pem:certKey=tls/cert.pem"

[buildbot]
url = "https://farm.example.org/buildbot/"
web = "tcp:8020:interface=127.0.0.1"

[repositories.mine]
sources = ["pkgbuilds"]
publish = "/srv/repositories/mine"
key_file = "secrets/signing-key.asc"

[workers.one]
class = 1
slots = 2

[workers.big]
class = 9
slots = 4
"""
STACK = """\
[workers.one]
folder = "worker-one"

[workers.big]
metrics = "https://big.example.org:9990"
"""


def deployed(stack: str = STACK, *, farm: str = FARM, **plugins: Fragment) -> Deployment:
    """The stack that a stack.toml, a farm.toml and plugins make."""
    return deployed_with(plugins, stack=stack, farm=farm)


def deployed_with(plugins: Mapping[str, Fragment], *, stack: str = STACK, farm: str = FARM) -> Deployment:
    """The same with plugins by name."""
    bundles = (
        Bundle(name=name, origin=f"{name}-plugin 1.0", fragment=fragment) for name, fragment in sorted(plugins.items())
    )
    deployment = Deployment(
        stack=parse_stack(stack.encode()),
        farm=farm_layout(tomllib.loads(farm)),
        bundles=tuple(bundles),
        version="1.2.3",
    )
    deployment.check()
    return deployment
