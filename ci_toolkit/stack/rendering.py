"""Every file of a stack, from a deployment alone: no disk, no clock, no machine, and the same bytes every time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ci_toolkit.errors import RefusedError
from ci_toolkit.stack.containers.compose import compose_output
from ci_toolkit.stack.containers.environment import environment_outputs
from ci_toolkit.stack.containers.plugin_compose import plugin_compose_outputs
from ci_toolkit.stack.dashboards.grafana import grafana_outputs
from ci_toolkit.stack.dashboards.pages import dashboard_outputs
from ci_toolkit.stack.monitoring.alertmanager import alertmanager_outputs
from ci_toolkit.stack.monitoring.loki import loki_outputs
from ci_toolkit.stack.monitoring.prometheus import prometheus_outputs
from ci_toolkit.stack.plugin_files import plugin_outputs
from ci_toolkit.stack.proxy.nginx import nginx_outputs
from ci_toolkit.stack.units.units import systemd_outputs

if TYPE_CHECKING:
    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output


def rendered(deployment: Deployment) -> tuple[Output, ...]:
    """All of them by path; RefusedError when two would be the same file."""
    outputs = [
        *nginx_outputs(deployment),
        *prometheus_outputs(deployment),
        *alertmanager_outputs(deployment),
        *loki_outputs(deployment),
        *grafana_outputs(deployment),
        *dashboard_outputs(deployment),
        *plugin_outputs(deployment),
        *environment_outputs(deployment),
    ]
    if deployment.stack.is_composed:
        outputs += [compose_output(deployment, outputs), *plugin_compose_outputs(deployment)]
    else:
        outputs += systemd_outputs(deployment)
    paths = sorted(output.path for output in outputs)
    twice = [path for path, following in pairwise(paths) if path == following]
    if twice:
        raise RefusedError("would be rendered twice", key=twice[0])
    return tuple(sorted(outputs, key=lambda output: output.path))
