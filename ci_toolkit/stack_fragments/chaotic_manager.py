"""A chaotic-manager's Redis, and its page of queue and logs, beside a farm; where stack.toml asks for them.

    [plugins.chaotic_manager]
    image = "registry.example.org/chaotic-manager/manager:4.1.0"

Its database service and its builders stay where they are, and find Redis as they did, by a tunnel to this machine. The
variables are those that the manager's `src/index.ts` reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ci_toolkit.errors import ConfigError
from ci_toolkit.stack_fragments.spec import Fragment, Route, Service

if TYPE_CHECKING:
    from ci_toolkit.stack_fragments.spec import Setting

_PORT = 3030
# The program takes the password from its environment alone, which is filled here: it is no word of a command.
_START = (
    'REDIS_PASSWORD="$(cat /run/secrets/chaotic_manager-redis-password)" exec /entry_point.sh web --web-port {port}'
)


class ChaoticManagerFragment:
    """Adds what a fleet needs of the farm's machine."""

    name: ClassVar[str] = "chaotic_manager"

    def fragment(self, setting: Setting) -> Fragment | None:
        """The page and Redis; nothing where the table is missing, ConfigError where it has no image."""
        if setting.options is None:
            return None
        image = setting.options.get("image")
        if not isinstance(image, str):
            raise ConfigError("has no image", hint='image = "…/manager:VERSION", as the fleet uses it')
        page = Service(
            name=self.name,
            image=image,
            command=("sh", "-c", _START.format(port=_PORT)),
            environment={"REDIS_HOST": "redis", "REDIS_PORT": "6379"},
            port=_PORT,
            health=("wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{_PORT}/api/queue/stats"),
            memory="512m",
        )
        return Fragment(services=(page,), internal=self.name, needs_redis=True, routes=(Route(service=self.name),))
