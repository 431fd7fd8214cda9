"""Builds with Nix: what folders say becomes closures and images, the same every time, and nothing else is in reach."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.nix_root import nix_root
from ci_toolkit.errors import ConfigError
from ci_toolkit.formats.nix_signatures import generate_secret_key
from ci_toolkit.publishers.nix_cache.publisher import NixCachePublisher
from ci_toolkit.recipes.build import Built, Failed, TimedOut
from ci_toolkit.recipes.nix import recipe as nix_recipe
from ci_toolkit.recipes.nix.recipe import NixRecipe
from tests.support.deliveries import delivery_of
from tests.support.nix_exports import KEY, contents, export, exported, nix_tools, store_path
from tests.support.nix_store import needs_nix
from tests.support.object_service import ObjectService
from tests.support.recipe_contract import request
from tests.support.recipes import files, opened_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ci_toolkit.recipes.build import BuildResult

    Build = Callable[..., BuildResult]

pytestmark = needs_nix

CANARY = "canary-of-the-environment"
SHELL = 'derivation { name = "made"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-euc" script ]; }'


def expression(script: str) -> dict[str, str]:
    """A folder whose expression runs a script of the shell."""
    return {"default.nix": f"let script = ''{script}''; in {SHELL}\n"}


def described(text: str = "") -> dict[str, str]:
    return {".CI/recipe.toml": f'recipe = "nix"\nversion = "1.0"\n{text}\n'}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., BuildResult]:
    """Builds a folder of texts, with the changes to its request that are said."""
    number = iter(range(100))

    def run(texts: dict[str, str], *, allow_local: bool = False, **changes: object) -> BuildResult:
        place = tmp_path / f"build-{next(number)}"
        with opened_tools(place / "cache", allow_local=allow_local) as tools:
            asked = replace(request(place, files(**texts)), **changes)  # type: ignore[arg-type]
            return NixRecipe().build(asked, tools)

    return run


def made(result: BuildResult) -> Path:
    assert isinstance(result.outcome, Built), result.log.read_text()
    (package,) = result.outcome.packages
    return package.path


def failed(result: BuildResult) -> Failed:
    assert isinstance(result.outcome, Failed), result.outcome
    return result.outcome


# what is built


def test_a_file_is_called_with_what_it_asks_for(build: Build) -> None:
    tool = """{ name, version, system, folder, words, loud ? false }: {
      tools.small = derivation {
        inherit system words loud;
        name = "${name}-${version}";
        builder = "/bin/sh";
        args = [ "-euc" "echo \\"$words $loud\\" $(cat ${folder}/text) > $out" ];
      };
    }"""
    keys = 'file = "nix/tool.nix"\nattribute = "tools.small"\nparameters = { words = ["a", "$(b) ${c}", "\'"], loud = true }'
    path = made(build({**described(keys), "nix/tool.nix": tool, "text": "of the folder"}))
    assert path.name == f"demo-1.0-1-{os.uname().machine}.nix-export"
    assert contents(path) == {"demo-1.0": {"": b"a $(b) ${c} ' 1 of the folder\n"}}


def test_templates_do_what_they_say(build: Build) -> None:
    script = 'template = "script"\nparameters = { script = "mkdir $out; cp $src/a $out/b; echo $WORD > $out/c", environment = { WORD = "hi" } }'
    path = made(build({**described(script), "a": "text"}))
    assert contents(path) == {"demo-1.0": {"b": b"text", "c": b"hi\n"}}
    put = (
        'template = "files"\n[parameters]\nfiles = { "bin/it\'s" = "#!/bin/sh\\necho \'${x}\' $y\\n", empty = "" }\n'
        'copies = { "share/all" = "folder" }\nexecutables = ["bin/it\'s"]'
    )
    path = made(build({**described(put), "folder/a": "A", "folder/b/c": "C"}))
    assert contents(path) == {
        "demo-1.0": {
            "bin/it's": b"#!/bin/sh\necho '${x}' $y\n",
            "empty": b"",
            "share/all/a": b"A",
            "share/all/b/c": b"C",
        }
    }


def test_a_template_may_lie_in_the_folder(build: Build) -> None:
    own = "{ name, system, word }: " + SHELL.replace("script", '"echo ${word} > $out"')
    path = made(build({**described('template = "own.nix"\nparameters = { word = "mine" }'), "own.nix": own}))
    assert contents(path) == {"made": {"": b"mine\n"}}


def test_a_flake_is_built_with_what_it_has_locked_and_nothing_is_written(build: Build) -> None:
    flake = (
        "{ outputs = { self }: { packages.some-system.default = "
        + SHELL.replace("script", '"cat ${self}/text > $out; echo ${self} >> $out"').replace(
            "builtins.currentSystem", f'"{os.uname().machine}-linux"'
        )
        + "; }; }"
    )
    keys = described('flake = "packages.some-system.default"')
    result = build({**keys, "flake.nix": flake, "text": "locked\n"})
    found = contents(made(result))
    assert found["made"][""].startswith(b"locked\n/nix/store/")
    assert found["source"]["text"] == b"locked\n"
    assert "refers" not in result.log.read_text()
    assert "-> " in result.log.read_text()
    needs = flake.replace("{ outputs = { self }", '{ inputs.other.url = "github:a/b"; outputs = { self, other }')
    outcome = failed(build({**keys, "flake.nix": needs, "text": "x"}))
    assert outcome.phase == "evaluate"


def test_an_expression_in_the_recipe_sees_the_folder(build: Build) -> None:
    text = SHELL.replace("script", '"cat ${./text} > $out"')
    path = made(build({**described(f"expression = '''\n{text}\n'''"), "text": "here"}))
    assert contents(path)["made"] == {"": b"here"}


def test_the_same_folder_makes_the_same_bytes_whatever_lies_in_its_ci_folder(build: Build) -> None:
    texts = {**expression("mkdir $out; cp -R ${./.} $out/all; echo $NIX_BUILD_TOP > $out/top"), "a": "text"}
    first = made(build({**described(), **texts}))
    second = made(build({**described("# a remark"), **texts, ".CI/info": "REQ_ORIGIN=x\n"}))
    assert first.read_bytes() == second.read_bytes()
    assert ".CI" not in str(contents(first))


def test_the_closure_is_told_and_the_real_nix_takes_it(build: Build, tmp_path: Path) -> None:
    texts = {**expression("echo ${./text} > $out"), "text": "of it"}
    result = build({**described(), **texts})
    path = made(result)
    log = result.log.read_text()
    assert "the closure has 2 paths" in log
    assert "-text" in log.partition("-made (")[2].partition(" -> ")[2]
    assert "sandbox" in log
    words = ["nix-store", "--store", str(tmp_path / "store"), "--option", "build-users-group", ""]
    done = subprocess.run(
        [*words, "--import"], input=path.read_bytes(), capture_output=True, check=False, env=_nix_env(tmp_path)
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout.split()) == 2


def _nix_env(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "NIX_CONF_DIR": str(folder / "none")}


# what others made


def test_what_other_folders_made_is_there_as_paths_and_as_files(build: Build, tmp_path: Path) -> None:
    lib = exported(tmp_path / "lib", "lib", text=b"of lib")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/data.txt").write_text("of data")
    script = '"ln -s ${needs.lib} $out.link; mkdir $out; mv $out.link $out/lib; cat ${needs.data}/data.txt > $out/data"'
    texts = {"default.nix": "{ needs }: " + SHELL.replace("script", script)}
    keys = described('needs = ["lib", "data>=1"]')
    path = made(build({**keys, **texts}, dependencies=(lib, tmp_path / "data/data.txt")))
    found = contents(path)
    assert found["made"]["data"] == b"of data"
    assert found["made"]["lib"] == f"-> {store_path('lib', '1.0-1 ')}".encode()
    assert found["lib"]["bin"] == b"#!of lib"
    links = 'needs = ["lib"]\ntemplate = "links"\nparameters = { links = { "bin/tool" = "lib/bin" } }'
    path = made(build(described(links), dependencies=(lib,)))
    assert contents(path)["demo-1.0"] == {"bin/tool": f"-> {store_path('lib', '1.0-1 ')}/bin".encode()}


def test_a_need_that_nothing_made_is_named(build: Build) -> None:
    outcome = failed(build({**described('needs = ["gcc"]'), **expression("true")}))
    assert "gcc" in outcome.reason


def test_a_damaged_need_is_refused(build: Build, tmp_path: Path) -> None:
    lib = exported(tmp_path / "lib", "lib")
    lib.write_bytes(lib.read_bytes()[:300])
    outcome = failed(build({**described('needs = ["lib"]'), **expression("true")}, dependencies=(lib,)))
    assert "lib-1.0-1-x86_64.nix-export" in outcome.reason
    assert "cut off" in outcome.reason


# what goes wrong


@pytest.mark.parametrize(
    ("texts", "phase", "said"),
    [
        ({"default.nix": "{ }:\n{ x = ; }\n"}, "evaluate", "default.nix line 2: syntax error"),
        ({"default.nix": "{ }:\n\n{ x = 1 + {}; }\n"}, "evaluate", "default.nix line 3: cannot add"),
        ({"default.nix": "{ x = 1; }\n"}, "evaluate", "no derivation"),
        ({"default.nix": "{ missing }: { }\n"}, "evaluate", "missing"),
        ({"other.nix": "{ }\n"}, "evaluate", "there is no default.nix"),
        (expression("exit 7"), "build", "the builder of made failed"),
        (expression("true"), "build", "failed to produce output"),
    ],
    ids=["syntax", "type", "nothing", "argument", "no file", "builder", "no output"],
)
def test_what_fails_says_where(build: Build, texts: dict[str, str], phase: str, said: str) -> None:
    outcome = failed(build({**described(), **texts}))
    assert outcome.phase == phase
    assert said in outcome.reason, outcome.reason
    if "builder of" in said:
        assert outcome.status == 7


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('templat = "script"', "did you mean template"),
        ('template = "scrip"', "did you mean script"),
        ('file = "../x.nix"', "file is no path in the folder"),
        ('file = "-x.nix"', "file is no path in the folder"),
        ('attribute = "--option"', "attribute is no path of attributes"),
        ('flake = "a#b"', "flake is no path of attributes"),
        ('file = "default.nix"\nexpression = "1"', "only one of them"),
        ('expression = "1"\nparameters = { a = 1 }', "parameters are for a file or a template"),
        ("parameters = { a = 1.5 }", "parameters.a is neither text"),
        ('parameters = { "a b" = 1 }', "has a name that no argument has"),
        ('environment = { A = "b" }', "environment is never seen"),
        ('entrypoint = ["x"]', "entrypoint is for images"),
        ('branch = "main"', "branch is for a folder that lies in git"),
        ('git = "https://user@host/x.git"', "git carries a user name"),
        ('git = "http://host/x.git"', "neither https nor ssh"),
        ('git = "https://host/x.git"\nbranch = "--upload-pack=x"', "branch is no name of a branch"),
        ('git = "https://host/x.git"\ncommit = "abc"', "no whole name of a commit"),
    ],
)
def test_keys_that_cannot_be_are_named_before_a_push(keys: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        NixRecipe().check(files(**described(keys), **expression("true")))
    assert said in caught.value.what_and_where
    assert caught.value.file == ".CI/recipe.toml"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('templat = "script"', "did you mean template"),
        ("parameters = { nobody = 1 }", "it takes no parameters"),
        ('template = "script"\nparameters = { script = "", nobody = 1 }', "called with unexpected argument 'nobody'"),
        ('git = "file:///x"', "has a scheme that is not allowed"),
    ],
)
def test_keys_that_cannot_be_fail_a_build(build: Build, keys: str, said: str) -> None:
    outcome = failed(build({**described(keys), **expression("echo > $out")}))
    assert said in outcome.reason


def test_a_file_that_is_missing_is_found_before_a_push() -> None:
    for keys in ("", 'flake = "a"', 'template = "own.nix"'):
        with pytest.raises(ConfigError, match="not in the folder"):
            NixRecipe().check(files(**described(keys), readme="x"))
    NixRecipe().check(files(**described('git = "https://host/x.git"')))


def test_a_build_that_takes_too_long_ends_and_leaves_nobody_behind(build: Build) -> None:
    result = build({**described(), **expression("sleep 1234567")}, limits=BuildLimits(time_s=3.0))
    # On a machine that has much to do even evaluating may take so long.
    assert isinstance(result.outcome, TimedOut), result.outcome
    assert result.outcome.limit_s == 3.0
    assert "1234567" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_machine_without_nix_is_told_what_to_install(tmp_path: Path) -> None:
    with opened_tools(tmp_path / "cache") as tools:
        bare = replace(tools, sandbox=replace(tools.sandbox, environ={"PATH": "/nonexistent"}))
        result = NixRecipe().build(request(tmp_path / "build", files(**described(), **expression("true"))), bare)
    assert "nix, prlimit" in failed(result).reason
    assert "apt install nix-bin busybox-static" in result.log.read_text()


# what is out of reach


@pytest.fixture(params=["nested", "alone"])
def sandboxed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With Nix's own sandbox within ours, and in ours alone."""
    if request.param == "alone":
        monkeypatch.setattr(nix_recipe, "nix_root", partial(nix_root, nested=False))
    return str(request.param)


@pytest.fixture
def service() -> Iterator[ObjectService]:
    with ObjectService() as running:
        yield running


def test_a_builder_reaches_nothing_of_the_machine(
    build: Build, sandboxed: str, service: ObjectService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("CI_NIX_GIT_TOKEN", CANARY)
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    (tmp_path / "open").mkdir(mode=0o777)
    script = f"""
      exec 2>&1
      env; cat /proc/*/environ || true; cat /proc/1/cmdline || true
      cat {secret} /etc/shadow || true
      ls -la /root /home /var /run /usr/bin /build/.. || true
      touch {tmp_path}/open/file /usr/file /etc/file || true
      echo changed > /build/default.nix || true
      wget -O - {service.url}/one || true
      echo x | nc 127.0.0.1 {service.host.partition(":")[2]} || true
      id; ls -d /proc/[0-9]* | wc -l
      echo done > $out
    """
    result = build({**described(), **expression(script)})
    log = result.log.read_text()
    assert made(result)
    assert contents(made(result)) == {"made": {"": b"done\n"}}
    assert ("a sandbox of Nix's own" in log) == (sandboxed == "nested")
    assert CANARY not in log
    assert "root:x:0:0:root" not in log
    assert service.requests == []
    assert list((tmp_path / "open").iterdir()) == []
    assert "uid=0" not in log


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("builtins.readFile /etc/passwd", "forbidden in restricted mode"),
        ("builtins.readFile /etc/nix/nix.conf", "forbidden in restricted mode"),
        ("builtins.readFile /proc/self/environ", "forbidden in restricted mode"),
        ("builtins.toString (builtins.attrNames (builtins.readDir /.))", "forbidden in restricted mode"),
        ("builtins.readFile ./link", "forbidden in restricted mode"),
        ('import (builtins.fetchurl "URL/one.nix")', "forbidden in restricted mode"),
        ('builtins.readFile (builtins.fetchTarball "URL/one.tar")', "forbidden in restricted mode"),
        ('(builtins.fetchGit { url = "URL/one.git"; }).rev', "forbidden in restricted mode"),
        ("import (SHELL)", "allow-import-from-derivation"),
        ('builtins.exec [ "/bin/sh" "-c" "id" ]', "'exec' missing"),
    ],
)
def test_an_expression_reaches_nothing_of_the_machine(
    service: ObjectService, text: str, said: str, tmp_path: Path
) -> None:
    text = text.replace("URL", service.url).replace("SHELL", SHELL.replace("script", '"echo 1 > $out"'))
    folder = files(**described(), **{"default.nix": f"derivation {{ name = {text}; }}\n"})
    folder["link"] = replace(folder["default.nix"], mode="120000", content=b"/etc/passwd")
    with opened_tools(tmp_path / "cache") as tools:
        result = NixRecipe().build(request(tmp_path / "build", folder), tools)
    assert failed(result).phase == "evaluate"
    assert said in failed(result).reason
    assert "root:" not in result.log.read_text()
    assert service.requests == []


def test_an_expression_sees_no_environment(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    path = made(build({**described(), **expression('echo "<${builtins.getEnv "CANARY"}>" > $out')}))
    assert contents(path) == {"made": {"": b"<>\n"}}


def test_the_network_is_there_for_what_has_a_checksum_and_only_where_the_owner_wants_it(
    build: Build, service: ObjectService, tmp_path: Path
) -> None:
    service.files["one.txt"] = b"from afar"
    digest = hashlib.sha256(b"from afar").hexdigest()
    keys = f'template = "download"\nparameters = {{ url = "{service.url}/one.txt", sha256 = "{digest}" }}'
    assert failed(build(described(keys))).phase == "build"
    assert service.requests == []
    path = made(build(described(f"network = true\n{keys}")))
    assert contents(path) == {"demo-1.0": {"": b"from afar"}}
    with tarfile.open(tmp_path / "tree.tar", "w") as archive:
        archive.add(__file__, "tree/file")
    service.files["tree.tar"] = (tmp_path / "tree.tar").read_bytes()
    fetched = f'cat ${{builtins.fetchurl "{service.url}/one.txt"}} > $out'
    fetched += f'; wc -c < ${{builtins.fetchTarball "{service.url}/tree.tar"}}/file >> $out'
    path = made(build({**described("network = true"), **expression(fetched)}))
    assert contents(path)["made"] == {"": f"from afar{len(Path(__file__).read_bytes())}\n".encode()}


def test_a_builder_cannot_put_another_path_into_the_closure(sandboxed: str, tmp_path: Path) -> None:
    """What a path is called says what made it: nobody else may say what is in it."""
    stolen = store_path("glibc", "2.36")
    forged = export([(stolen, b"forged", ())])
    script = (
        f"mkdir -p /nix/store || true; echo forged > {stolen} || true; mkdir $out; echo {stolen} > $out/refers;"
        " cp ${./stream} $out/stream; PATH=/usr/bin nix-store --import < ${./stream} || true"
    )
    folder = files(**described(), **expression(script))
    folder["stream"] = replace(folder["default.nix"], content=forged)
    with opened_tools(tmp_path / "cache") as tools:
        result = NixRecipe().build(request(tmp_path / "build", folder), tools)
        assert "glibc" not in contents(made(result))


def test_an_input_that_a_builder_changes_is_noticed(build: Build, sandboxed: str) -> None:
    script = "chmod -R u+w ${./text} || true; echo changed > ${./text} || true; echo ${./text} > $out"
    result = build({**described(), **expression(script), "text": "as it was"})
    if isinstance(result.outcome, Built):
        assert contents(made(result))["text"] == {"": b"as it was"}
    else:
        assert "changed" in failed(result).reason or "hash" in failed(result).reason, failed(result).reason


def test_a_build_that_writes_too_much_ends(build: Build) -> None:
    limits = BuildLimits(disk_bytes=64 << 20)
    script = "mkdir $out; for n in 1 2 3; do dd if=/dev/zero of=$out/$n bs=1M count=60; done; sleep 20"
    outcome = failed(build({**described(), **expression(script)}, limits=limits))
    assert (outcome.phase, outcome.reason) == ("build", "it wrote more than 64 MiB")


# binary caches


def test_what_a_trusted_cache_has_is_not_built(
    build: Build, service: ObjectService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {**described(), **expression("sleep 1; echo slowly > $out")}
    first = made(build(texts))
    tools = nix_tools(tmp_path / "place", config=f"CI_NIX_CACHE = {service.url}\n")
    with NixCachePublisher().opened(tools) as place:
        assert not place.publish([delivery_of("demo", [first])], [])
    monkeypatch.setenv("CI_NIX_SUBSTITUTERS", service.url)
    for key, is_trusted in ((KEY.public, True), (generate_secret_key(KEY.name).public, False)):
        monkeypatch.setenv("CI_NIX_KEYS", str(key))
        result = build(texts)
        assert made(result).read_bytes() == first.read_bytes()
        assert ("building '" not in result.log.read_text()) == is_trusted


@pytest.mark.parametrize(
    ("urls", "keys", "said"),
    [
        ("https://cache.example.org", "", "CI_NIX_KEYS is missing"),
        ("https://cache.example.org", "canary-key", "CI_NIX_KEYS is no public key"),
        ("s3://bucket", str(KEY.public), "CI_NIX_SUBSTITUTERS is no address"),
        ("https://user:canary@host", str(KEY.public), "CI_NIX_SUBSTITUTERS is no address"),
    ],
)
def test_caches_that_cannot_be_trusted_are_named(
    build: Build, monkeypatch: pytest.MonkeyPatch, urls: str, keys: str, said: str
) -> None:
    monkeypatch.setenv("CI_NIX_SUBSTITUTERS", urls)
    monkeypatch.setenv("CI_NIX_KEYS", keys)
    reason = failed(build({**described(), **expression("true")})).reason
    assert said in reason
    assert "user:canary" not in reason


# images


def test_a_closure_becomes_an_image_that_others_read(build: Build, tmp_path: Path) -> None:
    keys = (
        'image = true\nentrypoint = ["bin/run"]\ncommand = ["now"]\ntemplate = "files"\n'
        'parameters = { files = { "bin/run" = "#!/bin/sh\\n", "ünï" = "x" }, executables = ["bin/run"] }'
    )
    texts = described(keys)
    assert NixRecipe().publisher(files(**texts)) == "oci"
    path = made(build(texts))
    assert path.name.endswith(".oci.tar")
    assert made(build(texts)).read_bytes() == path.read_bytes()
    if not _has("skopeo"):
        pytest.skip("skopeo is not installed")
    inspected = json.loads(_skopeo("inspect", "--config", f"oci-archive:{path}"))
    top = inspected["config"]["Entrypoint"][0].removesuffix("/bin/run")
    assert top.startswith("/nix/store/")
    assert inspected["config"]["Cmd"] == ["now"]
    assert inspected["config"]["Env"] == [f"PATH={top}/bin"]
    _skopeo("copy", "--quiet", f"oci-archive:{path}", f"dir:{tmp_path}/copied")
    layers = json.loads((tmp_path / "copied/manifest.json").read_text())["layers"]
    listed = subprocess.run(
        ["tar", "-tzvf", tmp_path / "copied" / layers[-1]["digest"].removeprefix("sha256:")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"-r-xr-xr-x 0/0              10 1970-01-01 00:00 {top[1:]}/bin/run" in listed


def _has(program: str) -> bool:
    return shutil.which(program) is not None


def _skopeo(*words: str) -> str:
    done = subprocess.run(["skopeo", "--insecure-policy", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
