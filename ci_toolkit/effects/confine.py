"""A launcher: cuts the network off by a system call filter, then becomes the program that is named in its arguments.

For machines where no network namespace can be made (containers without privileges): every socket family but AF_UNIX is
refused. Runs as a file of its own with the standard library alone. Sources: seccomp(2), linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000 | 13  # EACCES
_AF_UNIX = 1
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32_BIT = 0x40000000
# machine: audit architecture, number of socket(2), number of io_uring_setup(2), which makes sockets without socket(2)
_MACHINES = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}


class _Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def network_filter(machine: str) -> bytes | None:
    """The filter for a machine as instructions of classic BPF; None for a machine whose calls are not known here."""
    if machine not in _MACHINES:
        return None
    architecture, socket_call, ring_call = _MACHINES[machine]
    # Jumps are relative: (if true, if false) instructions are skipped.
    instructions = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 4, 0, _X32_BIT),
        (_EQUAL, 3, 0, ring_call),
        (_EQUAL, 0, 3, socket_call),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def cut_network() -> None:
    """Apply the filter to this process and all it becomes or starts; OSError where the system does not allow it."""
    code = network_filter(platform.machine())
    if code is None:
        raise OSError(f"no filter is known for {platform.machine()}")
    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    refused = library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    refused = refused or library.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    if refused:
        raise OSError(ctypes.get_errno(), "the network cannot be cut off")


if __name__ == "__main__":
    cut_network()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - that is its purpose
