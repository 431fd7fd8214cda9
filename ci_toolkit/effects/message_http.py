"""HTTP to the services that messages go to: the owner's own choice, and some want secrets in their address.

So nothing of an address but its host is ever said, redirects are not followed, and what the libraries below log of such
a request is dropped. Each request is made once; who asks for it decides when it is repeated.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3

from ci_toolkit import __version__
from ci_toolkit.effects.http_trouble import trouble
from ci_toolkit.errors import ConfigError, NotifyError, shortened
from ci_toolkit.formats.service_url import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 15.0
_LIMIT_BYTES = 1 << 16
# A filter is for one logger, and for none below it.
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.response", "urllib3.util.retry")
_LIMITED_S = 60.0  # where a service does not say how long


def service_address(text: str, *, variable: str, may_be_plain: bool = False) -> str:
    """An address without a slash at its end; ConfigError, without the text, for what is none.

    What is sent there is secret unless it `may_be_plain`: then it is https, but for this machine itself.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.fragment or port == 0:
        raise ConfigError("is no address of a service", key=variable, hint="write https://host/path")
    if parts.scheme == "http" and not may_be_plain and not is_loopback(host):
        raise ConfigError("is not encrypted, and a token would be sent to it", key=variable, hint="write https://")
    return text.rstrip("/")


def send_message(
    method: str, url: str, body: bytes, *, headers: Mapping[str, str], secrets: tuple[str, ...] = ()
) -> Any:  # noqa: ANN401 - any JSON, for the caller to check
    """The JSON value of an answer of status 2xx, None where it is none; NotifyError for anything else."""
    host = urlsplit(url).hostname or ""
    try:
        with _unlogged(), _session() as session:
            status, content, answered = _exchange(session, method, url, body, headers)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        # Its own text, and that of its causes, has the address in it.
        raise NotifyError(f"{host} cannot be reached: {trouble(error)}") from None
    value = _value(content)
    if 200 <= status < 300:
        return value
    said = _said(value)
    for secret in secrets:
        said = said.replace(secret, "[hidden]")
    raise NotifyError(
        f"{host} answers {status}{f': {said}' if said else ''}",
        retry_after_s=_wait_s(status, answered, value),
    )


def _exchange(
    session: requests.Session, method: str, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes, Mapping[str, str]]:
    with session.request(
        method, url, data=body, headers=dict(headers), timeout=_TIMEOUT_S, allow_redirects=False, stream=True
    ) as response:
        return response.status_code, response.raw.read(_LIMIT_BYTES, decode_content=True), response.headers


@contextmanager
def _session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        # Without one of its own a session would send what ~/.netrc holds for a host.
        session.auth = lambda request: request
        session.headers.update({"User-Agent": f"ci-toolkit/{__version__}"})
        yield session


class _OfOtherThreads(logging.Filter):
    def __init__(self, thread: int) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


@contextmanager
def _unlogged() -> Iterator[None]:
    """What urllib3 logs of requests has their whole address, and some of it comes at level warning."""
    silence = _OfOtherThreads(threading.get_ident())
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(silence)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(silence)


def _value(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _said(value: object) -> str:
    """What Telegram (`description`), Matrix (`error`) and others say of a refusal."""
    if not isinstance(value, dict):
        return ""
    for name in ("description", "error", "message"):
        if isinstance(value.get(name), str):
            return shortened("".join(char if char.isprintable() else " " for char in value[name]), 200)
    return ""


def _wait_s(status: int, headers: Mapping[str, str], value: object) -> float | None:
    """How long a service wants to be left alone, where it says so: by header, or as Telegram and Matrix do."""
    if status not in (429, 503):
        return None
    if re.fullmatch("[0-9]{1,9}", headers.get("Retry-After", "")):
        return float(headers["Retry-After"])
    match value:
        case {"parameters": {"retry_after": int(seconds)}} if seconds >= 0:
            return float(seconds)
        case {"retry_after_ms": int(thousandths)} if thousandths >= 0:
            return thousandths / 1000
    return _LIMITED_S if status == 429 else None
