"""Text that a server sends bit by bit, such as a log that still grows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3

from ci_toolkit import __version__
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT_TIMEOUT_S = 10.0
_CHUNK = 1 << 16


class SilenceError(UpstreamError):
    """Nothing came for as long as was waited."""


class CutError(UpstreamError):
    """There is no connection, or it ended before the text did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStream:
    """An answer: its status, and its body as it comes."""

    status: int
    chunks: Iterator[bytes]


@contextmanager
def opened_stream(url: str, *, silence_s: float) -> Iterator[TextStream]:
    """GET a URL. Redirects are answers; a body that is no plain text, or is packed, is an UpstreamError.

    SilenceError, here or from the chunks, when nothing comes for `silence_s`; CutError for a connection that breaks.
    """
    where = f"{urlsplit(url).netloc}{urlsplit(url).path}"
    headers = {"User-Agent": f"ci-toolkit/{__version__}", "Accept-Encoding": "identity", "Accept": "text/plain"}
    with requests.Session() as session:
        # Without one of its own a session would send what ~/.netrc holds for a host to that host.
        session.auth = _no_credentials
        timeout = (_CONNECT_TIMEOUT_S, silence_s)
        try:
            response = session.get(url, headers=headers, timeout=timeout, allow_redirects=False, stream=True)
        except requests.ReadTimeout as error:
            raise SilenceError(f"{where} does not answer") from error
        except requests.RequestException as error:
            raise CutError(f"{where} cannot be reached") from error
        with response:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            packed = response.headers.get("Content-Encoding", "identity").lower() != "identity"
            if response.status_code == requests.codes.ok and (kind != "text/plain" or packed):
                raise UpstreamError(f"{where} answers with something else than plain text", got=kind)
            yield TextStream(status=response.status_code, chunks=_chunks(response, where))


def _chunks(response: requests.Response, where: str) -> Iterator[bytes]:
    try:
        yield from response.raw.stream(_CHUNK, decode_content=False)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise SilenceError(f"{where} says nothing more") from error
    except urllib3.exceptions.HTTPError as error:
        raise CutError(f"{where} was cut off") from error


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
