"""Folders that lie in git repositories of others: the right commit, judged before it is written, and secrets shown to nobody."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import ConfigError, UpstreamError
from ci_toolkit.model.package_config import PackageConfig
from ci_toolkit.recipes.build import Built, Failed
from ci_toolkit.recipes.nix.git import fetch_folder
from ci_toolkit.recipes.nix.keys import parse_nix_keys
from ci_toolkit.recipes.nix.recipe import NixRecipe
from tests.support.aur_server import AurServer
from tests.support.certificates import self_signed
from tests.support.git import GitRepo
from tests.support.nix_exports import contents
from tests.support.nix_store import needs_nix
from tests.support.recipe_contract import ROOT, request
from tests.support.recipes import files, opened_tools
from tests.support.sealed import sealed_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_toolkit.recipes.build_sources import SourceFetcher
    from ci_toolkit.recipes.nix.keys import GitPlace
    from ci_toolkit.recipes.spec import RecipeTools
    from tests.support.upstreams import Upstreams

CANARY = "canary-token-of-a-host"
EXPRESSION = """
derivation { name = "made"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-euc" "cat ${./text} > $out" ]; }
"""


@pytest.fixture
def repository(tmp_path: Path) -> GitRepo:
    return GitRepo.bare(tmp_path / "served.git", sealed_environment(tmp_path / "server-home"))


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[RecipeTools]:
    with opened_tools(tmp_path / "cache", allow_local=True) as tools:
        yield tools


def place(url: str, **keys: str) -> GitPlace:
    found = parse_nix_keys({"git": url, **keys}, allow_local=True).git
    assert found is not None
    return found


def texts(fetched: Mapping[str, Any]) -> dict[str, bytes]:
    return {path: file.content for path, file in fetched.items()}


# which commit


def test_branches_commits_and_folders_in_them_are_found(repository: GitRepo, tools: RecipeTools) -> None:
    first = repository.commit({"text": "one", "sub/text": "below", "sub/run": "x"}, modes={"sub/run": "100755"})
    second = repository.commit({"text": "two"})
    other = repository.commit({"text": "other"}, branch="feature/x")
    url, fetcher = f"file://{repository.path}", tools.fetcher
    newest = fetch_folder(place(url), fetcher, {})
    assert (newest.commit, newest.files["text"].content) == (second, b"two")
    assert fetch_folder(place(url, branch="feature/x"), fetcher, {}).commit == other
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    below = fetch_folder(place(url, commit=first, subfolder="sub"), fetcher, {})
    assert below.commit == first
    assert texts(below.files) == {"text": b"below", "run": b"x"}
    assert below.files["run"].mode == "100755"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"branch": "gone"}, "refs/heads/gone"),
        ({"commit": "1" * 40}, "1111"),
        ({"subfolder": "nowhere"}, "no folder nowhere"),
    ],
)
def test_what_is_not_there_is_named(repository: GitRepo, tools: RecipeTools, keys: dict[str, str], said: str) -> None:
    repository.commit({"text": "one"})
    with pytest.raises(UpstreamError, match=said):
        fetch_folder(place(f"file://{repository.path}", **keys), tools.fetcher, {})


def test_only_one_commit_is_fetched(repository: GitRepo, tools: RecipeTools) -> None:
    repository.commit({"large": os.urandom(1 << 20)})
    repository.commit({"text": "small"}, remove=["large"])
    seen = list[int]()
    run = Processes.run

    def watched(self: Processes, argv: Any, **options: Any) -> Any:
        done = run(self, argv, **options)
        if "fetch" in argv:
            folder = next(word for word in argv if word.startswith("--git-dir=")).partition("=")[2]
            seen.append(int(subprocess.run(["du", "-sk", folder], capture_output=True, check=True).stdout.split()[0]))
        return done

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Processes, "run", watched)
        fetch_folder(place(f"file://{repository.path}"), tools.fetcher, {})
    assert seen
    assert seen[0] < 500


# what is in it


@pytest.mark.parametrize(
    ("path", "mode", "said"),
    [
        ("sub", "160000", "submodule"),
        ("link", "120000", "leaves the folder"),
    ],
)
def test_what_must_not_be_written_is_refused(
    repository: GitRepo, tools: RecipeTools, path: str, mode: str, said: str
) -> None:
    commit = repository.commit({"text": "one"})
    blob = commit if mode == "160000" else repository.git("hash-object", "-w", "--stdin", stdin=b"../../etc/passwd")
    tree = repository.git(
        "mktree", "--missing", stdin=f"{mode} {'commit' if mode == '160000' else 'blob'} {blob}\t{path}\n".encode()
    )
    bad = repository.git("-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "bad", tree)
    repository.git("update-ref", "refs/heads/main", bad)
    with pytest.raises(UpstreamError, match=said):
        fetch_folder(place(f"file://{repository.path}"), tools.fetcher, {})


def test_addresses_that_are_not_public_are_not_asked(tmp_path: Path, upstreams: Upstreams) -> None:
    found = parse_nix_keys({"git": "https://127.0.0.1/x.git"}).git
    assert found is not None
    with opened_tools(tmp_path / "cache") as tools, pytest.raises(UpstreamError, match="upstreams may not"):
        fetch_folder(found, tools.fetcher, {})
    assert upstreams.seen == []


# secrets


@contextmanager
def watched_processes() -> Iterator[list[tuple[list[str], dict[str, str]]]]:
    """The arguments and environments of all programs that are started."""
    seen: list[tuple[list[str], dict[str, str]]] = []
    start = subprocess.Popen

    class Watched(start):  # type: ignore[valid-type, misc]
        def __init__(self, argv: Any, **options: Any) -> None:
            seen.append((list(argv), dict(options.get("env") or {})))
            super().__init__(argv, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "Popen", Watched)
        yield seen


def trusting(fetcher: SourceFetcher, certificate: Path) -> SourceFetcher:
    return replace(fetcher, env={**fetcher.env, "GIT_SSL_CAINFO": str(certificate)})


def test_a_token_goes_to_its_host_alone_and_is_seen_nowhere(
    tmp_path: Path, upstreams: Upstreams, tools: RecipeTools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    certificate = self_signed(tmp_path)
    upstreams.encrypt(certificate)
    upstreams.token = CANARY
    commit = upstreams.origin().commit({"text": "secret"})
    fetcher = trusting(tools.fetcher, certificate)
    url = f"{upstreams.url}/origin.git"
    environ = {"CI_NIX_GIT_TOKEN": CANARY, "CI_NIX_GIT_HOST": "127.0.0.1"}
    with watched_processes() as seen:
        assert fetch_folder(place(url), fetcher, environ).commit == commit
    assert upstreams.credentials
    assert CANARY not in f"{seen}{caplog.text}"
    for other in ({**environ, "CI_NIX_GIT_HOST": "example.org"}, {"CI_NIX_GIT_TOKEN": CANARY}, {}):
        upstreams.credentials.clear()
        with pytest.raises(UpstreamError) as caught:
            fetch_folder(place(url), fetcher, other)
        assert CANARY not in str(caught.value)
        assert not any(CANARY in one for one in upstreams.credentials)
    upstreams.token = "another"
    with pytest.raises(UpstreamError) as caught:
        fetch_folder(place(url), fetcher, environ)
    assert CANARY not in f"{caught.value}{caught.value.__cause__}{caplog.text}"


def test_a_key_is_in_no_file_argument_or_environment(
    tmp_path: Path, tools: RecipeTools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server = AurServer(tmp_path / "sshd", sealed_environment(tmp_path / "sshd-home"))
    try:
        server.start()
        repository = server.new("demo", {"text": "by ssh"}, ("A", "a@example.org"))
        environ = {
            "CI_NIX_GIT_KEY": server.key.replace("\n", "\r\n").strip(),
            "CI_NIX_GIT_HOST": "127.0.0.1",
            "CI_NIX_GIT_KNOWN_HOSTS": str(server.hosts),
        }
        with watched_processes() as seen:
            fetched = fetch_folder(place(f"{server.url}/demo.git", branch="master"), tools.fetcher, environ)
        assert fetched.commit == repository.head("master")
        secrets = [line for line in server.key.splitlines() if "-----" not in line]
        assert not any(line in f"{seen}{caplog.text}" for line in secrets)
        server.hosts.write_text("")
        with pytest.raises(UpstreamError, match="ost key verification failed"):
            fetch_folder(place(f"{server.url}/demo.git", branch="master"), tools.fetcher, environ)
    finally:
        server.stop()


def test_a_key_that_is_none_is_named_and_not_shown(tools: RecipeTools) -> None:
    environ = {"CI_NIX_GIT_KEY": "canary no key", "CI_NIX_GIT_HOST": "host"}
    with pytest.raises(ConfigError, match="no private key") as caught:
        fetch_folder(place("ssh://git@host/x.git"), tools.fetcher, environ)
    assert caught.value.key == "CI_NIX_GIT_KEY"
    assert "canary" not in str(caught.value)


def test_secrets_are_redacted_wherever_they_would_be_shown() -> None:
    names = ("CI_NIX_GIT_TOKEN", "CI_NIX_GIT_KEY", "CI_NIX_CACHE_TOKEN", "CI_NIX_SIGNING_KEY")
    for name in names:
        assert CANARY not in Redactor({name: CANARY}).clean(f"x {CANARY} y")


# a whole build


@needs_nix
def test_a_build_says_which_commit_it_is_of_and_goes_by_that_alone(
    repository: GitRepo, tools: RecipeTools, tmp_path: Path
) -> None:
    commit = repository.commit({"nix/default.nix": EXPRESSION, "nix/text": "from git"})
    recipe = f'recipe = "nix"\nversion = "1"\ngit = "file://{repository.path}"\nbranch = "main"\nsubfolder = "nix"\n'
    folder = files(**{".CI/recipe.toml": recipe, "text": "of the package's folder"})
    before = NixRecipe().inputs(folder, PackageConfig(), root=ROOT, built_with=(), fetcher=tools.fetcher)
    result = NixRecipe().build(request(tmp_path / "build", folder), tools)
    assert isinstance(result.outcome, Built), result.log.read_text()
    assert contents(result.outcome.packages[0].path)["made"] == {"": b"from git"}
    assert f"at commit {commit}" in result.log.read_text()
    assert "fetch" in {time.phase for time in result.phases}
    assert before is not None
    assert commit in before.heads.values()
    repository.commit({"nix/text": "newer"})
    after = NixRecipe().inputs(folder, PackageConfig(), root=ROOT, built_with=(), fetcher=tools.fetcher)
    assert after is not None
    assert after.identity != before.identity


@needs_nix
def test_a_repository_that_is_gone_fails_in_its_phase(tools: RecipeTools, tmp_path: Path) -> None:
    folder = files(**{".CI/recipe.toml": f'recipe = "nix"\nversion = "1"\ngit = "file://{tmp_path}/gone.git"\n'})
    assert NixRecipe().inputs(folder, PackageConfig(), root=ROOT, built_with=(), fetcher=tools.fetcher) is None
    result = NixRecipe().build(request(tmp_path / "build", folder), tools)
    assert isinstance(result.outcome, Failed)
    assert result.outcome.phase == "fetch"
