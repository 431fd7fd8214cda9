"""One build of an image: arguments and base images first, then buildah or podman, then what they left."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci_toolkit.effects.container_root import CONTEXT, OUT, container_root
from ci_toolkit.effects.emulation import Emulation, emulation_of
from ci_toolkit.errors import MachineError, UpstreamError
from ci_toolkit.formats.image_platform import parse_platform
from ci_toolkit.recipes.build import Built, BuiltPackage
from ci_toolkit.recipes.built_packages import EXTENSION as PACKAGE_EXTENSION
from ci_toolkit.recipes.built_packages import package_info
from ci_toolkit.recipes.container.bases import base_images, fetched_bases, platform_arguments
from ci_toolkit.recipes.container.keys import build_arguments, parse_container_keys, read_containerfile
from ci_toolkit.recipes.described_folder import located_in_recipe_file
from ci_toolkit.recipes.given_packages import other_files
from ci_toolkit.recipes.image_archive import archive_name, laid_image, pack_images
from ci_toolkit.scheduling.dependencies import dependency_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.effects.container_root import ContainerRoot
    from ci_toolkit.formats.containerfile import Containerfile
    from ci_toolkit.formats.image_platform import ImagePlatform
    from ci_toolkit.formats.recipe_toml import RecipeFile
    from ci_toolkit.recipes.container.keys import ContainerKeys
    from ci_toolkit.recipes.image_archive import LaidImage
    from ci_toolkit.recipes.recipe_run import RecipeRun

NEEDS = ".needs"
"""The folder of the context where what the image needs of this repository is."""
_PROGRAMS = ("buildah", "podman")
_HEREDOCS = "buildah knows them from 1.33 on, podman from 4.8 on"
_IMAGE = "localhost/ci-toolkit/built"


def build_image(run: RecipeRun) -> Built:
    """The steps of a build, for `run_recipe`; MachineError where the tools for it are missing."""
    known = {"SOURCE_DATE_EPOCH": str(run.request.epoch_s), "PACKAGE": run.request.pkgbase}
    known |= version_arguments(run.file)
    with located_in_recipe_file():
        keys = parse_container_keys(run.file.own)
        containerfile = read_containerfile(keys, run.request.files)
        arguments = build_arguments(run.file, keys, containerfile, known)
    return _ImageBuild(
        run=run, keys=keys, containerfile=containerfile, arguments=arguments, program=_program(run)
    ).build()


def version_arguments(file: RecipeFile) -> dict[str, str]:
    """What a Containerfile is told of its version, where it has an ARG for it."""
    return {"CI_VERSION": file.version, "CI_RELEASE": file.release}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImageBuild:
    run: RecipeRun
    keys: ContainerKeys
    containerfile: Containerfile
    arguments: Mapping[str, str]
    program: str

    def build(self) -> Built:
        run, request = self.run, self.run.request
        emulation = self._emulation()
        wanted = base_images(self.containerfile, self.keys, self.arguments)
        run.begin("fetch")
        loadable = fetched_bases(run, wanted)
        files = self.keys.context_of(request.files)
        if any(path == NEEDS or path.startswith(f"{NEEDS}/") for path in files):
            raise UpstreamError(f"the folder has {NEEDS} itself, where packages that it needs are laid")
        with container_root(run.tools.sandbox, request.limits, files, emulation=emulation) as root:
            run.begin("dependencies")
            self._lay_needs(root, {one.path for one in loadable.values()})
            root.seal(request.epoch_s)
            run.begin("build")
            if self.containerfile.heredocs:
                run.note(
                    f"{self.containerfile.file} line {self.containerfile.heredocs[0]} begins a heredoc: {_HEREDOCS}"
                )
            for number, one in enumerate(dict.fromkeys(loadable.values())):
                self._step(root, one.words(root.link(f"images/{number}", one.path)), f"loading {one.name}")
            laid = []
            for number, (target, bases) in enumerate(wanted.items()):
                names = {span: loadable[base].name for span, base in bases.items()}
                laid.append(self._laid(root, target, number, self.containerfile.pinned(names)))
            run.begin("collect")
            return Built(packages=(self._packed(laid),))

    def _emulation(self) -> Emulation:
        """What lets programs of other machines run, where the image's steps run any."""
        foreign = dict[str, str]()
        for one in self.keys.platforms:
            given = {**self.arguments, **platform_arguments(one)}
            for text in self.containerfile.running(self.keys.target, given):
                running = parse_platform(text) if text else one
                if not running.runs_on(platform.machine()):
                    foreign[running.emulation] = running.text
        return emulation_of(dict(sorted(foreign.items())))

    def _lay_needs(self, root: ContainerRoot, loaded: Collection[Path]) -> None:
        """Put what the owner needs of this repository into the context, but for images that it is built on."""
        given = self.run.request.dependencies
        others = other_files(given)
        packages = {path: package_info(path) for path in given if path.name.endswith(PACKAGE_EXTENSION)}
        there = {*others, *(name for info in packages.values() for name in (info.name, *info.provides))}
        known = {dependency_name(name) for name in there}
        missing = [name for name in self.run.file.needs if dependency_name(name) not in known]
        if missing:
            raise UpstreamError(f"it needs {', '.join(missing)}, which this repository did not build")
        for base, paths in others.items():
            for path in paths:
                if path not in loaded:
                    root.lay(f"{NEEDS}/{base}/{path.name}", path)
        for path in packages:
            root.lay(f"{NEEDS}/{path.name}", path)

    def _laid(self, root: ContainerRoot, one: ImagePlatform, number: int, containerfile: str) -> LaidImage:
        """Build for one platform."""
        file = root.write(f"{number}/Containerfile", containerfile.encode())
        self.run.note(f"building for {one} with {self.program}")
        image = f"{_IMAGE}:{number}"
        self._step(root, self._words(one, root, file, image), f"{self.program} build", network=self.run.network)
        words = (self.program, "push", "--quiet", "--format=oci", image, f"oci:{OUT}/{number}:image")
        self._step(root, words, f"{self.program} push")
        return laid_image(root.out, str(number), one)

    def _words(self, one: ImagePlatform, root: ContainerRoot, file: str, image: str) -> list[str]:
        request = self.run.request
        created = datetime.fromtimestamp(request.epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        annotations = {"title": request.pkgbase, "version": self.run.version, "created": created}
        words = [self.program, "build", "--isolation=chroot", "--format=oci", "--pull=never", "--layers=false"]
        words += ["--no-cache", "--identity-label=false", f"--timestamp={request.epoch_s}", f"--platform={one}"]
        words += [f"--build-arg={name}={value}" for name, value in self.arguments.items()]
        words += [f"--label={name}={value}" for name, value in sorted(self.keys.labels.items())]
        words += [f"--annotation=org.opencontainers.image.{key}={text}" for key, text in sorted(annotations.items())]
        words += [f"--target={self.keys.target}"] if self.keys.target else []
        ignored = self.keys.ignore_file(request.files)
        if ignored:
            words.append(f"--ignorefile={root.write('ignored', request.files[ignored].content)}")
        return [*words, f"--file={file}", f"--tag={image}", CONTEXT]

    def _step(self, root: ContainerRoot, words: Sequence[str], what: str, *, network: bool = False) -> None:
        run = self.run
        ended = root.stream(words, network=network, timeout_s=run.left_s, take=run.take, watch=run.watch)
        run.judge(ended, what)

    def _packed(self, images: Sequence[LaidImage]) -> BuiltPackage:
        run = self.run
        name, architecture = run.request.pkgbase, self.keys.architecture
        target = run.request.out / archive_name(name, run.version, architecture)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = pack_images(images, target, name=f"{name}:{run.version}")
        return BuiltPackage(path=target, name=name, version=run.version, arch=architecture, size_bytes=size)


def _program(run: RecipeRun) -> str:
    path = run.tools.sandbox.environ.get("PATH", os.defpath)
    for program in _PROGRAMS:
        if shutil.which(program, path=path) is not None:
            return program
    raise MachineError(
        "images cannot be built here: neither buildah nor podman is installed", hint="apt install buildah"
    )
