"""Who calls, and what that allows.

A token comes as a bearer's, or, for browsers that read, as the password of HTTP's basic authentication with any name.
Nothing is written on behalf of the latter: a browser sends them along with whatever another site has it send.
Source: RFC 6750, RFC 7617.
"""

from __future__ import annotations

import base64
import binascii
from enum import Enum
from typing import TYPE_CHECKING

from ci_toolkit.farm.web.answers import RequestError

if TYPE_CHECKING:
    from ci_toolkit.farm.spec import Client, Farm, FarmRepository

_LONGEST = 1024
READ_CHALLENGE = 'Basic realm="farm", charset="UTF-8", Bearer realm="farm"'
WRITE_CHALLENGE = 'Bearer realm="farm"'
_NO_CLIENT = "no client of this farm has this token"


class Access(Enum):
    """Who may call a route; the value is how its description says that."""

    OPEN = "Anybody may ask this."
    READ = "Clients may ask this, and anybody where the farm is public."
    WRITE = "Clients of the repository alone."
    OPERATE = "Clients that operate the farm alone."

    @property
    def needs_client(self) -> bool:
        """Whether it is for clients whatever the farm shows to others."""
        return self in (Access.WRITE, Access.OPERATE)


def caller(farm: Farm, header: str | None, access: Access) -> Client | None:
    """Who calls with this `Authorization`; None for somebody who needs none. RequestError 401 for anybody else.

    A token that is nobody's is refused even where none is needed: whoever sends it takes it for a right one.
    """
    if access is Access.OPEN:
        return None
    if header is None and access is Access.READ and farm.is_public:
        return None
    client = client_of(farm, header, is_reading=access is Access.READ)
    if client is None:
        raise unauthorized(access)
    if access is Access.OPERATE and not client.operates:
        hint = f"its operator sets operates = true in [clients.{client.name}] of farm.toml, and starts the master anew"
        raise RequestError(403, f"the client {client.name} does not operate this farm", hint=hint)
    return client


def client_of(farm: Farm, header: str | None, *, is_reading: bool) -> Client | None:
    """The client whose token an `Authorization` holds, if it does."""
    scheme, _, rest = (header or "").strip().partition(" ")
    token = rest.strip()
    if scheme.lower() == "basic" and is_reading:
        token = _password(token)
    elif scheme.lower() != "bearer":
        return None
    if not 0 < len(token) <= _LONGEST or not token.isascii():
        return None
    return farm.client_of(token)


def unauthorized(access: Access) -> RequestError:
    """The same answer for a missing token and for a wrong one."""
    challenge = WRITE_CHALLENGE if access.needs_client else READ_CHALLENGE
    hint = "the token of a client, as CI_FARM_TOKEN holds it, goes into the header Authorization as a bearer token"
    return RequestError(401, _NO_CLIENT, hint=hint, headers={"WWW-Authenticate": challenge})


def require_repository(client: Client | None, repository: FarmRepository) -> None:
    """RequestError 403 unless the client may change what is built for a repository."""
    if client is None or repository.name not in client.repositories:
        hint = f"take the token of a client that has it among its repositories in farm.toml{_own_name(client)}"
        problem = f"this client has nothing to do with the repository {repository.name}"
        raise RequestError(403, problem, hint=hint)


def require_source(client: Client | None, source: str) -> None:
    """RequestError 403 unless the client may speak for a package repository."""
    if client is None or source not in client.sources:
        hint = f"take the token of a client that has it among its sources in farm.toml{_own_name(client)}"
        raise RequestError(403, f"this client does not speak for the package repository {source}", hint=hint)


def _own_name(client: Client | None) -> str:
    return f"; this is the client {client.name}" if client else ""


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]
