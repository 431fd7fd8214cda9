"""From a push to what clients of Nix get, for folders that are built with Nix and need each other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from ci_toolkit.errors import PublishError
from ci_toolkit.formats.image_layout import MANIFEST_TYPE
from ci_toolkit.formats.nix_signatures import parse_public_key
from tests.support.builds import needs_makepkg
from tests.support.local_builds import LocalBuilds, Tiny
from tests.support.nix_caches import check_cache, files_of
from tests.support.nix_store import needs_nix
from tests.support.registry_service import Registry, needs_registry

if TYPE_CHECKING:
    from tests.support.world import World

pytestmark = [needs_makepkg, needs_nix]

SAMPLE = Path(__file__).parents[2] / "sample-pkgbuilds/hello-nix"
HEAD = 'recipe = "nix"\nversion = "1.0"\n'
LINKS = 'needs = ["hello-nix"]\ntemplate = "links"\nparameters = { links = { "bin/again" = "hello-nix/bin/hello" } }\n'


def test_the_sample_is_published_with_what_is_made_of_it(world: World, tmp_path: Path) -> None:
    local = LocalBuilds(world, Tiny(name="lib"))
    local.schedule()
    sample = {f"hello-nix/{path.relative_to(SAMPLE)}": path.read_text() for path in SAMPLE.rglob("*") if path.is_file()}
    world.push({**sample, "again/.CI/config": "CI_PKGBUILD_SOURCE=custom\n", "again/.CI/recipe.toml": HEAD + LINKS})
    local.schedule()

    # Without a key nothing is published there, and everything elsewhere.
    result = local.build()
    assert result.status == PublishError.exit_status, result.stderr
    assert "publish nix-key" in result.stderr
    assert local.published() == {"lib": "1.0-1"}

    made = world.run("publish", "nix-key", "samples-1")
    assert made.stdout.startswith("samples-1:")
    result = local.build()
    assert result.status == 0, result.stdout + result.stderr
    assert local.states() == {"lib": "succeeded", "hello-nix": "succeeded", "again": "succeeded"}
    cache = local.top / "places/nix_cache/cache"
    found = check_cache(files_of(cache), parse_public_key(made.stdout))
    assert found.keys() == {"hello-nix-1.0", "again-1.0", "people.txt"}
    assert found["again-1.0"].references == (found["hello-nix-1.0"].path,)

    # What a client gets runs there.
    store = tmp_path / "client"
    (tmp_path / "nix.conf").write_text(
        f"build-users-group =\nexperimental-features = nix-command\ntrusted-public-keys = {made.stdout}"
    )
    words = ["nix", "--store", str(store), "copy", "--from", f"file://{cache}", str(found["again-1.0"].path)]
    env = {**world.env, "NIX_CONF_DIR": str(tmp_path)}
    subprocess.run(words, env=env, check=True, capture_output=True)
    script = (store / str(found["hello-nix-1.0"].path)[1:] / "bin/hello").read_text()
    assert "Hello, $person!" in script

    # The same again is not built.
    world.run("schedule", "hello-nix")
    assert local.build().status == 0
    assert local.states()["hello-nix"] == "already built"

    # A folder that is gone leaves; what it made is kept for going back.
    world.push({}, remove=("again",))
    local.schedule()
    assert local.build().status == 0
    ledger = json.loads((cache.parent / "ledger.json").read_text())
    assert [package["name"] for package in ledger["packages"]] == ["hello-nix"]
    assert [package["name"] for package in ledger["retired"]] == ["again"]


@needs_registry
def test_a_closure_goes_as_an_image_to_a_registry(world: World, tmp_path: Path) -> None:
    with Registry(tmp_path / "registry") as registry:
        local = LocalBuilds(world, CI_OCI_REGISTRY=f"{registry.host}/mine")
        sample = {f"hello-nix/{path.name}": path.read_text() for path in SAMPLE.iterdir() if path.is_file()}
        recipe = (SAMPLE / ".CI/recipe.toml").read_text() + 'image = true\nentrypoint = ["bin/hello"]\n'
        config = "CI_PKGBUILD_SOURCE=custom\n"
        world.push({**sample, "hello-nix/.CI/recipe.toml": recipe, "hello-nix/.CI/config": config})
        local.schedule()
        result = local.build()
        assert result.status == 0, result.stdout + result.stderr
        manifest = requests.get(
            f"http://{registry.host}/v2/mine/hello-nix/manifests/1.0-1", headers={"Accept": MANIFEST_TYPE}, timeout=10
        ).json()
        blobs = f"http://{registry.host}/v2/mine/hello-nix/blobs"
        said = requests.get(f"{blobs}/{manifest['config']['digest']}", timeout=10).json()
    assert len(manifest["layers"]) == 2
    assert said["config"]["Entrypoint"][0].endswith("-hello-nix-1.0/bin/hello")
