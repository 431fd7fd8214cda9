"""What a build of an image can reach when it does its worst: here it is even the builder itself, and no longer a step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects import lent_ids, lent_users, private_folder
from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.container_root import container_root
from ci_toolkit.effects.emulation import Emulation
from ci_toolkit.effects.lent_ids import LentIds
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.errors import MachineError
from ci_toolkit.model.observation import UpstreamFile
from tests.support.loopback_listener import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci_toolkit.effects.container_root import ContainerRoot
    from ci_toolkit.effects.process import Streamed

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("bwrap") is None, reason="needs root, and bubblewrap installed"
)
CANARY = "canary-77f3a0c1"
FILES = {"text": UpstreamFile(mode="100644", content=b"something\n")}
LIMITS = BuildLimits(memory_bytes=512 << 20, processes=60, disk_bytes=64 << 20)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("ACCESS_TOKEN", CANARY)
    return Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))


@pytest.fixture
def root(sandbox: Sandbox) -> Iterator[ContainerRoot]:
    with container_root(sandbox, LIMITS, FILES, emulation=Emulation()) as root:
        root.seal(1_700_000_000)
        yield root


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    with listening() as listener:
        yield listener


def tried(root: ContainerRoot, script: str, *, network: bool = False, timeout_s: float = 20) -> tuple[str, Streamed]:
    """What a script says that runs as the builder, with all that the builder may."""
    said = bytearray()
    ended = root.stream(
        ("bash", "-c", f"exec 2>&1; {script}"),
        network=network,
        timeout_s=timeout_s,
        take=said.extend,
        watch=lambda: None,
    )
    return said.decode(errors="replace"), ended


def running(ids: LentIds) -> list[int]:
    """The processes of a build, as the machine sees them."""
    first = ids.root or 0
    return lent_users._processes(first, first + ids.count - 1)


def test_it_is_root_inside_and_nobody_outside(root: ContainerRoot) -> None:
    said, _ = tried(root, "id -u; cat /proc/self/uid_map; echo >/out/own; echo >/out/given; chown 33:44 /out/given")
    assert said.split() == ["0", "0", str(root.ids.root), "65536"]
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in root.out.iterdir()}
    first = root.ids.root or 0
    assert owners == {"own": (first, first), "given": (first + 33, first + 44)}
    assert first >= lent_ids.FIRST


def test_no_file_of_the_machine_is_in_reach(root: ContainerRoot, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    tmp_path.chmod(0o777)
    reads = f"cat {tmp_path}/secret /proc/*/root{tmp_path}/secret /proc/*/cwd/../../secret"
    said, _ = tried(root, f"{reads}; cat /etc/shadow /root/.bashrc; ls -a / /root /home /etc /var; find / -name .git")
    assert CANARY not in said
    assert "root:$" not in said
    shown = said.split("/:\n")[1].split("\n\n")[0].split()
    usual = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "tmp", "usr", "var"}
    assert set(shown) - usual == {".", "..", "context", "given", "out", "state"}


def test_nothing_outside_can_be_changed(root: ContainerRoot, tmp_path: Path) -> None:
    cached = tmp_path / "image"
    cached.mkdir()
    (cached / "blob").write_text("as it was")
    place = root.link("images/0", cached)
    mounts = "for one in /usr /etc/containers /given /context; do mount -o remount,rw,bind $one; done"
    writes = f"touch /usr/x /etc/passwd; echo bad >{place}/blob; echo bad >/etc/containers/policy.json; rm {place}/blob"
    devices = "mknod /tmp/disk b 254 0 && cat /tmp/disk; mount -t tmpfs none /proc/1; echo 1 >/proc/sys/kernel/sysrq"
    said, _ = tried(
        root, f"cat {place}/blob; {mounts}; {writes}; {devices}; echo b >/proc/sysrq-trigger; dmesg | head -1"
    )
    assert said.startswith("as it was")
    assert (cached / "blob").read_text() == "as it was"
    assert not Path("/usr/x").exists()
    assert "Operation not permitted" in said


def test_no_secret_and_no_other_process_is_in_reach(root: ContainerRoot) -> None:
    reads = "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l; kill -9 -1"
    said, _ = tried(root, reads)
    assert CANARY not in said
    assert "pytest" not in said
    assert "PATH=" in said


def test_loopback_is_in_reach_with_the_network_alone(root: ContainerRoot, listener: tuple[int, list[str]]) -> None:
    port, visits = listener
    script = f"for try in 127.0.0.1 ::1; do echo hello >/dev/tcp/$try/{port}; done; cat /proc/net/dev"
    said, _ = tried(root, script)
    assert visits == []
    assert "eth" not in said
    assert "ens" not in said
    tried(root, f"echo hello >/dev/tcp/127.0.0.1/{port}; ip link set lo down", network=True)
    assert len(visits) == 1


def test_what_it_may_use_is_limited(sandbox: Sandbox) -> None:
    with container_root(sandbox, replace(LIMITS, disk_bytes=8 << 20), FILES, emulation=Emulation()) as root:
        _, ended = tried(root, "for i in 1 2 3 4; do head -c 4M /dev/zero >/out/$i; done; sleep 20")
        assert ended.reason == "it wrote more than 8 MiB"
        start = time.monotonic()
        _, ended = tried(root, "(setsid sleep 47 &); setsid sleep 47", timeout_s=0.5)
        assert ended.late
        assert time.monotonic() - start < 5
        assert running(root.ids) == []
        said, _ = tried(root, "python3 -c 'bytearray(700 << 20); print(1000)'")
        assert "1000" not in said
        if "processes" in root.groups.limits:
            said, _ = tried(root, "for i in $(seq 100); do sleep 0.2 & done; wait")
            assert "fork" in said


DEEP = """
import os
os.chdir('/state')
for _ in range(1500):
    os.mkdir('d')
    os.chdir('d')
for _ in range(30):
    os.mkdir('d' * 200)
    os.chdir('d' * 200)
os.mkdir('closed')
os.chown('closed', 7, 7)
os.chmod('closed', 0)
os.chmod('/out', 0)
print('it is deep')
"""


def test_nothing_is_left_of_it_however_deep_and_closed(sandbox: Sandbox) -> None:
    with container_root(sandbox, LIMITS, FILES, emulation=Emulation()) as root:
        root.write("deep.py", DEEP.encode())
        said, ended = tried(root, "python3 /given/deep.py; sleep 60")
        own = root.folder.path.parent
        assert own.is_dir()
    assert said == "it is deep\n"
    assert ended.reason == "it made folders too deep to be looked at"
    assert not own.exists()


KILLED = """
import os, sys
from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.container_root import container_root
from ci_toolkit.effects.emulation import Emulation
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))
with container_root(sandbox, BuildLimits(), {}, emulation=Emulation()) as root:
    print(root.ids.root, root.folder.path.parent, flush=True)
    words = ("sh", "-c", "mkdir /state/a; chown 5:5 /state/a; chmod 0 /state/a; echo ready; sleep 1000")
    root.stream(words, network=False, timeout_s=1000, take=lambda chunk: print("ready", flush=True), watch=lambda: None)
"""


def test_what_a_killed_build_left_is_swept_away(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        first, folder = killed.stdout.readline().split()
        killed.stdout.readline()
        killed.kill()
    ids = LentIds(users="", groups="", root=int(first), count=lent_ids.COUNT)
    for _ in range(100):
        if not running(ids):
            break
        time.sleep(0.05)
    assert running(ids) == []
    assert Path(folder).is_dir()
    monkeypatch.setattr(private_folder, "_YOUNG_S", 0.0)
    with container_root(sandbox, LIMITS, {}, emulation=Emulation()) as other:
        assert not Path(folder).exists()
        assert other.folder.path.exists()


def test_two_builds_have_no_id_in_common(sandbox: Sandbox, root: ContainerRoot) -> None:
    with container_root(sandbox, LIMITS, {}, emulation=Emulation()) as other:
        assert abs((other.ids.root or 0) - (root.ids.root or 0)) >= lent_ids.COUNT


def test_where_few_ids_are_known_a_single_one_does(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_ids, "_are_known", lambda *_: False)
    with container_root(sandbox, LIMITS, FILES, emulation=Emulation()) as root:
        said, _ = tried(root, "id -u; chown 1:1 /out; cat /context/text /etc/containers/storage.conf")
    assert root.ids.count == 1
    assert said.startswith("0\n")
    assert "something" in said
    assert "ignore_chown_errors" in said


PLAIN = """
import os
from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.container_root import container_root
from ci_toolkit.effects.emulation import Emulation
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
sandbox = Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ))
with container_root(sandbox, BuildLimits(), {}, emulation=Emulation()) as root:
    said = bytearray()
    def run(text):
        root.stream(("sh", "-c", text), network=False, timeout_s=60, take=said.extend, watch=lambda: None)
    run("id -u; mkdir /state/a; chown 5:5 /state/a; chmod 0 /state/a; stat -c %u /state/a; ls /home")
    print(said.decode().split(), (root.folder.scratch / "state/a").stat().st_uid)
    build = "cp /usr/bin/busybox . && buildah build --isolation=chroot --quiet --file=/given/file ."
    root.write("file", b'FROM scratch\\nCOPY busybox /\\nRUN ["/busybox", "chown", "33:44", "/busybox"]\\n')
    if os.path.exists("/usr/bin/buildah") and os.path.exists("/usr/bin/busybox"):
        run(f"mkdir /tmp/build; cd /tmp/build; {build}; echo ended with $?")
        assert said.endswith(b"ended with 0\\n"), said
print(root.folder.path.parent.exists())
"""


@pytest.mark.skipif(shutil.which("newuidmap") is None, reason="newuidmap is not installed")
@pytest.mark.skipif(not Path("/etc/subuid").exists(), reason="there is no file of subordinate ids")
def test_a_plain_user_builds_with_subordinate_ids(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(Path(lent_ids.__file__).parents[1], source / "ci_toolkit")
    for folder in (source, *tmp_path.parents[:3], tmp_path):
        folder.chmod(0o755)
    (tmp_path / "subids").write_text("nobody:200000:65536\n")
    (tmp_path / "temporary").mkdir()
    (tmp_path / "temporary").chmod(0o777)
    enter = 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", enter, "sh", str(tmp_path / "subids")]
    words += ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", PLAIN]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    env["TMPDIR"] = str(tmp_path / "temporary")
    said = Processes(redactor=Redactor({})).run(words, env=env, timeout_s=60, cwd=Path("/")).stdout.decode()
    assert said.splitlines()[0].startswith("['0', '5'")
    assert said.splitlines()[0].endswith(" 200004")
    assert said.splitlines()[1] == "False"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_machine_without_the_tools_is_blamed_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    bare = replace_path(sandbox, str(tmp_path))
    with pytest.raises(MachineError, match=r"bwrap.* not installed.*apt install bubblewrap"):
        container_root(bare, LIMITS, FILES, emulation=Emulation()).__enter__()


def test_who_wants_another_sandbox_gets_no_images(sandbox: Sandbox) -> None:
    other = Sandbox(processes=sandbox.processes, environ=sandbox.environ, wish="none")
    with pytest.raises(MachineError, match=r"in bubblewrap alone, and CI_SANDBOX is none \(leave CI_SANDBOX at auto"):
        container_root(other, LIMITS, FILES, emulation=Emulation()).__enter__()


def replace_path(sandbox: Sandbox, path: str) -> Sandbox:
    return Sandbox(processes=sandbox.processes, environ={**sandbox.environ, "PATH": path})
