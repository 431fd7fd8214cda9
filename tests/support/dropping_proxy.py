"""A TCP proxy on loopback that can go silent: connections stay open, and nothing arrives any more."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress


class DroppingProxy:
    """Forwards to a port; after `cut` nothing more in either direction, until `mend`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_cut, self._is_over = threading.Event(), threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """As when a route is lost: no side is told."""
        self._is_cut.set()

    def mend(self) -> None:
        """New connections go through; those that were cut stay dead."""
        self._is_cut.clear()

    def close(self) -> None:
        """End it."""
        self._is_over.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._target)) as far:
            selector = selectors.DefaultSelector()
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            is_dead = False
            while not self._is_over.is_set():
                is_dead = is_dead or self._is_cut.is_set()
                if is_dead:
                    self._is_over.wait(0.1)
                    continue
                for key, _ in selector.select(0.1):
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # they are sockets
                    if not data:
                        return
                    if not self._is_cut.is_set():
                        key.data.sendall(data)
