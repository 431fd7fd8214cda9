"""From a push to a registry that has the image, and a client that gets it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.builds import needs_makepkg
from tests.support.images import needs_buildah
from tests.support.local_builds import Described, LocalBuilds, Tiny
from tests.support.registry_service import Registry, needs_registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.world import World

pytestmark = [needs_buildah, needs_makepkg, needs_registry]

RECIPE = """recipe = "container"
version = "1.0"
needs = ["lib", "tool"]
platforms = ["linux/amd64", "linux/arm64"]
[arguments]
PLACE = "/all/"
"""
CONTAINERFILE = "FROM scratch\nARG PLACE\nCOPY .needs/ $PLACE\n"


def asked(host: str, name: str) -> dict[str, Any]:
    """What a client is told of an image."""
    words = ["skopeo", "inspect", "--tls-verify=false", f"docker://{host}/{name}"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    found = json.loads(subprocess.run(words, check=True, capture_output=True, env=environ).stdout)
    assert isinstance(found, dict)
    return found


def test_an_image_of_what_the_repository_builds_is_pushed(world: World, tmp_path: Path) -> None:
    tool = Described(name="tool", command="echo made >tool.txt", outputs=("tool.txt",))
    image = {
        "demo/.CI/recipe.toml": RECIPE,
        "demo/.CI/config": "CI_PKGBUILD_SOURCE=custom\n",
        "demo/Containerfile": CONTAINERFILE,
    }
    with Registry(tmp_path / "registry") as registry:
        local = LocalBuilds(world, Tiny(name="lib"), tool, CI_OCI_REGISTRY=f"http://{registry.host}/samples")
        local.schedule()
        world.push(image)
        local.schedule()
        result = local.build()
        assert result.status == 0, result.stdout + result.stderr
        assert local.states() == {"lib": "succeeded", "tool": "succeeded", "demo": "succeeded"}
        found = asked(registry.host, "samples/demo:1.0-1")
        assert found["Architecture"] == "amd64"
        world.run("schedule", "demo")
        local.build()
        assert local.states()["demo"] == "already built"
        world.push({"demo/.CI/recipe.toml": RECIPE.replace('"1.0"', '"1.1"')})
        local.schedule()
        assert local.build().status == 0
        assert asked(registry.host, "samples/demo:1.1-1")["Digest"] != found["Digest"]
