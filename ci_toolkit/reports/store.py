"""What is wrong in a store of packages, for a person and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci_toolkit.store.store_reader import StoreFault


def check_text(faults: Sequence[StoreFault], *, count: int, size_bytes: int, mended: bool) -> str:
    """One line a fault, then what the store has."""
    lines = [f"{fault.sha256}  {fault.kind.value}" for fault in faults]
    if faults:
        done = "removed; what made them is built again when it is scheduled" if mended else "--mend removes them"
        lines.append(f"{len(faults)} {'object is' if len(faults) == 1 else 'objects are'} wrong: {done}")
    lines.append(f"{count} objects, {size_bytes / (1 << 20):,.1f} MiB")
    return "".join(f"{line}\n" for line in lines)


def check_json(faults: Sequence[StoreFault], *, count: int, size_bytes: int, mended: bool) -> str:
    """An object: faults, whether they were mended, and what the store has."""
    rows = [{"sha256": fault.sha256, "fault": fault.kind.value, "size": fault.size_bytes} for fault in faults]
    return json.dumps({"faults": rows, "mended": mended, "objects": count, "size": size_bytes}, indent=2) + "\n"
