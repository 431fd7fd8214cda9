"""A farm's build service as a process that is killed: `python -m tests.support.served_grpc_farm FOLDER PORT`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.support.grpc_farm import grpc_farm
from tests.support.quiet_farm import QuietFarm

if __name__ == "__main__":
    with grpc_farm(QuietFarm(Path(sys.argv[1])), port=int(sys.argv[2])) as running:
        sys.stdout.write(f"{running.address}\n")
        sys.stdout.flush()
        threading.Event().wait()
