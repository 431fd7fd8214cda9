"""Images built by the real buildah: what comes out, what a Containerfile can reach, and how it goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.emulation import emulation_of
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.errors import ConfigError, FormatError, UpstreamError
from ci_toolkit.model.observation import UpstreamFile
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.recipes.build import Built, Failed, TimedOut
from ci_toolkit.recipes.container import build as container_build
from ci_toolkit.recipes.container.recipe import ContainerRecipe
from tests.support.images import (
    busybox,
    config_of,
    documents,
    files_of,
    image_folder,
    needs_buildah,
    program_for,
    push,
)
from tests.support.loopback_listener import listening
from tests.support.recipe_contract import ROOT, request
from tests.support.recipes import opened_tools
from tests.support.registry_service import FrontFault, Registry, RegistryFront, needs_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.model.build_identity import BuildInputs
    from ci_toolkit.recipes.build import BuildRequest, BuildResult
    from ci_toolkit.recipes.spec import RecipeTools
    from tests.support.images import Files

pytestmark = needs_buildah
CANARY = "canary-19b0e6d4"
SHELL = '["/busybox", "sh", "-c", "exec 2>&1; {}"]'


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[RecipeTools]:
    with opened_tools(tmp_path / "cache", allow_local=True) as tools:
        yield tools


def build(folder: Path, files: Files, tools: RecipeTools) -> tuple[BuildResult, str]:
    """How a build ended, and its log."""
    return built(request(folder, files), tools)


def built(asked: BuildRequest, tools: RecipeTools) -> tuple[BuildResult, str]:
    result = ContainerRecipe().build(asked, tools)
    return result, asked.log.read_text()


def archive(result: BuildResult) -> Path:
    """The file that a build made."""
    assert isinstance(result.outcome, Built), result.log.read_text()
    (package,) = result.outcome.packages
    return package.path


def failed(result: BuildResult) -> Failed:
    assert isinstance(result.outcome, Failed), result.outcome
    return result.outcome


# what comes out

STAGES = """ARG BASE=scratch
FROM $BASE AS tools
COPY busybox /busybox
RUN ["/busybox", "sh", "-c", "/busybox mkdir /made; /busybox date >/made/when; /busybox chown 1000:33 /made/when"]
RUN ["/busybox", "sh", "-c", "/busybox echo $(/busybox cat /made/when | /busybox wc -l) >/made/lines"]

FROM scratch AS final
ARG MODE=debug
ARG CI_VERSION
ARG FROM_ENVIRONMENT
LABEL mode=$MODE version=$CI_VERSION environment=$FROM_ENVIRONMENT
COPY --from=tools /made/lines /lines
COPY --chown=1000:33 . /context

FROM tools AS other
RUN ["/busybox", "false"]
"""
RECIPE = """target = "final"
[environment]
FROM_ENVIRONMENT = "yes"
[arguments]
MODE = "release build"
[labels]
"org.example/vendor" = "somebody"
"""


def test_an_image_is_what_its_owner_says_and_the_same_bytes_every_time(tools: RecipeTools, tmp_path: Path) -> None:
    files = {**image_folder(STAGES, RECIPE, text="something\n", **{"sub/text": "more\n"}), "busybox": busybox()}
    files[".CI/config"] = files["text"]
    files[".containerignore"] = replace(files["text"], content=b"busybox\n!busybox\n")
    one, log = build(tmp_path / "one", files, tools)
    found = archive(one)
    assert found.name == "demo-1.0-1-x86_64.oci.tar"
    assert "COPY --from=tools" in log
    assert "AS other" not in log
    config = config_of(found)
    labels = {"mode": "release build", "version": "1.0", "environment": "yes", "org.example/vendor": "somebody"}
    assert config["config"]["Labels"] == labels
    assert config["created"] == "2026-09-21T14:13:20Z"
    shown = files_of(found, tmp_path / "unpacked")
    assert shown["lines"].isreg()
    assert (shown["context/text"].uid, shown["context/text"].gid) == (1000, 33)
    assert shown["context/sub/text"].mtime == request(tmp_path / "asked", files).epoch_s
    assert not any(name.startswith("context/.CI") for name in shown)
    manifest = next(value for value in documents(found).values() if isinstance(value, dict) and "layers" in value)
    assert manifest["annotations"]["org.opencontainers.image.version"] == "1.0-1"
    before = os.umask(0o077)
    try:
        other, _ = build(tmp_path / "other", dict(reversed(files.items())), tools)
    finally:
        os.umask(before)
    assert archive(other).read_bytes() == found.read_bytes()
    given = ContainerRecipe().delivered((found,), "demo", files, PackageConfig())
    assert isinstance(one.outcome, Built)
    assert given == one.outcome.packages


def test_what_it_needs_of_the_repository_is_in_its_context(tools: RecipeTools, tmp_path: Path) -> None:
    library = tmp_path / "store/lib/lib.tar"
    library.parent.mkdir(parents=True)
    library.write_text("a library\n")
    files = image_folder("FROM scratch\nCOPY .needs/lib/lib.tar /\n", 'needs = ["lib"]\n')
    result, _ = built(replace(request(tmp_path / "build", files), dependencies=(library,)), tools)
    assert "lib.tar" in files_of(archive(result), tmp_path / "unpacked")
    result, _ = build(tmp_path / "without", files, tools)
    assert failed(result).reason == "it needs lib, which this repository did not build"
    assert failed(result).phase == "dependencies"


def test_the_sample_has_what_another_sample_makes(tools: RecipeTools, tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "sample-pkgbuilds/leap-image"
    paths = [path for path in sample.rglob("*") if path.is_file()]
    files = {str(path.relative_to(sample)): UpstreamFile(mode="100644", content=path.read_bytes()) for path in paths}
    given = [tmp_path / "store/leap-list" / name for name in ("leap-list.csv", "leap-list.json")]
    for path in given:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1972-06-30\n")
    result, _ = built(replace(request(tmp_path / "build", files), dependencies=tuple(given)), tools)
    found = archive(result)
    assert config_of(found, 1)["config"]["Labels"]["release"] == "2026.1"
    assert {f"usr/share/leap-list/{path.name}" for path in given} <= files_of(found, tmp_path / "unpacked").keys()


def test_podman_does_where_there_is_no_buildah_and_without_both_it_says_what_to_install(
    tools: RecipeTools, tmp_path: Path
) -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    for name in ("podman", "bwrap", "env", "prlimit", "rm"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    files = {**image_folder('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "id"]\n'), "busybox": busybox()}
    result, log = build(tmp_path / "build", files, _with_path(tools, tmp_path / "bin"))
    assert archive(result).is_file()
    assert "uid=0" in log
    result, _ = build(tmp_path / "none", files, _with_path(tools, tmp_path / "none"))
    assert "neither buildah nor podman is installed" in failed(result).reason
    assert "apt install buildah" in failed(result).reason


def _with_path(tools: RecipeTools, path: Path) -> RecipeTools:
    environ = {**tools.sandbox.environ, "PATH": str(path)}
    return replace(tools, sandbox=Sandbox(processes=tools.sandbox.processes, environ=environ))


# platforms

ARM = 'FROM scratch\nARG TARGETARCH\nCOPY hello-$TARGETARCH /hello\nRUN ["/hello"]\n'


def test_programs_of_other_machines_run_and_all_images_are_in_one_index(tools: RecipeTools, tmp_path: Path) -> None:
    try:
        emulation_of({"aarch64": "linux/arm64"})
    except UpstreamError as error:
        pytest.skip(error.what)
    files = image_folder(ARM, 'platforms = ["linux/arm64", "linux/amd64"]\n')
    files |= {f"hello-{one}": program_for(one, f"hello from {one}\n") for one in ("amd64", "arm64")}
    before = sorted(Path("/proc/sys/fs/binfmt_misc").iterdir())
    result, log = build(tmp_path / "build", files, tools)
    found = archive(result)
    assert "hello from amd64\n" in log
    assert "hello from arm64\n" in log
    assert found.name == "demo-1.0-1-any.oci.tar"
    assert sorted(Path("/proc/sys/fs/binfmt_misc").iterdir()) == before
    words = ["skopeo", "inspect", "--raw", f"oci-archive:{found}:demo:1.0-1"]
    index = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    assert [image["platform"]["architecture"] for image in index["manifests"]] == ["amd64", "arm64"]
    assert config_of(found, 1)["architecture"] == "arm64"
    (package,) = ContainerRecipe().delivered((found,), "demo", files, PackageConfig())
    assert package.arch == "any"


def test_a_platform_that_does_not_run_here_is_named(
    tools: RecipeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_build, "emulation_of", lambda machines: emulation_of(machines, top=tmp_path))
    files = {**image_folder(ARM, 'platforms = ["linux/arm64"]\n'), "hello-arm64": program_for("arm64", "hello\n")}
    result, _ = build(tmp_path / "build", files, tools)
    assert "linux/arm64" in failed(result).reason
    assert "apt install qemu-user-static binfmt-support" in failed(result).reason
    # Nothing has to run where files are only copied.
    files["Containerfile"] = replace(files["Containerfile"], content=ARM.partition("RUN")[0].encode())
    result, _ = build(tmp_path / "copied", files, tools)
    assert archive(result).name == "demo-1.0-1-aarch64.oci.tar"


# what goes wrong


@pytest.mark.parametrize(
    ("containerfile", "recipe", "phase", "said"),
    [
        ("COPY a b\n", "", "evaluate", "Containerfile line 1: has COPY before the first FROM"),
        ("FROM scratch\n", "contxt = 1\n", "evaluate", "contxt is no key here (did you mean context?)"),
        ("FROM scratch\n", 'file = "../Containerfile"\n', "evaluate", "file names nothing inside the folder"),
        ("FROM scratch\n", 'file = "Other"\n', "evaluate", "file is not in the folder: 'Other'"),
        ("FROM scratch\n", 'target = "final"\n', "evaluate", "Containerfile: has no stage of this name: 'final'"),
        ("FROM scratch\nARG MODE\n", '[arguments]\nMOED = "x"\n', "evaluate", "arguments.MOED is taken by no ARG"),
        ("FROM scratch\n", 'platforms = ["linux/arm46"]\n', "evaluate", "did you mean linux/arm64"),
        ("FROM Strange/Name\n", "", "evaluate", "Containerfile line 1: is no name of an image: 'Strange/Name'"),
        ("FROM scratch\nCOPY nothing /\n", "", "build", "buildah build failed"),
        ("FROM scratch\nNONSENSE\n", "", "build", "buildah build failed"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(
    tools: RecipeTools, tmp_path: Path, containerfile: str, recipe: str, phase: str, said: str
) -> None:
    files = image_folder(containerfile, recipe)
    result, _ = build(tmp_path / "build", files, tools)
    assert failed(result).phase == phase
    assert said in failed(result).reason
    # What can be known before a push is said before.
    if phase == "evaluate":
        with pytest.raises((ConfigError, FormatError)) as caught:
            ContainerRecipe().check(files)
        assert said in caught.value.what_and_where
    else:
        ContainerRecipe().check(files)


def test_a_step_that_fails_is_told_with_its_own_status(tools: RecipeTools, tmp_path: Path) -> None:
    step = SHELL.format("/busybox echo before; exit 7")
    files = {**image_folder(f"FROM scratch\nCOPY busybox /\nRUN {step}\n"), "busybox": busybox()}
    result, log = build(tmp_path / "build", files, tools)
    assert (failed(result).phase, failed(result).status) == ("build", 7)
    assert "before\n" in log
    assert list((tmp_path / "build/out").iterdir()) == []


def test_a_build_ends_with_its_time(tools: RecipeTools, tmp_path: Path) -> None:
    step = SHELL.format("/busybox sleep 60")
    files = {**image_folder(f"FROM scratch\nCOPY busybox /\nRUN {step}\n", "timeout = 1\n"), "busybox": busybox()}
    result, _ = build(tmp_path / "build", files, tools)
    assert result.outcome == TimedOut(phase="build", limit_s=1.0)


# what a Containerfile can reach


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    with listening() as listener:
        yield listener


ATTACK = """
b=/busybox
for path in /etc/shadow /etc/passwd SECRET /proc/*/root/SECRET /proc/*/cwd/SECRET /given/* /context/.CI/*; do $b cat $path; done
$b env; $b cat /proc/*/environ /proc/*/cmdline | $b tr '\\0' '\\n'
$b ls /root /home /proc/1/root/home
$b nc -w 1 127.0.0.1 PORT </dev/null && $b echo connected
$b touch /proc/1/root/usr/x /proc/1/root/context/x
$b mount -t tmpfs none /mnt; $b mknod /disk b 254 0 && $b cat /disk
$b ln -s SECRET /link; $b id -u
"""


def test_a_containerfile_that_tries_everything_reaches_nothing(
    tools: RecipeTools, tmp_path: Path, listener: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, visits = listener
    monkeypatch.setenv("ACCESS_TOKEN", CANARY)
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    with Path("/etc/passwd").open() as people:
        somebody = people.readlines()[3]
    attack = ATTACK.replace("SECRET", str(secret)).replace("PORT", str(port))
    steps = 'COPY busybox attack.sh /\nRUN ["/busybox", "sh", "/attack.sh"]\n'
    more = "COPY . /all\nADD stolen /stolen\n"
    files = {**image_folder(f"FROM scratch\n{steps}{more}", **{"attack.sh": attack}), "busybox": busybox()}
    files["stolen"] = replace(files["attack.sh"], mode="120000", content=os.fsencode(secret))
    files[".CI/config"] = replace(files["attack.sh"], content=b"BUILDER_CLASS=1\n")
    result, log = build(tmp_path / "build", files, tools)
    assert "\n0\n" in log
    assert CANARY not in log
    assert somebody not in log
    assert "BUILDER_CLASS" not in log
    assert visits == []
    assert "connected" not in log
    assert "-m pytest" not in log
    assert "execnet" not in log
    assert not Path("/usr/x").exists()
    if isinstance(result.outcome, Built):
        assert CANARY.encode() not in archive(result).read_bytes()


def test_the_network_is_there_for_those_that_ask_for_it(
    tools: RecipeTools, tmp_path: Path, listener: tuple[int, list[str]]
) -> None:
    port, visits = listener
    step = SHELL.format(f"/busybox nc -w 1 127.0.0.1 {port} </dev/null; true")
    files = {**image_folder(f"FROM scratch\nCOPY busybox /\nRUN {step}\n", "network = true\n"), "busybox": busybox()}
    result, _ = build(tmp_path / "build", files, tools)
    assert isinstance(result.outcome, Built)
    assert len(visits) == 1
    assert _inputs(files, tools) is None


# base images


def test_an_image_can_be_built_on_another_one_of_the_repository(tools: RecipeTools, tmp_path: Path) -> None:
    both = 'platforms = ["linux/amd64", "linux/arm64"]\n'
    result, _ = build(tmp_path / "below", image_folder("FROM scratch\nCOPY text /text\n", both, text="one\n"), tools)
    below = tmp_path / "store/below" / archive(result).name
    below.parent.mkdir(parents=True)
    shutil.copyfile(archive(result), below)
    files = image_folder("FROM localhost/below\nCOPY . /other\n", f'{both}needs = ["below"]\n', other="two\n")
    result, log = built(replace(request(tmp_path / "build", files), dependencies=(below,)), tools)
    shown = files_of(archive(result), tmp_path / "unpacked")
    assert {"text", "other/other"} <= shown.keys()
    assert not any(".needs" in name for name in shown)
    assert "FROM localhost/below:linux-arm64" in log
    told = _inputs(files, tools)
    assert told is not None
    assert told.heads == {}
    # Neither one that is not needed, nor one for other machines.
    result, _ = build(tmp_path / "missing", image_folder("FROM localhost/below\n"), tools)
    assert failed(result).reason == 'localhost/below is no image of a folder that it needs (add "below" to needs)'
    other = image_folder("FROM localhost/below\n", 'platforms = ["linux/s390x"]\nneeds = ["below"]\n')
    result, _ = built(replace(request(tmp_path / "else", other), dependencies=(below,)), tools)
    assert "is for linux/amd64, linux/arm64, and linux/s390x was asked for" in failed(result).reason


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image to build on."""
    folder = tmp_path_factory.mktemp("base")
    files = {**image_folder("FROM scratch\nCOPY busybox /busybox\nLABEL base=yes\n"), "busybox": busybox()}
    with opened_tools(folder / "cache") as tools:
        return archive(build(folder / "build", files, tools)[0])


@needs_registry
def test_base_images_are_fetched_before_and_pinned(tools: RecipeTools, tmp_path: Path, base: Path) -> None:
    with Registry(tmp_path / "registry") as registry:
        address = registry.host
        push(base, f"{address}/some/base:1")
        text = f"ARG TAG=2\nFROM {address}/some/base:$TAG\nCOPY --from={address}/some/base:1 /busybox /again\n"
        step = f"RUN {SHELL.format('/again echo it runs; /again nc -w 1 ' + address.replace(':', ' ') + ' && exit 9; true')}\n"
        files = image_folder(text + step, '[arguments]\nTAG = "1"\n')
        known = _inputs(files, tools)
        result, log = build(tmp_path / "build", files, tools)
        found = archive(result)
        assert "it runs" in log
        assert config_of(found)["config"]["Labels"] == {"base": "yes"}
        digest = _digest_in(base)
        assert f"FROM {address}/some/base@{digest}" in log
        assert known is not None
        assert known.heads == {f"{address}/some/base:1 linux/amd64": digest}
        again, log = build(tmp_path / "again", files, tools)
        assert f"kept {address}/some/base@{digest}" in log
        assert archive(again).read_bytes() == found.read_bytes()
        missing = image_folder(f"FROM {address}/some/base:3\n")
        result, _ = build(tmp_path / "missing", missing, tools)
        assert failed(result).phase == "fetch"
        assert f"{address}/some/base:3 cannot be had" in failed(result).reason
        assert _inputs(missing, tools) is None
        push(found, f"{address}/some/base:1")
        moved = _inputs(files, tools)
        assert moved is not None
        assert moved.identity != known.identity
    pinned = image_folder(f"FROM {address}/some/base@{digest}\n")
    told = _inputs(pinned, tools)
    assert told is not None
    assert told.heads == {f"{address}/some/base@{digest} linux/amd64": digest}


@needs_registry
def test_each_platform_is_built_on_its_own_image_of_an_index(tools: RecipeTools, tmp_path: Path) -> None:
    both = 'platforms = ["linux/amd64", "linux/arm64"]\n'
    result, _ = build(tmp_path / "base", image_folder("FROM scratch\nCOPY text /text\n", both, text="one\n"), tools)
    index = documents(archive(result))
    listed = index[_digest_in(archive(result))[7:]]["manifests"]
    with Registry(tmp_path / "registry") as registry:
        push(archive(result), f"{registry.host}/some/base:1")
        files = image_folder(f"FROM {registry.host}/some/base:1\nCOPY other /\n", both, other="two\n")
        told = _inputs(files, tools)
        result, _ = build(tmp_path / "build", files, tools)
    assert told is not None
    name = f"{registry.host}/some/base:1"
    digests = [image["digest"] for image in listed]
    assert told.heads == {f"{name} linux/amd64": digests[0], f"{name} linux/arm64": digests[1]}
    found = [config_of(archive(result), number) for number in (0, 1)]
    assert [one["architecture"] for one in found] == ["amd64", "arm64"]
    assert [len(one["rootfs"]["diff_ids"]) for one in found] == [2, 2]


def _another_content(status: int, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
    return status, headers, content.replace(b'"schemaVersion"', b' "schemaVersion"') + b" "


@needs_registry
@pytest.mark.parametrize("lie", ["manifest", "blob", "errors", "users"])
def test_registries_that_lie_or_want_a_password_make_no_image(
    tools: RecipeTools, tmp_path: Path, base: Path, lie: str
) -> None:
    with Registry(tmp_path / "registry", has_users=lie == "users") as registry, RegistryFront(registry) as front:
        if lie != "users":
            push(base, f"{registry.host}/some/base:1")
        kinds = {"manifest": "manifests/sha256", "blob": "blobs", "errors": "manifests"}
        if lie in kinds:
            status = 500 if lie == "errors" else None
            fault = FrontFault(f"GET .*/{kinds[lie]}.*", status=status, alter=None if status else _another_content)
            front.faults.append(fault)
        digest = _digest_in(base)
        result, _ = build(tmp_path / "build", image_folder(f"FROM {front.host}/some/base@{digest}\n"), tools)
    assert failed(result).phase == "fetch"
    assert not list((tmp_path / "cache").rglob("manifest.json"))


def test_registries_of_this_machine_are_not_asked_unless_local_upstreams_are_allowed(tmp_path: Path) -> None:
    with opened_tools(tmp_path / "cache") as tools:
        result, _ = build(tmp_path / "build", image_folder("FROM localhost:1/some/base\n"), tools)
    assert "which upstreams may not" in failed(result).reason


def _digest_in(path: Path) -> str:
    return str(documents(path)["index.json"]["manifests"][0]["digest"])


def _inputs(files: Files, tools: RecipeTools) -> BuildInputs | None:
    return ContainerRecipe().inputs(files, PackageConfig(), root=ROOT, built_with=(), fetcher=tools.fetcher)
