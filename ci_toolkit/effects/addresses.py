"""Which network addresses upstreams may lie at: public ones, unless the owner allows local ones.

Names in package files come from strangers, and a stranger's name may point at the machine itself, at a cloud's
metadata service or at an internal host. So every address is looked at after the name was resolved, before use.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ForbiddenAddressError(UpstreamError):
    """A host name leads to an address that upstreams may not lie at."""


class UnresolvedHostError(UpstreamError):
    """A host name leads nowhere, at least now."""


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from everywhere: not private, loopback, link-local, multicast or reserved."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if embedded is not None:
            return is_public(str(embedded))
    return parsed.is_global and not parsed.is_multicast


def public_address(host: str, port: int) -> str:
    """An address of `host`; ForbiddenAddressError if any of its addresses is not public."""
    bare = host.strip("[]")
    try:
        found: Sequence[Any] = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnresolvedHostError(f"{bare} cannot be resolved: {error.strerror}") from error
    addresses = [str(entry[4][0]) for entry in found]
    hidden = [address for address in addresses if not is_public(address)]
    if hidden or not addresses:
        raise ForbiddenAddressError(
            f"{bare} lies at {', '.join(hidden) or 'no address'}, which upstreams may not",
            hint="CI_ALLOW_LOCAL_UPSTREAMS=true in .ci/config allows local addresses",
        )
    return addresses[0]


class _CheckedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _CheckedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


def _connect(connection: HTTPConnection) -> socket.socket:
    address = public_address(connection.host, connection.port)
    return create_connection(
        (address, connection.port),
        connection.timeout,
        source_address=connection.source_address,
        socket_options=connection.socket_options,
    )


class _CheckedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _CheckedHTTPConnection


class _CheckedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPSConnection


class PublicAddressAdapter(HTTPAdapter):
    """A transport that refuses to connect to anything but public addresses (a configured proxy excepted)."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: ANN401 - the base's
        """Make the pools connect through the check."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _CheckedHTTPPool, "https": _CheckedHTTPSPool}
