"""What the master tells systemd where that has begun it, so that `systemctl start` fails when it cannot serve.

Source of the protocol: sd_notify(3). A name that begins with `@` is one of Linux's abstract sockets.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_SOCKET = "NOTIFY_SOCKET"


def tell_ready(environ: Mapping[str, str], status: str) -> None:
    """Say that schedules are taken, and a line for `systemctl status`; nothing where nobody wants to know."""
    address = environ.get(_SOCKET, "")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.connect(name)
            manager.sendall(f"READY=1\nSTATUS={status}\n".encode())
    except OSError as error:  # it serves nevertheless; systemd will end it if it insists
        log.warning("the service manager at %s cannot be told that the farm is ready: %s", address, error)
