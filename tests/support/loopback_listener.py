"""A service on loopback that nobody should reach: it greets and notes who comes."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_S = 0.05


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """Its port, and the addresses of those who came."""
    visits: list[str] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_LOOK_S)

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except OSError:
                    continue
                visits.append(str(address))
                connection.sendall(b"hello\n")
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], visits
        finally:
            over.set()
            thread.join()
