"""docker-compose.yml: what runs, what it may do, and how plugins come in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ci_toolkit.stack.rendering import rendered
from tests.support.stack_plugins import FINDER, HOARD, PLUGINS, SEALER
from tests.support.stacks import FARM, STACK, deployed_with

if TYPE_CHECKING:
    from ci_toolkit.stack_fragments.spec import Fragment


def composed(stack: str = STACK, farm: str = FARM, /, **plugins: Fragment) -> dict[str, Any]:
    """Every service of all compose files."""
    services: dict[str, Any] = {}
    for output in rendered(deployed_with(plugins, stack=stack, farm=farm)):
        if output.path.endswith("compose.yml"):
            services |= yaml.safe_load(output.content)["services"]
    return services


def test_every_service_is_pinned_limited_restarted_and_looked_after() -> None:
    for name, service in composed(**PLUGINS).items():
        assert re.search(r":[^:/]*\d|:local$|@sha256:", service["image"]), name
        assert service["restart"] in ("unless-stopped", "on-failure"), name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "healthcheck" in service or "build" in service or name.endswith("-seed"), name
        assert "mem_limit" in service or name.startswith("worker-"), name
        assert service["logging"]["options"]["max-size"], name


def test_redis_is_there_when_somebody_needs_it() -> None:
    assert "redis" not in composed(finder=FINDER)
    with_hoard = composed(hoard=HOARD)
    assert with_hoard["hoard"]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert with_hoard["hoard"]["secrets"] == ["hoard-redis-password"]


def test_the_url_of_a_plugin_is_told_where_it_is_there_and_nowhere_else() -> None:
    assert "environment" not in composed(sealer=SEALER)["sealer"]
    assert "environment" not in composed(sealer=SEALER)["master"]
    both = composed(sealer=SEALER, finder=FINDER)
    assert both["sealer"]["environment"] == {"PLUGIN_FINDER_INTERNAL_URL": "http://finder:8080"}
    assert both["master"]["environment"] == {"PLUGIN_FINDER_INTERNAL_URL": "http://finder:8080"}
    assert both["finder"]["environment"] == {"LOG_LEVEL": "info"}


def test_a_sidecar_shares_the_network_of_its_service() -> None:
    assert composed(sealer=SEALER)["sealer"]["network_mode"] == "service:farm"


def test_master_and_proxy_find_each_other_again_when_one_of_them_is_begun_anew() -> None:
    services = composed()
    assert {services[name]["network_mode"] for name in ("master", "proxy")} == {"service:farm"}
    assert services["farm"]["networks"]["default"]["aliases"] == ["master"]
    assert services["farm"]["ports"] == ["9989:9989", "80:80", "443:443"]
    assert not any("ports" in service for name, service in services.items() if name != "farm")


@pytest.mark.parametrize(
    ("grpc", "published"),
    [
        ('listen = "0.0.0.0:9190"\ncertificate = "tls/cert.pem"\nkey = "tls/key.pem"', ["9989:9989", "9190:9190"]),
        ('listen = "127.0.0.1:9190"', ["9989:9989"]),
    ],
)
def test_the_build_service_is_reached_by_others_unless_it_is_for_its_machine_alone(
    grpc: str, published: list[str]
) -> None:
    assert composed(STACK, f"{FARM}[grpc]\n{grpc}\n")["farm"]["ports"] == [*published, "80:80", "443:443"]


def test_compose_puts_no_variables_into_what_a_plugin_says() -> None:
    assert composed(finder=FINDER)["finder"]["command"] == ["serve", "--listen=:8080", "--cost=$$5"]


def test_no_secret_is_in_a_file_and_every_one_is_mounted_as_one() -> None:
    stack = (
        STACK
        + '[alerts]\ntelegram = {chat = 5}\nemail = {to = "a@b", from = "c@d", smarthost = "e:25", username = "u"}\n'
    )
    services = composed(stack, **PLUGINS)
    assert services["alertmanager"]["secrets"] == ["smtp-password", "telegram-token"]
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/database-password"
    assert services["sealer"]["secrets"] == ["sealer-pin", "sealer-seal"]


def test_a_service_begins_anew_when_its_configuration_is_another() -> None:
    before, after = composed(), composed(STACK + "[prometheus]\nscrape_seconds = 5\n")
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["prometheus", "grafana"]  # who shows no finer steps than there are


def test_limits_and_images_of_the_file_are_taken() -> None:
    text = '[limits.loki]\nmemory = "3g"\n[limits.finder]\ncpus = 0.1\n[images]\nloki = "example.org/loki:9.9.9"\n'
    services = composed(STACK + text, finder=FINDER)
    assert (services["loki"]["mem_limit"], services["loki"]["cpus"]) == ("3g", 1.0)
    assert services["loki"]["image"] == "example.org/loki:9.9.9"
    assert (services["finder"]["mem_limit"], services["finder"]["cpus"]) == ("256m", 0.1)


def test_a_folder_may_be_anywhere_on_the_machine() -> None:
    stack = """\
        farm = "/srv/farm"
        tls = "/etc/tls"
        repositories = "/srv/public"
        image = {build = "/usr/src/ci-toolkit"}
        workers = {one = {folder = "/srv/one"}}
        prometheus = {workers_ca = "/etc/ca.pem"}
        """
    services = composed(stack)
    assert services["master"]["build"]["context"] == "/usr/src/ci-toolkit"
    assert services["worker-one"]["env_file"][0]["path"] == "/srv/one.env"
    mounts = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {"/srv/farm", "/etc/tls", "/srv/public", "/srv/one", "/etc/ca.pem"} <= mounts


@pytest.mark.parametrize("word", ["compose_files = ['mine.yml']\n", ""])
def test_the_manifest_and_the_environment_list_compose_files_in_order(word: str) -> None:
    files = {output.path: output.content.decode() for output in rendered(deployed_with(PLUGINS, stack=word + STACK))}
    plugins = [f"plugins/{name}/compose.yml" for name in ("finder", "hoard", "ledger", "sealer")]
    expected = ["docker-compose.yml", *plugins, *(["mine.yml"] if word else [])]
    assert files["compose.manifest"].splitlines()[1:] == expected
    assert f"COMPOSE_FILE='{':'.join(expected)}'" in files[".env.computed"].splitlines()
    assert "PLUGIN_FINDER_INTERNAL_URL='http://finder:8080'" in files[".env.computed"].splitlines()


def test_a_folder_elsewhere_is_mounted_from_there() -> None:
    stack = """\
farm = "/srv/farm"
tls = "/etc/ssl/farm"
repositories = "../published"
image = { build = "/opt/ci-toolkit" }
prometheus = { workers_ca = "/etc/ssl/ca.pem" }
[workers.one]
folder = "/srv/one"
"""
    services = composed(stack)
    assert "/srv/farm:/farm" in services["master"]["volumes"]
    assert "./../published:/srv/repositories" in services["master"]["volumes"]
    assert "/etc/ssl/farm:/etc/nginx/tls:ro" in services["proxy"]["volumes"]
    assert "/etc/ssl/ca.pem:/etc/ssl/farm-workers-ca.pem:ro" in services["prometheus"]["volumes"]
    assert services["worker-one"]["volumes"] == ["/srv/one:/farm"]
    assert services["worker-one"]["env_file"] == [{"path": "/srv/one.env", "required": False}]
    assert services["master"]["build"]["context"] == "/opt/ci-toolkit"
