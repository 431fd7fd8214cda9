"""What Grafana is given when it starts: where metrics, logs and alerts are, and where its dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_toolkit.stack.dashboards.pages import DASHBOARDS, TAG, dashboard_uid
from ci_toolkit.stack.output import yaml_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack.stack_file import Stack

HOME_PAGE = "farm.json"  # the overview, which Grafana shows first
DATASOURCES = "grafana/provisioning/datasources/stack.yml"
_PROVIDERS = "grafana/provisioning/dashboards/stack.yml"
_IN_CONTAINER = "/var/lib/grafana/dashboards"
_TENANT_HEADER = "X-Scope-OrgID"


def grafana_outputs(deployment: Deployment) -> Iterator[Output]:
    """Datasources, and the folder of dashboards."""
    # A datasource that is not listed any more, as of a tenant of before, goes away.
    yield yaml_output(DATASOURCES, {"apiVersion": 1, "prune": True, "datasources": list(_datasources(deployment))})
    yield yaml_output(_PROVIDERS, {"apiVersion": 1, "providers": [_provider(deployment)]})


def dashboards_at(stack: Stack) -> str:
    """The folder in which Grafana finds its dashboards."""
    return _IN_CONTAINER if stack.is_composed else f"{stack.installed_at}/{DASHBOARDS}"


def grafana_variables(deployment: Deployment) -> dict[str, str]:
    """Its settings, wherever it runs: where it is reached, who may look, and what it shows first."""
    return {
        "GF_SERVER_ROOT_URL": f"https://{deployment.authority}/grafana/",
        "GF_SERVER_SERVE_FROM_SUB_PATH": "true",
        "GF_AUTH_ANONYMOUS_ENABLED": str(deployment.stack.grafana_is_public).lower(),
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{dashboards_at(deployment.stack)}/{HOME_PAGE}",
    }


def _datasources(deployment: Deployment) -> Iterator[dict[str, Any]]:
    yield _datasource("Prometheus", "prometheus", deployment) | {
        "isDefault": True,
        # Grafana never looks back for less than four of these, so that each look finds two samples.
        "jsonData": {"httpMethod": "POST", "timeInterval": f"{deployment.stack.prometheus.scrape_seconds}s"},
    }
    first, *others = deployment.stack.loki.tenants
    yield _loki("Loki", "loki", first, deployment)
    for tenant in others:
        yield _loki(f"Loki: {tenant}", dashboard_uid(f"loki-{tenant}"), tenant, deployment)
    yield _datasource("Alertmanager", "alertmanager", deployment) | {
        "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
    }


def _datasource(name: str, kind: str, deployment: Deployment) -> dict[str, Any]:
    return {
        "name": name,
        "uid": kind,
        "type": kind,
        "access": "proxy",
        "orgId": 1,
        "url": f"http://{deployment.address(kind)}",
        "isDefault": False,
        "editable": False,
    }


def _loki(name: str, uid: str, tenant: str, deployment: Deployment) -> dict[str, Any]:
    # Grafana keeps the values of headers with the secrets, although a tenant's name is none.
    return _datasource(name, "loki", deployment) | {
        "uid": uid,
        "jsonData": {"httpHeaderName1": _TENANT_HEADER, "maxLines": 1000},
        "secureJsonData": {"httpHeaderValue1": tenant},
    }


def _provider(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": TAG,
        "orgId": 1,
        "type": "file",
        "folder": "Build farm",
        "folderUid": TAG,
        # Nobody deletes a provisioned dashboard in the browser either way. With true, Grafana would also keep the page
        # of a plugin that is gone.
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": dashboards_at(deployment.stack)},
    }
