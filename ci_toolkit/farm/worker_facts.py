"""What a worker tells of itself when it connects and whenever it is asked: a small JSON file among Buildbot's own.

{"form": 1, "version": "0.1.0", "machine": "x86_64, 8 processors, 31 GiB", "root": "host:…",
 "program": ["python3", "-m", "ci_toolkit"]}
"""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from ci_toolkit import __version__
from ci_toolkit.farm.handed_build import FORM
from ci_toolkit.farm.worker_pool import WorkerFacts
from ci_toolkit.model.root_identity import RootIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

INFO_FILE = "ci-toolkit"
_LONGEST = 200


def own_facts(root: RootIdentity) -> bytes:
    """The file of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    record = {
        "form": FORM,
        "version": __version__,
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} processors, {memory:.0f} GiB",
        "root": root,
        "program": [sys.executable, "-m", "ci_toolkit"],
    }
    return json.dumps(record).encode() + b"\n"


def parse_facts(info: Mapping[str, Any]) -> WorkerFacts:
    """What a worker says, of what Buildbot knows of it; unfit when it is none of ours or of another form."""
    try:
        record = json.loads(info[INFO_FILE])
        form, version = int(record["form"]), _line(record["version"])
    except (KeyError, ValueError, TypeError, RecursionError):
        return WorkerFacts(fault="it is no worker of ci-toolkit: start it with ci-toolkit farm worker run")
    if form != FORM:
        older = "the worker" if form < FORM else "the master"
        fault = f"ci-toolkit {version} there and {__version__} here do not understand each other: update {older}"
        return WorkerFacts(version=version, fault=fault)
    if _line(record.get("machine", "")).partition(",")[0] != platform.machine():
        return WorkerFacts(version=version, fault=f"it is a {_line(record.get('machine', ''))}, and this is not")
    try:
        return WorkerFacts(
            version=version,
            machine=_line(record["machine"]),
            root=RootIdentity(_line(record["root"])),
            program=tuple(map(_line, record["program"])),
        )
    except (KeyError, TypeError) as error:
        return WorkerFacts(version=version, fault=f"what it says of itself is incomplete: {error}")


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST:
        raise TypeError(value)
    return value
