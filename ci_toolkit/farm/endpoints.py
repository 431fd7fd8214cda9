"""Where masters and workers listen, as Twisted's endpoint strings say it."""

from __future__ import annotations

from typing import Any

from OpenSSL.crypto import Error as CryptoError
from twisted.internet.endpoints import clientFromString, serverFromString

from ci_toolkit.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def server_endpoint(reactor: Any, text: str, *, key: str, file: str | None = None) -> Any:  # noqa: ANN401 - what twisted.internet has a module for
    """What listens there, and does not yet; ConfigError for what is no endpoint, or names a key that is not there."""
    try:
        return serverFromString(reactor, text)
    except CryptoError as error:
        raise ConfigError("names a file that is no key or certificate", file=file, key=key, got=text) from error
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigError(f"is no endpoint to listen on: {error}", file=file, key=key, got=text) from error


def check_client_endpoint(reactor: Any, text: str, *, key: str, file: str | None = None) -> None:  # noqa: ANN401 - as above
    """Nothing; ConfigError for what nobody can connect to, and for certificates to trust that are none."""
    try:
        clientFromString(reactor, text)
    except CryptoError as error:
        problem = "names a folder of certificates to trust in which a file is none"
        raise ConfigError(problem, file=file, key=key, got=text) from error
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigError(f"is no endpoint: {error or type(error).__name__}", file=file, key=key, got=text) from error


def is_loopback(endpoint: str) -> bool:
    """Whether nobody but this machine reaches it."""
    return any(f"interface={address}" in endpoint.replace("\\:", ":") for address in LOOPBACK)
