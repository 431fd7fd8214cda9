"""What the sandbox promises, tried by programs that do their worst, in each way there is to confine them."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Limits, Program, Sandbox, SandboxRefusedError, namespaces_hint
from ci_toolkit.errors import ProcessError, UpstreamError
from ci_toolkit.model.observation import UpstreamFile
from tests.support.loopback_listener import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-5c1a77e2"
FILES = {
    "PKGBUILD": UpstreamFile(mode="100644", content=b"pkgname=a\n"),
    ".CI/update.sh": UpstreamFile(mode="100755", content=b"true\n"),
    "link": UpstreamFile(mode="120000", content=b"PKGBUILD"),
}
QUICK = Limits(time_s=3, memory_bytes=512 << 20, processes=40, output_bytes=100_000, file_bytes=1 << 20)


def _has_bubblewrap() -> bool:
    return shutil.which("bwrap") is not None


@pytest.fixture(params=["bubblewrap", "user"])
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    if request.param == "user" and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if request.param == "bubblewrap" and not _has_bubblewrap():
        pytest.skip("bubblewrap is not installed")
    monkeypatch.setenv("ACCESS_TOKEN", CANARY)
    environ = dict(os.environ)
    return Sandbox(processes=Processes(redactor=Redactor({})), environ=environ, wish=request.param)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    with listening() as listener:
        yield listener


def run(sandbox: Sandbox, script: str, *, network: bool = False, limits: Limits = QUICK) -> str:
    """What a bash script says, its complaints too."""
    program = Program(words=("bash", "-c", f"exec 2>&1; {script}"), network=network, limits=limits, statuses=range(256))
    return sandbox.run(program, FILES).completed.stdout.decode(errors="replace")


def left(sandbox: Sandbox, script: str) -> dict[str, UpstreamFile]:
    return dict(sandbox.run(Program(words=("bash", "-c", script), network=False, limits=QUICK), FILES).files)


def processes_called(name: str) -> list[str]:
    """Command lines of living processes that mention a name."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if name in text and "bwrap" not in text:
                found.append(text)
    return found


def test_what_it_changes_is_taken_back_and_nothing_else_happens(sandbox: Sandbox) -> None:
    files = left(sandbox, "echo more >>PKGBUILD; mkdir -p d; echo new >d/new; chmod +x d/new; rm .CI/update.sh")
    assert files == {
        "PKGBUILD": UpstreamFile(mode="100644", content=b"pkgname=a\nmore\n"),
        "d/new": UpstreamFile(mode="100755", content=b"new\n"),
        "link": FILES["link"],
    }


def test_it_is_nobody_and_cannot_become_somebody(sandbox: Sandbox) -> None:
    said = run(sandbox, "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; id -u; touch /usr/x /etc/x; ls /")
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert "\n0\n" not in said
    assert not Path("/usr/x").exists()
    assert not Path("/etc/x").exists()


def test_no_secret_of_the_environment_is_in_reach(sandbox: Sandbox) -> None:
    said = run(sandbox, "env; cat /proc/*/environ | tr '\\0' '\\n'; cat /proc/*/cmdline | tr '\\0' '\\n'")
    assert CANARY not in said
    assert "PATH=" in said


def test_no_git_no_home_no_other_package_and_no_key_is_in_reach(sandbox: Sandbox, tmp_path: Path) -> None:
    for name in (".git/config", "other/PKGBUILD", "home/.ssh/id_ed25519", "home/.netrc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CANARY)
    reads = "; ".join(f"cat {tmp_path}/{name}" for name in (".git/config", "other/PKGBUILD", "home/.netrc"))
    said = run(sandbox, f"{reads}; cat ../*/PKGBUILD ../.git/config ~/.ssh/* /root/.ssh/*; cat /etc/shadow; ls -a . ..")
    assert CANARY not in said
    assert "root:" not in said


def test_without_network_not_even_loopback_is_in_reach(sandbox: Sandbox, listener: tuple[int, list[str]]) -> None:
    port, visits = listener
    python = (
        "import socket\n"
        "for family in (socket.AF_INET, socket.AF_INET6):\n"
        f"    for address in ('127.0.0.1', '::1', '::ffff:127.0.0.1'):\n"
        f"        try: socket.socket(family).connect((address, {port})); print('in')\n"
        "        except OSError as error: print(error)\n"
    )
    said = run(
        sandbox, f'cat </dev/tcp/127.0.0.1/{port}; /usr/bin/python3 -c "{python}"; curl -s http://127.0.0.1:{port}'
    )
    assert visits == []
    assert "hello" not in said
    assert "in\n" not in said


def test_with_network_it_reaches_what_it_asks_for(sandbox: Sandbox, listener: tuple[int, list[str]]) -> None:
    port, visits = listener
    assert run(sandbox, f"cat </dev/tcp/127.0.0.1/{port}", network=True) == "hello\n"
    assert len(visits) == 1


def test_a_fork_bomb_ends_in_time(sandbox: Sandbox) -> None:
    began = time.monotonic()
    script = "bomb() { exec -a forkbomb-77 sleep 60 & bomb | bomb & }; bomb; exec -a forkbomb-77 sleep 60"
    with pytest.raises(ProcessError, match=r"bash did not end within 3 s|wrote more than|ended with status"):
        sandbox.run(Program(words=("bash", "-c", script), network=False, limits=QUICK), FILES)
    assert time.monotonic() - began < 20
    assert processes_called("forkbomb-77") == []


def test_endless_output_ends_in_time(sandbox: Sandbox) -> None:
    began = time.monotonic()
    with pytest.raises(ProcessError, match="bash wrote more than 100000 bytes"):
        sandbox.run(Program(words=("bash", "-c", "yes"), network=False, limits=QUICK), FILES)
    assert time.monotonic() - began < 3


def test_a_child_that_is_left_sleeping_is_not_waited_for_and_ends(sandbox: Sandbox) -> None:
    began = time.monotonic()
    said = run(sandbox, "(exec -a leftover-88 sleep 60) & setsid bash -c 'exec -a leftover-88 sleep 60' & echo done")
    assert time.monotonic() - began < 2.5
    assert said == "done\n"
    assert processes_called("leftover-88") == []


def test_memory_and_file_size_have_limits(sandbox: Sandbox) -> None:
    assert "MemoryError" in run(sandbox, "/usr/bin/python3 -c \"x = bytearray(1 << 30); print('got it')\"")
    said = run(sandbox, "head -c 3000000 /dev/zero >big; echo $?; ls -s big; rm -f big")
    assert "\n153\n" in f"\n{said}" or "File too large" in said


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("rm PKGBUILD; ln -s /etc/passwd PKGBUILD", "'PKGBUILD' became a link"),
        ("ln -s .. up", "'up' became a link"),
        ("ln -sf /etc/passwd link", "'link' became a link"),
        ("mkfifo pipe", "'pipe' is no regular file"),
        ("ln PKGBUILD twin", "is no regular file"),
        ("p=.; for i in {1..14}; do p=$p/d; done; mkdir -p $p", "nested too deeply"),
        ("touch f{1..5100}", "left more than 5000 files"),
    ],
)
def test_only_regular_files_inside_the_folder_are_taken_back(sandbox: Sandbox, script: str, reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason):
        left(sandbox, script)


def folders() -> set[Path]:
    return {path for top in ("/var/tmp", "/tmp") for path in Path(top).glob("ci-toolkit-sandbox-*")}


def test_what_it_leaves_closed_or_unreadable_does_not_stay_on_the_machine(sandbox: Sandbox) -> None:
    before = folders()
    left(sandbox, "mkdir -p a/b; touch a/b/c; chmod 000 a/b; chmod 755 a/b; mkdir .git; echo x >.git/config")
    new = folders() - before  # of tests that run beside this one as well, but theirs go away
    deadline = time.monotonic() + 20
    while new & folders() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not new & folders()


def test_a_failure_says_what_the_program_said(sandbox: Sandbox) -> None:
    with pytest.raises(ProcessError) as caught:
        left(sandbox, "echo this went wrong >&2; exit 3")
    assert caught.value.problem == "bash ended with status 3: this went wrong"


def test_without_bubblewrap_and_without_root_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ={"PATH": str(tmp_path)})
    with pytest.raises(
        SandboxRefusedError, match="no sandbox for strangers' code here: bubblewrap: it is not installed"
    ):
        sandbox.run(Program(words=("true",), network=False), {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_repository_that_every_user_can_read_is_no_place_for_the_weaker_sandbox(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    open_folder = tmp_path / ".git"
    open_folder.mkdir(mode=0o755)
    processes = Processes(redactor=Redactor({}))
    sandbox = Sandbox(processes=processes, environ=dict(os.environ), wish="user", closed_to_users=(open_folder,))
    with pytest.raises(SandboxRefusedError, match="can be read by every user"):
        sandbox.run(Program(words=("true",), network=False), {})
    open_folder.chmod(0o700)
    closed = Sandbox(processes=processes, environ=dict(os.environ), wish="user", closed_to_users=(open_folder,))
    assert closed.kind == "user"


def test_none_runs_it_as_it_is_and_warns_every_time(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ), wish="none")
    for _ in range(2):
        sandbox.run(Program(words=("true",), network=False), {})
    assert caplog.text.count("CI_SANDBOX=none: strangers' code runs with nothing between") == 2


def test_plain_users_have_bubblewrap_too(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not _has_bubblewrap() or not Path("/usr/bin/python3").exists():
        pytest.skip("wants root to become a plain user, bubblewrap and the system's Python")
    script = (
        "import os\n"
        "from ci_toolkit.effects.process import Processes\n"
        "from ci_toolkit.effects.redaction import Redactor\n"
        "from ci_toolkit.effects.sandbox import Program, Sandbox\n"
        "box = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))\n"
        "done = box.run(Program(words=('bash', '-c', 'echo $(whoami) >f; ls /proc | grep -c ^[0-9]; ls /'), network=False), {})\n"
        "print(box.kind, done.completed.stdout.decode(), done.files['f'].content.decode())\n"
    )
    source = tmp_path / "source"
    shutil.copytree(Path(__file__).parents[2] / "ci_toolkit", source / "ci_toolkit")
    for folder in (source, *tmp_path.parents[:3], tmp_path):
        folder.chmod(0o755)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    words = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script)
    said = Processes(redactor=Redactor({})).run(words, env=env, timeout_s=30, cwd=Path("/")).stdout.decode()
    assert said.startswith("bubblewrap ")
    assert "builder" in said
    assert "root" not in said
    assert sys.executable not in said


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ({}, "install bubblewrap"),
        ({".dockerenv": ""}, "run it privileged"),
        ({"run/.containerenv": ""}, "run it privileged"),
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, "sysctl kernel.apparmor"),
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n"}, "install bubblewrap"),
    ],
    ids=["a machine", "Docker", "Podman", "Ubuntu", "Ubuntu that allows it"],
)
def test_who_has_no_namespaces_is_told_what_helps_there(tmp_path: Path, files: dict[str, str], hint: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert hint in namespaces_hint(tmp_path)
    assert (hint == "install bubblewrap") == (namespaces_hint(tmp_path) == hint)
