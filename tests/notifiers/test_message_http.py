"""The door that messages leave by: no address is ever said, and nothing is followed."""

from __future__ import annotations

import socket
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.message_http import send_message, service_address
from ci_toolkit.errors import ConfigError, NotifyError
from tests.support.message_services import WebhookService

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-in-the-path"


@contextmanager
def answering(content: bytes) -> Iterator[str]:
    """A server that says these bytes to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(content)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{CANARY}"
        thread.join(5)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 404 Not Found\r\nno header: x\r\n\tx\r\n y\r\n: z\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\n{",
        b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnogzi",
        b"",
    ],
    ids=["headers that are none", "no HTTP", "a redirect", "cut off", "not packed", "nothing"],
)
def test_whatever_a_server_answers_its_address_is_not_said(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with answering(content) as url, pytest.raises(NotifyError) as caught:
        send_message("POST", url, b"{}", headers={}, secrets=(CANARY,))
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert CANARY not in said
    assert str(caught.value).startswith("127.0.0.1 ")


def test_nobody_there_and_a_date_to_wait_for() -> None:
    with pytest.raises(NotifyError, match=r"^127\.0\.0\.1 cannot be reached: no connection$"):
        send_message("POST", f"http://127.0.0.1:9/{CANARY}", b"{}", headers={})
    with WebhookService() as service:
        service.fail(".*", 429, headers={"Retry-After": "soon"})
        with pytest.raises(NotifyError) as caught:
            send_message("POST", service.url, b"{}", headers={})
    assert caught.value.retry_after_s == 60.0


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/x",
        "ftp://example.org",
        "https://user:canary@example.org",
        "canary",
        "https://[::1",
        "https://",
    ],
)
def test_addresses_that_tokens_must_not_go_to_are_refused_without_being_said(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        service_address(address, variable="CI_NOTIFY_MATRIX_URL")
    assert caught.value.key == "CI_NOTIFY_MATRIX_URL"
    assert "canary" not in str(caught.value)


def test_this_machine_itself_and_what_is_no_secret_may_be_plain() -> None:
    assert service_address("http://localhost:8081/", variable="X") == "http://localhost:8081"
    assert service_address("http://bot.example.org/x", variable="X", may_be_plain=True) == "http://bot.example.org/x"
