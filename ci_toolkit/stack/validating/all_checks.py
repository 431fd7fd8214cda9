"""Every check of a rendered stack, before any of it is written to its place."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError
from ci_toolkit.stack.validating.amtool import check_alertmanager
from ci_toolkit.stack.validating.check import Check
from ci_toolkit.stack.validating.compose_check import check_compose
from ci_toolkit.stack.validating.dashboards import dashboard_faults
from ci_toolkit.stack.validating.dockerfiles import dockerfile_faults
from ci_toolkit.stack.validating.metrics_named import metric_faults
from ci_toolkit.stack.validating.names import name_faults
from ci_toolkit.stack.validating.nginx_check import check_nginx
from ci_toolkit.stack.validating.promtool import check_prometheus
from ci_toolkit.stack.validating.references import reference_faults
from ci_toolkit.stack.validating.systemd_check import check_systemd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack.validating.check import Programs

    ProgramCheck = Callable[[Path, Deployment, Programs], Iterator[Check]]

_BY_PROGRAMS = (check_compose, check_prometheus, check_alertmanager, check_nginx, check_systemd)


def all_checks(deployment: Deployment, outputs: Sequence[Output], programs: Programs) -> Iterator[Check]:
    """What each has found; the programs are asked about copies in a folder that is removed again."""
    yield from pure_checks(deployment, outputs)
    if not _BY_PROGRAMS:
        return
    # Each has a copy of its own to change, so that all of it takes as long as the slowest.
    with ThreadPoolExecutor(len(_BY_PROGRAMS)) as pool:
        for found in pool.map(lambda check: _asked(check, deployment, outputs, programs), _BY_PROGRAMS):
            yield from found


def _asked(
    check: ProgramCheck, deployment: Deployment, outputs: Sequence[Output], programs: Programs
) -> tuple[Check, ...]:
    with tempfile.TemporaryDirectory(prefix="ci-toolkit-stack-") as place:
        folder = Path(place)
        _copy(outputs, folder)
        return tuple(check(folder, deployment, programs))


def _copy(outputs: Sequence[Output], folder: Path) -> None:
    for output in outputs:
        path = folder / output.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(output.content)
        except OSError as error:
            problem = f"cannot be written, which is a copy to check: {error.strerror or error}"
            hint = "nothing was written to the stack; TMPDIR names another place for copies"
            raise MachineError(problem, key=str(path), hint=hint) from error


def pure_checks(deployment: Deployment, outputs: Sequence[Output]) -> Iterator[Check]:
    """What can be found out without asking anybody."""
    for name, faults in (
        ("names and ports are unique", name_faults(deployment, outputs)),
        ("what files name of each other is there", reference_faults(deployment, outputs)),
        ("metrics that are named exist", metric_faults(deployment, outputs)),
        ("dashboards hold together", dashboard_faults(outputs)),
        ("Dockerfiles have a HEALTHCHECK", dockerfile_faults(outputs)),
    ):
        yield Check(name=name, faults=tuple(faults))
