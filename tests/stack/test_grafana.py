"""What Grafana is given when it starts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from ci_toolkit.stack.dashboards.grafana import DATASOURCES, grafana_outputs
from ci_toolkit.stack.dashboards.pages import DASHBOARDS
from ci_toolkit.stack.rendering import rendered
from tests.support.stacks import FARM, STACK, deployed

SYSTEMD = 'run_by = "systemd"\ninstalled_at = "/opt/farm/stack"\n'


def given(stack: str = STACK) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The datasources by uid, and the provider of dashboards."""
    files = {output.path: yaml.safe_load(output.content) for output in grafana_outputs(deployed(stack))}
    (provider,) = files["grafana/provisioning/dashboards/stack.yml"]["providers"]
    return {source["uid"]: source for source in files[DATASOURCES]["datasources"]}, provider


def test_each_part_is_found_by_the_others_names_in_containers() -> None:
    sources, provider = given()
    assert {uid: (source["type"], source["url"]) for uid, source in sources.items()} == {
        "prometheus": ("prometheus", "http://prometheus:9090"),
        "loki": ("loki", "http://loki:3100"),
        "alertmanager": ("alertmanager", "http://alertmanager:9093"),
    }
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


def test_each_part_is_on_this_machine_without_containers() -> None:
    sources, provider = given(SYSTEMD + STACK)
    assert sources["loki"]["url"] == "http://127.0.0.1:3100"
    assert provider["options"]["path"] == f"/opt/farm/stack/{DASHBOARDS}"


def test_logs_are_asked_for_in_the_name_of_a_tenant_and_each_further_one_has_a_source() -> None:
    sources, _ = given(STACK + '[loki]\ntenants = ["ours", "guests", "a.b"]\n')
    tenants = {
        uid: (source["jsonData"]["httpHeaderName1"], source["secureJsonData"]["httpHeaderValue1"])
        for uid, source in sources.items()
        if source["type"] == "loki"
    }
    assert list(tenants.values()) == [("X-Scope-OrgID", name) for name in ("ours", "guests", "a.b")]
    assert list(tenants)[:2] == ["loki", "loki-guests"]
    assert len({source["name"] for source in sources.values()}) == len(sources) == 5


def test_nothing_is_changed_in_a_browser_and_what_is_not_rendered_any_more_goes_away() -> None:
    sources, provider = given()
    assert not any(source["editable"] for source in sources.values())
    assert [uid for uid, source in sources.items() if source["isDefault"]] == ["prometheus"]
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is False
    (file,) = (yaml.safe_load(output.content) for output in grafana_outputs(deployed()) if output.path == DATASOURCES)
    assert file["prune"] is True


def test_graphs_know_how_often_prometheus_asks() -> None:
    sources, _ = given(STACK + "[prometheus]\nscrape_seconds = 7\n")
    assert sources["prometheus"]["jsonData"]["timeInterval"] == "7s"


@pytest.mark.parametrize("run_by", ["compose", "systemd"])
def test_the_overview_is_what_grafana_shows_first_and_links_lead_to_the_farms_own_port(run_by: str) -> None:
    farm = FARM.replace('url = "https://farm.example.org"', 'url = "https://farm.example.org:8443/farm"')
    stack = f'run_by = "{run_by}"\nfarm = "/var/lib/master"\n[workers.one]\nfolder = "/var/lib/one"\n'
    files = {output.path: output.content.decode() for output in rendered(deployed(stack, farm=farm))}
    [provider] = yaml.safe_load(files["grafana/provisioning/dashboards/stack.yml"])["providers"]
    told = files[
        {"compose": "docker-compose.yml"}.get(run_by, "systemd/grafana-server.service.d/ci-toolkit-stack.conf")
    ]
    home = re.search(r"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH[:=] ?(\S+)", told)
    assert home is not None
    assert home[1] == f"{provider['options']['path']}/farm.json"
    assert "grafana/dashboards/farm.json" in files
    assert "https://farm.example.org:8443/grafana/" in told
