"""Heads of Subversion, Mercurial, Bazaar and Fossil repositories, asked from real servers with the real programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from ci_toolkit.effects.addresses import ForbiddenAddressError
from ci_toolkit.effects.foreign_heads import ForeignHeads, NotInstalledError
from ci_toolkit.effects.git_command import upstream_environment
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.source_url import Vcs, VcsSource, parse_vcs_source

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: tuple[Vcs, ...] = ("svn", "hg", "bzr", "fossil")
PROGRAM = {"svn": "svn", "hg": "hg", "bzr": "brz", "fossil": "fossil"}
BRANCHED: tuple[Vcs, ...] = ("hg", "fossil")


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def make_heads(tmp_path: Path, *, allow_local: bool = True, **env: str) -> ForeignHeads:
    strangers = upstream_environment(os.environ, allow_local=allow_local)
    return ForeignHeads(
        processes=Processes(redactor=Redactor({})),
        env={**strangers, **env},
        folder=tmp_path / "cache",
        allow_local=allow_local,
    )


@pytest.fixture
def heads(tmp_path: Path) -> ForeignHeads:
    return make_heads(tmp_path)


def make_source(vcs: Vcs, url: str, branch: str | None = None) -> VcsSource:
    return VcsSource(vcs=vcs, url=url, fragment_kind=None if branch is None else "branch", fragment_value=branch)


def program_folder(program: str) -> Path:
    return Path(shutil.which(program) or "/usr/bin/x").parent


class Upstream:
    """A repository of one kind with a server before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": f"{program_folder('brz')}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "HGRCPATH": "",
            "HGUSER": "Ann <ann@example.org>",
            "BRZ_EMAIL": "Ann <ann@example.org>",
            "BRZ_HOME": str(folder),
            "BRZ_LOG": "/dev/null",
            "FOSSIL_HOME": str(folder),
            "FOSSIL_USER": "ann",
        }
        self.tree = folder / "tree"
        self.commits = 0
        folder.mkdir()

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        done = subprocess.run(argv, cwd=cwd or self.tree, env=self.env, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create(self) -> None:
        """Make the repository and its first commit."""
        raise NotImplementedError

    def commit(self, branch: str | None = None) -> str:
        """One more commit; the revision that a reader has to find."""
        raise NotImplementedError

    def server(self, port: int) -> tuple[str, ...]:
        """The command that serves at `port` in the foreground."""
        raise NotImplementedError

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/"

    def change(self) -> None:
        self.commits += 1
        # Another size each time: fossil and hg look no further when size and second are the same.
        (self.tree / "file").write_text("x\n" * self.commits)

    @contextmanager
    def served(self) -> Iterator[str]:
        port = free_port()
        with (self.folder / "server.log").open("wb") as log:
            child = subprocess.Popen(
                self.server(port), cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_for(port, child)
            yield self.url(port)
        finally:
            child.terminate()
            child.wait(20)


class SvnUpstream(Upstream):
    def create(self) -> None:
        need("svn", "svnadmin", "svnserve")
        self.run("svnadmin", "create", "repository", cwd=self.folder)
        root = f"file://{self.folder}/repository"
        self.run("svn", "mkdir", "-q", "-m", "first", f"{root}/trunk", f"{root}/other", cwd=self.folder)
        self.run("svn", "checkout", "-q", f"{root}/trunk", str(self.tree), cwd=self.folder)
        self.change()
        self.run("svn", "add", "-q", "file")

    def commit(self, branch: str | None = None) -> str:
        assert branch is None
        self.change()
        self.run("svn", "commit", "-q", "-m", "more")
        self.run("svn", "mkdir", "-q", "-m", "aside", f"file://{self.folder}/repository/other/{self.commits}")
        return self.run("svn", "info", "--show-item=last-changed-revision", f"file://{self.folder}/repository/trunk")

    def server(self, port: int) -> tuple[str, ...]:
        address = ("--listen-host=127.0.0.1", f"--listen-port={port}")
        return ("svnserve", "--daemon", "--foreground", *address, "--root", str(self.folder))

    def url(self, port: int) -> str:
        return f"svn://127.0.0.1:{port}/repository/trunk"


class HgUpstream(Upstream):
    def create(self) -> None:
        need("hg")
        self.run("hg", "init", str(self.tree), cwd=self.folder)
        self.change()
        self.run("hg", "add", "-q", "file")

    def commit(self, branch: str | None = None) -> str:
        if self.commits > 1:
            self.run("hg", "update", "-q", "default")
        if branch is not None:
            self.run("hg", "branch", "-q", "-f", branch)
        self.change()
        self.run("hg", "commit", "-q", "-m", "more")
        return self.run("hg", "log", "-r", ".", "-T", "{node}")

    def server(self, port: int) -> tuple[str, ...]:
        return ("hg", "serve", "-R", str(self.tree), "-a", "127.0.0.1", "-p", str(port))


class BzrUpstream(Upstream):
    def create(self) -> None:
        need("brz")
        self.run("brz", "init", "-q", str(self.tree), cwd=self.folder)
        self.change()
        self.run("brz", "add", "-q")

    def commit(self, branch: str | None = None) -> str:
        assert branch is None
        self.change()
        self.run("brz", "commit", "-q", "-m", "more")
        return self.run("brz", "revision-info").split()[1]

    def server(self, port: int) -> tuple[str, ...]:
        return ("brz", "serve", "--listen=127.0.0.1", f"--port={port}", f"--directory={self.folder}")

    def url(self, port: int) -> str:
        return f"bzr://127.0.0.1:{port}/tree"


class FossilUpstream(Upstream):
    def create(self) -> None:
        need("fossil")
        self.tree.mkdir()
        self.run("fossil", "init", str(self.folder / "repository"))
        self.run("fossil", "open", str(self.folder / "repository"))
        self.change()
        self.run("fossil", "add", "file")

    def commit(self, branch: str | None = None) -> str:
        self.change()
        options = ("--branch", branch) if branch else ()
        self.run("fossil", "commit", "-m", "more", "--no-warnings", *options)
        revision = self.run("fossil", "info").split("checkout:")[1].split()[0]
        if branch:
            self.run("fossil", "update", "trunk")
        return revision

    def server(self, port: int) -> tuple[str, ...]:
        return ("fossil", "server", str(self.folder / "repository"), "--localhost", "--port", str(port))


UPSTREAMS: dict[str, type[Upstream]] = {
    "svn": SvnUpstream,
    "hg": HgUpstream,
    "bzr": BzrUpstream,
    "fossil": FossilUpstream,
}


def make_upstream(vcs: Vcs, tmp_path: Path) -> Upstream:
    upstream = UPSTREAMS[vcs](tmp_path / "upstream")
    upstream.create()
    return upstream


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        assert child.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server does not listen")


class Page(BaseHTTPRequestHandler):
    """A web server that is none of theirs: a page for everything, `/login` asks who it is, `/away` leads elsewhere."""

    target = ""

    def do_GET(self) -> None:
        body = b"" if "/login" in self.path or "/away" in self.path else b"<html><body>Hello</body></html>"
        self.send_response(401 if "/login" in self.path else 301 if "/away" in self.path else 200)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        if "/away" in self.path:
            self.send_header("Location", self.target)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_OPTIONS = do_PROPFIND = do_HEAD = do_GET  # noqa: N815 - named after the methods

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
        pass


@contextmanager
def page(target: str = "") -> Iterator[str]:
    handler = type("PageTo", (Page,), {"target": target})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_program(folder: Path, name: str, script: str) -> str:
    """The folder with a shell script as a program, to be put into PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def watch_ssh(folder: Path, program: str, witness: Path) -> str:
    """PATH with an ssh, before every other, that leaves a file behind; the program lies beside it."""
    path = make_program(folder, "ssh", f"touch {witness}")
    for name in (program, "python3"):
        (folder / name).symlink_to(program_folder(program) / name)
    return path


@pytest.mark.parametrize("vcs", KINDS)
def test_a_head_is_found_and_moves_with_a_commit(vcs: Vcs, tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream(vcs, tmp_path)
    first = upstream.commit()
    with upstream.served() as url:
        assert heads.ask(make_source(vcs, url)) == first
        assert heads.ask(make_source(vcs, url)) == first
        second = upstream.commit()
        assert second != first
        assert heads.ask(make_source(vcs, url)) == second


@pytest.mark.parametrize("vcs", KINDS)
def test_files_are_asked_where_local_ones_are_allowed(vcs: Vcs, tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream(vcs, tmp_path)
    first = upstream.commit()
    place = {"svn": "repository/trunk", "fossil": "repository"}.get(vcs, "tree")
    source = make_source(vcs, f"file://{upstream.folder}/{place}")
    assert heads.ask(source) == first
    strict = make_heads(tmp_path, allow_local=False)
    with pytest.raises(UpstreamError, match="not followed with this kind of URL: file"):
        strict.ask(source)
    assert strict.processes.started == 0


@pytest.mark.parametrize("vcs", BRANCHED)
def test_a_branch_is_followed_and_an_unknown_one_is_said(vcs: Vcs, tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream(vcs, tmp_path)
    upstream.commit()
    aside = upstream.commit("feature/x-1")
    trunk = upstream.commit()
    with upstream.served() as url:
        assert heads.ask(make_source(vcs, url, "feature/x-1")) == aside
        assert heads.ask(make_source(vcs, url)) == trunk
        started = heads.processes.started
        with pytest.raises(UpstreamError, match=r"cannot be asked: .*nowhere"):
            heads.ask(make_source(vcs, url, "nowhere"))
        # An unknown branch is no reason to clone anew.
        assert heads.processes.started - started == {"hg": 1, "fossil": 2}[vcs]


def test_hg_follows_the_bookmark_that_makepkg_prefers(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("hg", tmp_path)
    marked = upstream.commit()
    upstream.run("hg", "bookmark", "-i", "-r", ".", "@")
    newer = upstream.commit()
    with upstream.served() as url:
        assert heads.ask(make_source("hg", url)) == marked
        assert heads.ask(make_source("hg", url, "default")) == newer


def test_fossil_without_a_branch_is_the_tip_that_makepkg_takes(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("fossil", tmp_path)
    trunk = upstream.commit()
    time.sleep(1.1)  # check-ins are ordered by the second
    newest = upstream.commit("feature")
    with upstream.served() as url:
        assert heads.ask(make_source("fossil", url)) == newest
        assert heads.ask(make_source("fossil", url, "trunk")) == trunk


def test_svn_answers_for_the_path_and_not_for_the_repository(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("svn", tmp_path)
    trunk = upstream.commit()
    with upstream.served() as url:
        other = heads.ask(make_source("svn", url.replace("trunk", "other")))
        assert int(other) == int(trunk) + 1
        with pytest.raises(UpstreamError, match="W170000"):
            heads.ask(make_source("svn", url.replace("trunk", "none")))


def test_a_bazaar_id_with_other_characters_is_given_by_its_number(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("bzr", tmp_path)
    source = make_source("bzr", f"file://{upstream.tree}")
    with pytest.raises(UpstreamError, match="nothing was ever committed"):
        heads.ask(source)
    upstream.env["BRZ_EMAIL"] = "Ann <ann+bzr@example.org>"
    assert "+" in upstream.commit()
    assert heads.ask(source) == "1"


@pytest.mark.parametrize("vcs", KINDS)
def test_a_page_a_login_and_no_server_are_failures_and_not_heads(vcs: Vcs, heads: ForeignHeads) -> None:
    need(PROGRAM[vcs])
    began = time.monotonic()
    with page() as url:
        for path in ("/x", "/login/x"):
            with pytest.raises(UpstreamError, match=r"/x cannot be asked: \S") as caught:
                heads.ask(make_source(vcs, url + path))
            assert len(str(caught.value)) < 400
            assert str(caught.value).isprintable()
    with pytest.raises(UpstreamError, match=r"cannot be asked: \S"):
        heads.ask(make_source(vcs, f"http://127.0.0.1:{free_port()}/x"))
    assert time.monotonic() - began < 50


@pytest.mark.parametrize("vcs", KINDS)
@pytest.mark.parametrize("target", ["svn+ssh://localhost/x", "bzr+ssh://localhost/x", "ssh://-oProxyCommand=x/x"])
def test_a_redirect_never_starts_ssh(vcs: Vcs, target: str, tmp_path: Path) -> None:
    need(PROGRAM[vcs])
    path = watch_ssh(tmp_path / "bin", PROGRAM[vcs], tmp_path / "pwned")
    with page(target) as url, pytest.raises(UpstreamError, match="cannot be asked"):
        make_heads(tmp_path, PATH=path).ask(make_source(vcs, f"{url}/away"))
    assert not (tmp_path / "pwned").exists()


def test_a_redirect_of_svn_is_not_an_answer(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("svn", tmp_path)
    upstream.commit()
    with page(f"file://{upstream.folder}/repository/trunk") as url, pytest.raises(UpstreamError, match="redirects"):
        heads.ask(make_source("svn", f"{url}/away"))


def test_a_bazaar_branch_that_refers_to_another_never_starts_ssh(tmp_path: Path) -> None:
    upstream = make_upstream("bzr", tmp_path)
    upstream.commit()
    upstream.run("brz", "checkout", "-q", "--lightweight", str(upstream.tree), "light", cwd=upstream.folder)
    (upstream.folder / "light/.bzr/branch/location").write_text("bzr+ssh://localhost/x")
    path = watch_ssh(tmp_path / "bin", "brz", tmp_path / "pwned")
    with pytest.raises(UpstreamError):
        make_heads(tmp_path, PATH=path).ask(make_source("bzr", f"file://{upstream.folder}/light"))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "overwritten", "another project", "folder"])
def test_a_damaged_fossil_clone_is_made_anew(damage: str, tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("fossil", tmp_path)
    first = upstream.commit()
    with upstream.served() as url:
        source = make_source("fossil", url)
        heads.ask(source)
        (clone,) = heads.folder.glob("*.fossil")
        content = clone.read_bytes()
        if damage == "another project":
            clone.unlink()
            upstream.run("fossil", "init", str(clone))
        elif damage == "folder":
            clone.unlink()
            (clone / "x").mkdir(parents=True)
        else:
            clone.write_bytes(
                {
                    "garbage": b"garbage\n",
                    "truncated": content[:100_000],
                    "empty": b"",
                    "overwritten": content[:8192] + b"\xa5" * 120_000 + content[128_192:],
                }[damage]
            )
        assert heads.ask(source) == first
        started = heads.processes.started
        second = upstream.commit()
        assert heads.ask(source) == second
        assert heads.processes.started - started == 2
    assert sorted(path.suffix for path in heads.folder.iterdir()) == [".fossil", ".lock"]


def test_a_fossil_server_that_is_gone_is_said_and_its_clone_kept(tmp_path: Path, heads: ForeignHeads) -> None:
    upstream = make_upstream("fossil", tmp_path)
    upstream.commit()
    with upstream.served() as url:
        heads.ask(make_source("fossil", url))
    before = {path.name: path.read_bytes() for path in heads.folder.iterdir()}
    with pytest.raises(UpstreamError, match="cannot be asked: cannot connect to host"):
        heads.ask(make_source("fossil", url))
    assert {path.name: path.read_bytes() for path in heads.folder.iterdir()} == before


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, heads: ForeignHeads) -> None:
    need("fossil")
    heads.folder.write_text("no folder")
    with pytest.raises(UpstreamError, match="cannot be written"):
        heads.ask(make_source("fossil", "http://127.0.0.1:1/x"))


HOSTILE_URLS = [
    "ssh://-oProxyCommand=touch%20x/y",
    "ssh://host/y",
    "svn+ssh://host/y",
    "bzr+ssh://host/y",
    "static-http://host/y",
    "lp:project",
    "--config=alias.identify=!touch x",
    "-rx",
    "http://-oProxyCommand=x/y",
    "http://host/-y",
    "http://host/a/--config=x",
    "http://user@host/y",
    "http://user:secret@host/y",
    "http://host/y@HEAD",
    "http://good.example?@127.0.0.1/",
    "http://host/y z",
    "http://host/y\n--config=x",
    "http://host/y\x00",
    "http://host/\x1b[31m",
    "http://host/y?x=y",
    "http://host/y#x",
    "http://host\\@127.0.0.1/",
    "http://host:99999/y",
    "http:///y",
    "http://hö.example/y",
    "http://" + "a" * 3000,
    "file://host/y",
    "file://-x",
    "bundle:x",
    "/etc",
    "",
]


@pytest.mark.parametrize("vcs", KINDS)
@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_url_starts_nothing(vcs: Vcs, url: str, heads: ForeignHeads) -> None:
    with pytest.raises(UpstreamError) as caught:
        heads.ask(make_source(vcs, url))
    assert heads.processes.started == 0
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


SCHEMES = ("git", "ssh", "svn", "bzr", "ftp", "sftp", "file+http", "HTTPX")


@pytest.mark.parametrize(("vcs", "scheme"), [(vcs, scheme) for vcs in KINDS for scheme in SCHEMES if vcs != scheme])
def test_schemes_are_those_of_the_system(vcs: Vcs, scheme: str, heads: ForeignHeads) -> None:
    with pytest.raises(UpstreamError, match=f"sources of {vcs} are not followed with this kind of URL"):
        heads.ask(make_source(vcs, f"{scheme}://127.0.0.1/x"))
    assert heads.processes.started == 0


@pytest.mark.parametrize("vcs", KINDS)
@pytest.mark.parametrize(
    "branch",
    [
        "",
        "-x",
        "--config=alias.identify=!touch x",
        "@",
        "a b",
        "a\nb",
        "a:b",
        "sort(all())",
        "x%y",
        "a" * 200,
        ".x",
        "/x",
        "é",
    ],
)
def test_a_hostile_branch_starts_nothing(vcs: Vcs, branch: str, heads: ForeignHeads) -> None:
    reason = "cannot be the name of a branch" if vcs in BRANCHED else f"checks out no branch of {vcs}"
    with pytest.raises(UpstreamError, match=reason) as caught:
        heads.ask(make_source(vcs, "http://127.0.0.1/x", branch))
    assert heads.processes.started == 0
    assert str(caught.value).isprintable()


def test_a_fragment_that_makepkg_does_not_know_starts_nothing(heads: ForeignHeads) -> None:
    source = parse_vcs_source("x::hg+http://127.0.0.1/x#colour=red")
    assert source is not None
    with pytest.raises(UpstreamError, match="no fragment of hg"):
        heads.ask(source)
    assert heads.processes.started == 0


@pytest.mark.parametrize("vcs", KINDS)
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "192.168.1.1", "localhost"]
)
def test_private_addresses_are_refused(vcs: Vcs, host: str, tmp_path: Path) -> None:
    path = make_program(tmp_path / "bin", PROGRAM[vcs], "echo 1")
    strict = make_heads(tmp_path, allow_local=False, PATH=path)
    schemes = ["https", "http", *({vcs} & {"svn", "bzr"})]
    for scheme in schemes:
        with pytest.raises(ForbiddenAddressError, match="upstreams may not"):
            strict.ask(make_source(vcs, f"{scheme}://{host}/x"))
    assert strict.processes.started == 0


@pytest.mark.parametrize("vcs", KINDS)
def test_a_missing_program_is_said(vcs: Vcs, tmp_path: Path) -> None:
    empty = make_heads(tmp_path, PATH=str(tmp_path / "none"))
    with pytest.raises(NotInstalledError) as caught:
        empty.ask(make_source(vcs, "http://127.0.0.1/x"))
    assert str(caught.value) == f"{PROGRAM[vcs]} is not installed, so its sources are not followed"
    assert empty.processes.started == 0


def test_a_virtual_environment_in_path_does_not_hide_the_library_of_brz(tmp_path: Path) -> None:
    upstream = make_upstream("bzr", tmp_path)
    first = upstream.commit()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    active = make_heads(tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert active.ask(make_source("bzr", f"file://{upstream.tree}")) == first


def test_bzr_is_asked_where_there_is_no_brz(tmp_path: Path) -> None:
    make_program(tmp_path / "bin", "bzr", "echo 7 ann@example.org-1")
    old = make_heads(tmp_path, PATH=str(tmp_path / "bin"))
    assert old.ask(make_source("bzr", "http://127.0.0.1/x")) == "ann@example.org-1"


@pytest.mark.parametrize("vcs", KINDS)
def test_no_secret_no_configuration_and_no_input_reaches_a_program(
    vcs: Vcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCESS_TOKEN", "canary-1")
    monkeypatch.setenv("MY_SECRET", "canary-2")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/canary-3")
    seen = tmp_path / "seen"
    script = f"{{ env; echo HOME holds $(ls -A $HOME); echo INPUT $(cat); pwd; }} >> {seen}; exit 1"
    curious = make_heads(tmp_path, PATH=make_program(tmp_path / "bin", PROGRAM[vcs], script))
    with pytest.raises(UpstreamError, match=f"{PROGRAM[vcs]} ended with status 1"):
        curious.ask(make_source(vcs, "http://127.0.0.1/x"))
    text = seen.read_text()
    assert "canary" not in text
    assert "HOME holds\n" in text
    assert "INPUT\n" in text
    (home,) = {line.removeprefix("HOME=") for line in text.split("\n") if line.startswith("HOME=")}
    assert f"\n{home}\n" in text
    assert not Path(home).exists()


@pytest.mark.parametrize("vcs", KINDS)
@pytest.mark.parametrize("said", ["", "1 2 3", "../../x", "-x\\n--y", "x" * 200, "\\033[31mred"])
def test_an_answer_that_is_no_revision_is_refused(vcs: Vcs, said: str, tmp_path: Path) -> None:
    path = make_program(tmp_path / "bin", PROGRAM[vcs], f"printf '{said}'; touch \"$HOME/x\"")
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1") as caught:
        make_heads(tmp_path, PATH=path).ask(make_source(vcs, "http://127.0.0.1/x"))
    assert str(caught.value).isprintable()


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_toolkit.effects.foreign_heads._TIMEOUT_S", 0.3)
    path = make_program(tmp_path / "bin", "svn", "sleep 60")
    began = time.monotonic()
    with pytest.raises(UpstreamError, match=r"/x cannot be asked: svn did not end within 0\.3 s"):
        make_heads(tmp_path, PATH=path).ask(make_source("svn", "http://127.0.0.1/x"))
    assert time.monotonic() - began < 20


def test_every_kind_but_git_is_known() -> None:
    assert {*KINDS, "git"} == set(get_args(Vcs))
