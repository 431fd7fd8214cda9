"""How many builds this machine has room for at once."""

from __future__ import annotations

import os

_MEMORY_A_BUILD = 2 << 30


def build_slots(configured: int) -> int:
    """As configured; where that is 0, one a processor, as long as each has 2 GiB of memory."""
    if configured:
        return configured
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // _MEMORY_A_BUILD))
