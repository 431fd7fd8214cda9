"""A story that is killed at every one of its boundaries: `python -m tests.support.killed_everywhere MODULE FOLDER`.

MODULE has a function `story(folder, boundaries)`, which crosses boundaries where something is written. For every number
there is a copy of FOLDER/before in FOLDER/NUMBER, in which a process of its own lived the story and was killed with
SIGKILL at that boundary; in the last one it lived to its end. A fork costs a few milliseconds, a new Python 200.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path

from tests.support.killable import Boundaries


def main() -> int:
    """Tell the story again and again, killed a little later every time."""
    story, top = import_module(sys.argv[1]).story, Path(sys.argv[2])
    for number in itertools.count(1):
        shutil.copytree(top / "before", top / str(number), symlinks=True)
        child = os.fork()
        if not child:
            try:
                story(top / str(number), Boundaries(number))
            except BaseException:  # noqa: BLE001 - this process is a copy, and nothing of it may go on
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
        if os.WTERMSIG(status) != signal.SIGKILL:
            return 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
