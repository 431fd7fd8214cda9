"""A lock that is held until a process ends, whatever that becomes and however it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.exclusive_lock import hold_to_the_end
from ci_toolkit.errors import NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

# It becomes another program, as the command does that begins a farm's master.
_HOLDER = """
import os, sys
from pathlib import Path
from ci_toolkit.effects.exclusive_lock import hold_to_the_end
hold_to_the_end(Path(sys.argv[1]), who="farm master run")
os.execv("/bin/sh", ["sh", "-c", "echo held; exec sleep 60"])
"""


def test_another_program_still_holds_it_and_a_killed_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "farm/lock"
    with subprocess.Popen((sys.executable, "-c", _HOLDER, str(path)), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(NotReadyError, match=rf"is used by process {holder.pid} \(farm master run\)"):
                hold_to_the_end(path, who="another")
        finally:
            holder.kill()
    code = _HOLDER.replace("exec sleep 60", "exit")
    again = subprocess.run((sys.executable, "-c", code, str(path)), capture_output=True, check=True)
    assert again.stdout == b"held\n"
