"""All checks of a stack together: what stops them, and what is said of those that cannot be made."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import MachineError
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.validating.all_checks import all_checks
from ci_toolkit.stack.validating.check import Programs
from tests.support.stacks import deployed

if TYPE_CHECKING:
    from pathlib import Path


def programs(path: Path) -> Programs:
    """Those in a folder come first."""
    return Programs(processes=Processes(redactor=Redactor({})), environ={"PATH": f"{path}:/usr/bin:/bin"})


def test_a_program_that_cannot_be_started_is_said_and_is_no_fault_of_the_files(tmp_path: Path) -> None:
    broken = tmp_path / "check-jsonschema"
    broken.write_text("#!/nonexistent/python\n")
    broken.chmod(0o755)
    [check] = [
        check
        for check in all_checks(deployed(), rendered(deployed()), programs(tmp_path))
        if check.name == "check-jsonschema (compose files)"
    ]
    assert (check.faults, "cannot be started: No such file" in check.missing) == ((), True)


def test_a_copy_that_cannot_be_written_is_named_with_what_helps(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(
            MachineError, match=r"cannot be written, which is a copy to check: File too large \(nothing"
        ):
            tuple(all_checks(deployed(), rendered(deployed()), programs(tmp_path)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
