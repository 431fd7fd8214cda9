"""The part of the story about folders that are no PKGBUILD: plain files, an image, and what Nix builds."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.registry_service import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.demo.__main__ import Story

# What each recipe needs beside the tools for packages: one of the programs of every line.
_NEEDED = {
    "command": (),
    "container": (("buildah", "podman"), ("skopeo",), ("docker-registry",)),
    "nix": (("nix",), ("nix-store",)),
}
_RECIPE = re.compile(rb'^recipe = "([a-z]+)"', re.MULTILINE)


class RecipeSteps:
    """Tells of each recipe whose tools are here; folders of the others are left out of the story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.missing = {recipe: found for recipe in _NEEDED if (found := _missing(recipe))}
        self.places = story.folder / "home/.local/share/ci-toolkit/builds/samples/places"

    def chosen(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files of the package repository without folders that cannot be built here, which is said."""
        left_out = {}
        for path, content in files.items():
            folder, _, rest = path.partition("/")
            found = _RECIPE.search(content) if rest == ".CI/recipe.toml" else None
            if found and found[1].decode() in self.missing:
                left_out[folder] = found[1].decode()
        for folder, recipe in left_out.items():
            missing = ", ".join(self.missing[recipe])
            print(f"   {folder} is left out, as {missing} is not installed; README says what to install")
        return {path: content for path, content in files.items() if path.partition("/")[0] not in left_out}

    @contextmanager
    def served(self) -> Iterator[None]:
        """A registry of images for as long as the story lasts, where images can be built."""
        if "container" in self.missing:
            yield
            return
        with Registry(self.story.folder / "registry") as registry:
            self.story.env["CI_OCI_REGISTRY"] = f"{registry.host}/samples"
            yield

    def make_keys(self) -> None:
        """The one that signs what goes into a binary cache of Nix."""
        if "nix" not in self.missing:
            self.story.toolkit("publish", "nix-key", "samples-1")

    def published(self) -> None:
        """Where everything went that is no package of pacman's."""
        story = self.story
        story.step("What is no package was built like one, behind what it needs, and went to places of its own.")
        folder = self._shown(self.places / "directory/current")
        story.call(
            "sh",
            "-c",
            f"cd {folder} && ls */latest/* && sha256sum --check --quiet SHA256SUMS && echo all sums are right",
        )
        if "container" not in self.missing:
            registry = story.env["CI_OCI_REGISTRY"]
            story.call("skopeo", "list-tags", "--tls-verify=false", f"docker://{registry}/leap-image")
        if "nix" not in self.missing:
            self._copy_from_cache(self.places / "nix_cache/cache")

    def _copy_from_cache(self, cache: Path) -> None:
        """As any client of the cache does, which trusts its key alone."""
        key = (cache / "public-key").read_text().strip()
        texts = (path.read_text() for path in cache.glob("*.narinfo"))
        made = next(text.split()[1] for text in texts if "hello-nix" in text.splitlines()[0])
        store = self.story.folder / "nix"
        words = ("nix", "--extra-experimental-features", "nix-command", "--option", "trusted-public-keys", key)
        self.story.call(*words, "copy", "--from", f"file://{cache}", "--to", str(store), made)
        self.story.call("cat", f"{store}{made}/bin/hello")

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self.story.packages)


def _missing(recipe: str) -> list[str]:
    return [programs[0] for programs in _NEEDED[recipe] if not any(map(shutil.which, programs))]
