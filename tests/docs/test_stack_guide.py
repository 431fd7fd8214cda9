"""`docs/stack.md`: its commands give the example's farm, its plugin is rendered, and what there is is described."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.stack.alerts.farm_alerts import FARM_ALERTS
from ci_toolkit.stack.dashboards.farm_dashboards import FARM_PAGES
from ci_toolkit.stack.dashboards.service_dashboards import SERVICE_PAGES
from ci_toolkit.stack.deployment import Bundle
from ci_toolkit.stack.fragment_check import check_bundle
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.secret_files import core_secrets
from ci_toolkit.stack.validating.all_checks import all_checks
from ci_toolkit.stack.validating.check import Programs
from ci_toolkit.stack_fragments.spec import Setting, StackFragment
from tests.docs.render_examples import TOP, example
from tests.support.guides import DOCS, block, sh
from tests.support.stacks import STACK, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.stack_fragments.spec import Fragment

PAGE = "stack.md"
GUIDE = (DOCS / PAGE).read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, dict[str, str]]]:
    """The folder that the guide makes on a server, and what each of its blocks said."""
    # Not among pytest's folders: the path of gpg's socket may not be long.
    with tempfile.TemporaryDirectory(prefix="guide") as place:
        home, top = Path(place), Path(place) / "stack"
        (home / "certificates").mkdir()
        top.mkdir()
        said = {"certificates": sh(block(PAGE, "certificates"), home / "certificates")}
        try:
            for name in ("farm", "key", "places", "stack"):
                said[name] = sh(block(PAGE, name), top, HOME=place)
        finally:
            sh("gpgconf --kill all", home)
        yield top, said


def test_the_guide_leads_to_the_example_which_could_be_run(server: tuple[Path, dict[str, str]]) -> None:
    top, said = server
    assert "cert.pem: OK" in said["certificates"]
    assert (top / "stack.toml").read_bytes() == (TOP / "compose/stack.toml").read_bytes()
    farm = (top / "master/farm.toml").read_text().partition("\n[clients.")[0]
    assert farm == (TOP / "compose/master/farm.toml").read_text()
    assert {path: (top / path).read_bytes() for path in example("compose")} == example("compose")
    assert "worker big: class 9, 4 at once" in sh("ci-toolkit farm check master", top, HOME=str(top.parent))
    worker = tomllib.loads((top / "worker-one/worker.toml").read_text())
    assert worker == {"name": "one", "master": "tls:master:9989:trustRoots=/farm/trust", "metrics": "tcp:9990"}
    certificate = sh("openssl x509 -in master/tls/cert.pem -noout -ext subjectAltName", top)
    assert "DNS:master" in certificate
    assert (top / "worker-one/trust/ca.pem").read_bytes() == (top / "workers-ca.pem").read_bytes()
    for secret in ("master/tls/key.pem", "tls/key.pem", "master/secrets/signing-key.asc"):
        assert (top / secret).stat().st_mode & 0o777 == 0o600


def test_what_is_left_to_do_is_what_the_guide_says_next(server: tuple[Path, dict[str, str]]) -> None:
    top, said = server
    left = re.findall(r"^to do: (secrets/\S+) is missing", said["stack"], re.MULTILINE)
    assert left == re.findall(r"^    install -m 600 /dev/stdin (\S+)$", GUIDE, re.MULTILINE)
    for name in left:
        sh(f"install -m 600 /dev/stdin {name} <<<secret", top)
    sh("ci-toolkit stack render", top)
    status = sh("ci-toolkit stack status", top)
    assert "is missing" not in status
    command = re.search("^run by: (.*)$", status, re.MULTILINE)
    assert command is not None
    assert f"\n    {command[1]}\n" in GUIDE


def plugin() -> tuple[StackFragment, dict[str, Any]]:
    """The class of the guide, found as its entry point says, and its table in stack.toml."""
    found = re.search(r'stack_fragments"\]\nsearch = "farm_search:(\w+)"', GUIDE)
    assert found is not None
    module = ModuleType("farm_search")
    exec(compile(block(PAGE, "fragment"), "farm_search.py", "exec"), vars(module))
    table = tomllib.loads(block(PAGE, "fragment table"))["plugins"]["search"]
    made: StackFragment = getattr(module, found[1])()
    return made, table


@pytest.mark.parametrize("kind", ["", 'run_by = "systemd"\n'], ids=["compose", "systemd"])
def test_the_plugin_of_the_guide_is_rendered_and_holds(kind: str) -> None:
    search, table = plugin()
    assert search.fragment(Setting(farm_url="https://farm.example.org", options=None)) is None
    fragment: Fragment | None = search.fragment(Setting(farm_url="https://farm.example.org", options=table))
    assert fragment is not None
    check_bundle(Bundle(name=search.name, origin="farm-search 1.0", fragment=fragment))
    deployment = deployed(kind + STACK + block(PAGE, "fragment table"), search=fragment)
    outputs = rendered(deployment)
    files = {output.path: output.content.decode() for output in outputs}
    assert files["plugins/search/search.toml"].endswith('\nfarm = "https://farm.example.org"\nshards = 3\n')
    assert "SearchFails" in files["prometheus/rules/plugin-search.yml"]
    assert '"title": "Plugin search"' in files["grafana/dashboards/plugin-search.json"]
    assert "plugin_search" in files["plugins/search/seed.sql"]
    programs = Programs(processes=Processes(redactor=Redactor({})), environ=os.environ)
    faults = [(check.name, check.faults) for check in all_checks(deployment, outputs, programs) if check.faults]
    assert faults == []


def test_every_alert_is_described_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (critical|warning|info) \| ([^|]+) \|", GUIDE, re.MULTILINE)
    assert rows == [(alert.name, alert.severity, alert.lasting or "at once") for alert in FARM_ALERTS]


def test_every_dashboard_is_described_as_it_is() -> None:
    table = GUIDE.partition("| dashboard | what it shows |\n| --- | --- |\n")[2].partition("\n\n")[0]
    pages = (*FARM_PAGES, *SERVICE_PAGES)
    assert table.splitlines() == [f"| {page.title} | {page.description} |" for page in pages]


def test_every_secret_and_every_rendered_file_is_described() -> None:
    everything = """
        [prometheus]
        token = true
        [loki]
        storage = "s3"
        s3 = {endpoint = "https://s3.example.org", bucket = "logs"}
        [alerts]
        email = {to = "a@b", from = "c@d", smarthost = "e:25", username = "u"}
        telegram = {chat = 1}
        webhook = {url = "https://hooks.example.org/", token = true}
        """
    table = GUIDE.partition("\n## Secrets\n")[2].partition("\n## ")[0]
    assert [one.name for one in core_secrets(deployed(everything)) if f"| `{one.name}` |" not in table] == []
    table = GUIDE.partition("\n## What is rendered\n")[2].partition("\n## ")[0]
    described = tuple(re.findall(r"`([\w./-]+)`", table))
    for kind in ("compose", "systemd"):
        assert [path for path in example(kind) if not path.startswith(described)] == []


def test_no_link_of_the_pages_leads_nowhere() -> None:
    for page in ("stack.md", "farm.md"):
        for target in re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text()):
            file, _, anchor = target.partition("#")
            assert (DOCS / (file or page)).exists(), f"{page}: {target}"
            if anchor:
                assert anchor in _anchors((DOCS / (file or page)).read_text()), f"{page}: {target}"


def _anchors(text: str) -> set[str]:
    """Those of headings as GitHub and GitLab make them, and those that are written."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    named = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([^"]+)">', text))
