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
        self._left: int | None = None
        self._dropped = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """As when a route is lost: no side is told."""
        self._is_cut.set()

    def cut_after(self, count: int) -> None:
        """Likewise, once so many bytes more went through."""
        self._left = count

    @property
    def is_cut(self) -> bool:
        """Whether nothing goes through."""
        return self._is_cut.is_set()

    def mend(self) -> None:
        """New connections go through; those that were cut stay dead."""
        self._left = None
        self._is_cut.clear()

    def drop(self) -> None:
        """All connections that there are end, and new ones go through."""
        self._dropped += 1
        self.mend()

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
            is_dead, dropped = False, self._dropped
            while not self._is_over.is_set() and dropped == self._dropped:
                is_dead = is_dead or self._is_cut.is_set()
                if is_dead:
                    self._is_over.wait(0.1)
                    continue
                for key, _ in selector.select(0.1):
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # they are sockets
                    if not data:
                        return
                    self._count(len(data))
                    if not self._is_cut.is_set():
                        key.data.sendall(data)

    def _count(self, count: int) -> None:
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                self.cut()
