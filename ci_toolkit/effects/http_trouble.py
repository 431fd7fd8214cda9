"""What goes wrong with HTTP, in few words, and how long a server wants to be left alone."""

from __future__ import annotations

import random
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests
import urllib3

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = re.compile("[0-9]{1,9}")


class WithoutRedirects(requests.Session):
    """A session that leaves redirects alone: it would read, and unpack, the whole body of one before giving it away."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none."""


def trouble(error: Exception) -> str:
    """A short form of what `requests` says, whose own texts nest five exceptions deep."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not accepted"
        case requests.exceptions.ProxyError():
            return "the proxy does not let us through"
        case requests.Timeout() | urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case requests.exceptions.ChunkedEncodingError() | urllib3.exceptions.ProtocolError():
            return "the answer was cut off"
        case requests.exceptions.ContentDecodingError() | urllib3.exceptions.DecodeError():
            return "the answer cannot be unpacked"
        case requests.ConnectionError():
            # Reading a body in time is reported as a lost connection, too.
            return "no answer in time" if "timed out" in str(error) else "no connection"
        case _:
            return type(error).__name__


def growing_wait_s(backoff_s: float, attempt: int) -> float:
    """How many seconds to wait behind an attempt, counted from 1: twice as long each time, and never just as others."""
    return backoff_s * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """How many seconds a server wants to be left alone, by its `Retry-After`; None where it does not say.

    `now_s` are seconds since 1970, as it may say a date. Source: RFC 9110, 10.2.3.
    """
    text = headers.get("Retry-After", "")
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (TypeError, ValueError, OverflowError):
        return None
