"""What an image is built on: images of registries, and those that this repository makes itself.

`FROM localhost/NAME` is the image of the folder NAME, where the image needs that one; nobody has it but this build.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.image_layout import parse_config_platform, parse_manifest
from ci_toolkit.formats.image_platform import parse_platform, platform_of
from ci_toolkit.recipes.container.base_images import BaseImages, WantedImage, sweep_images
from ci_toolkit.recipes.given_packages import other_files
from ci_toolkit.recipes.image_archive import EXTENSION, archived_platforms
from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.formats.containerfile import Containerfile, Span
    from ci_toolkit.formats.image_platform import ImagePlatform
    from ci_toolkit.formats.recipe_toml import RecipeFile
    from ci_toolkit.recipes.container.keys import ContainerKeys
    from ci_toolkit.recipes.recipe_run import RecipeRun

_OWN_HOST = "localhost"


class Base(NamedTuple):
    """One image that another is built on; one that is only copied from may be for any machine."""

    image: WantedImage
    is_copied: bool

    def own_name(self, file: RecipeFile) -> str | None:
        """The folder of this repository that makes it, None for others; UpstreamError where the owner lists it not."""
        reference = self.image.reference
        if reference.host != _OWN_HOST or reference.tag is not None or reference.digest is not None:
            return None
        if reference.repository not in {dependency_name(name) for name in file.needs}:
            hint = f'add "{reference.repository}" to needs'
            raise UpstreamError(f"{reference.name} is no image of a folder that it needs", hint=hint)
        return reference.repository


Bases = dict["ImagePlatform", dict["Span", Base]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """An image in a folder of skopeo's form, or in an archive of ours, and the name that the build has for it."""

    name: str
    path: Path
    platform: ImagePlatform

    def words(self, given: str) -> list[str]:
        """The program that loads it, where it sees it at `given`."""
        words = ["skopeo", "--insecure-policy", "--override-os=linux", f"--override-arch={self.platform.architecture}"]
        if self.platform.variant:
            words.append(f"--override-variant={self.platform.variant}")
        kind = "oci-archive" if self.path.name.endswith(EXTENSION) else "dir"
        return [*words, "copy", "--quiet", f"{kind}:{given}", f"containers-storage:{self.name}"]


def base_images(containerfile: Containerfile, keys: ContainerKeys, arguments: Mapping[str, str]) -> Bases:
    """What an image is built on for each platform, by the place in the Containerfile."""
    found: Bases = {one: {} for one in keys.platforms}
    for one in keys.platforms:
        for base in containerfile.base_images(keys.target, {**arguments, **platform_arguments(one)}):
            wanted = parse_platform(base.platform) if base.platform else one
            found[one][base.span] = Base(WantedImage(base.reference, wanted), base.is_copied)
    return found


def every_base(bases: Bases) -> list[Base]:
    """Each of them once, in an order that is always the same."""
    return sorted({base for one in bases.values() for base in one.values()}, key=str)


def platform_arguments(target: ImagePlatform) -> dict[str, str]:
    """The arguments that are there without being declared, by the names that all tools have for them."""
    sides = {"BUILD": platform_of(platform.machine()), "TARGET": target}
    return {
        f"{side}{name}": value
        for side, one in sides.items()
        for name, value in (
            ("PLATFORM", one.text),
            ("OS", "linux"),
            ("ARCH", one.architecture),
            ("VARIANT", one.variant),
        )
    }


def fetched_bases(run: RecipeRun, bases: Bases) -> dict[Base, Loadable]:
    """All of them, those of registries in a cache; UpstreamError or BuildEndedError when one cannot be had."""
    images, cache = BaseImages.of(run.tools.fetcher), run.tools.cache / "container"
    sweep_images(cache)
    found = {}
    for base in every_base(bases):
        own = base.own_name(run.file)
        found[base] = _fetched(run, base, images, cache) if own is None else _made_here(run, base, own)
    return found


def _fetched(run: RecipeRun, base: Base, images: BaseImages, cache: Path) -> Loadable:
    def fetch(words: Sequence[str], env: Mapping[str, str]) -> None:
        processes = run.tools.sandbox.processes
        ended = processes.stream(words, env=env, timeout_s=run.left_s, take=run.take, watch=run.watch)
        run.judge(ended, "skopeo")

    image = images.find(base.image)
    folder = images.fetch(image, cache, say=run.note, run=fetch)
    config = parse_manifest(image.manifest, file=image.pinned).config
    found = parse_config_platform((folder / config.hexadecimal).read_bytes(), file=image.pinned)
    _check(image.pinned, [found], base)
    return Loadable(name=image.pinned, path=folder, platform=base.image.platform)


def _made_here(run: RecipeRun, base: Base, own: str) -> Loadable:
    made = [path for path in other_files(run.request.dependencies).get(own, ()) if path.name.endswith(EXTENSION)]
    if len(made) != 1:
        raise UpstreamError(f"{own} made no image in this repository that others could be built on")
    wanted = base.image.platform
    name = f"{_OWN_HOST}/{own}:{wanted.text.replace('/', '-')}"
    _check(name, archived_platforms(made[0]), base)
    return Loadable(name=name, path=made[0], platform=wanted)


def _check(name: str, found: Sequence[tuple[str, str, str]], base: Base) -> None:
    """An image on one for another machine says that it is for a machine that cannot run it."""
    wanted = ("linux", base.image.platform.architecture)
    if not base.is_copied and wanted not in [one[:2] for one in found]:
        shown = ", ".join("/".join(part for part in one if part) for one in found)
        hint = "FROM --platform names the one that is wanted, platforms those that the image is for"
        raise UpstreamError(f"{name} is for {shown}, and {base.image.platform} was asked for", hint=hint)
