"""From a push to a registry: what a command makes is there, and a registry that is away costs no build."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import requests

from ci_toolkit.errors import PublishError
from tests.support.local_builds import LocalBuilds
from tests.support.registry_service import PASSWORD, USER, Registry, RegistryFront, needs_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.world import World

pytestmark = needs_registry

RECIPE = 'version = "1.0"\ncommand = "echo made >tool"\noutputs = ["tool"]\npublish = "oci"\n'


@pytest.fixture
def front(tmp_path: Path) -> Iterator[RegistryFront]:
    with Registry(tmp_path / "registry") as registry, RegistryFront(registry, issues_tokens=True) as front:
        yield front


def test_a_build_waits_for_its_registry_and_is_not_made_again(world: World, front: RegistryFront) -> None:
    local = LocalBuilds(world, CI_OCI_REGISTRY=f"{front.host}/mine")
    world.push({"tool/.CI/recipe.toml": RECIPE, "tool/.CI/config": "CI_PKGBUILD_SOURCE=custom\n"})
    local.schedule()
    secrets = {"CI_OCI_USER": USER, "CI_OCI_PASSWORD": PASSWORD}
    front.fail(".*", 503, headers={"Retry-After": "86400"})
    result = local.build(**secrets)
    assert result.status == PublishError.exit_status
    assert local.states() == {"tool": "publishing"}
    reason = local.jobs()["tool"]["reason"]
    assert reason.startswith("it is built, and oci cannot take it: ")
    assert f"{front.host}/mine answers 503 (the next run tries it again)" in reason
    # A password that is wrong is the fault of no package either.
    front.faults.clear()
    front.fail("GET /token", 401)
    assert local.build(**secrets).status == PublishError.exit_status
    assert "does not let us push: 401" in local.jobs()["tool"]["reason"]
    front.faults.clear()
    result = local.build(**secrets)
    assert result.status == 0, result.stderr
    assert local.states() == {"tool": "succeeded"}
    assert len(local.steps("tool")) == len(("queued", "building", "publishing", "succeeded"))
    accepted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = requests.get(
        f"http://{front.registry.host}/v2/mine/tool/manifests/latest", headers=accepted, timeout=10
    ).json()
    assert manifest["layers"][0]["digest"] == f"sha256:{hashlib.sha256(b'made' + bytes([10])).hexdigest()}"
    assert PASSWORD not in result.stdout + result.stderr + str(local.jobs())
