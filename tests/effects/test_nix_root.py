"""Roots for Nix: nothing outlives them, however a build ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ci_toolkit.effects import nix_root as module
from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.nix_root import NixCaches, nix_root
from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.effects.sandbox import Sandbox
from ci_toolkit.errors import MachineError
from tests.support.nix_store import needs_nix
from tests.support.running import running_with

pytestmark = needs_nix

TOP = Path(__file__).parents[2]
MARK = "7654321"
BUILDING = f"""
import os, sys
sys.path.insert(0, {str(TOP)!r})
from tests.effects.test_nix_root import sandbox
from ci_toolkit.effects.build_limits import BuildLimits
from ci_toolkit.effects.nix_root import NixCaches, nix_root

with nix_root(sandbox(), BuildLimits(), {{}}) as root:
    root.configure(network=False, caches=NixCaches())
    (root.recipe / "x.nix").write_text('''derivation {{
      name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "sleep {MARK}" ];
    }}''')
    print(root.folder.path.parent, flush=True)
    root.stream(
        ("sh", "-c", "nix-store --realise $(nix-instantiate /recipe/x.nix -I /recipe)"),
        timeout_s=60,
        take=lambda _: None,
        watch=lambda: None,
    )
"""


def sandbox(wish: str = "auto") -> Sandbox:
    return Sandbox(processes=Processes(redactor=Redactor({})), environ=dict(os.environ), wish=wish)


def waited_for(text: str, *, is_there: bool) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if bool(running_with(text)) == is_there:
            return True
        time.sleep(0.05)
    return False


def test_a_run_that_is_killed_takes_its_builders_along_and_the_next_one_its_folder() -> None:
    with subprocess.Popen([sys.executable, "-c", BUILDING], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        folder = Path(running.stdout.readline().strip())
        assert waited_for(f"sleep {MARK}", is_there=True)
        running.send_signal(signal.SIGKILL)
    assert waited_for(f"sleep {MARK}", is_there=False)
    assert folder.is_dir()
    old = time.time() - 3_600
    os.utime(folder, (old, old))
    with nix_root(sandbox(), BuildLimits(), {}) as root:
        assert not folder.exists()
        mine = root.folder.path.parent
    assert not mine.exists()


def test_an_expression_changes_nothing_of_the_configuration() -> None:
    with nix_root(sandbox(), BuildLimits(), {}) as root:
        root.configure(network=False, caches=NixCaches(urls=("https://cache.example.org",), keys=("a:b",)))
        shown = root.capture(("nix", "show-config"), timeout_s=20).stdout.decode()
        for line in (
            "restrict-eval = true",
            "substituters = https://cache.example.org",
            "trusted-public-keys = a:b",
            "require-sigs = true",
            "allow-import-from-derivation = false",
            "accept-flake-config = false",
            "builders = ",
            f"sandbox = {str(root.is_nested).lower()}",
        ):
            assert line in shown.splitlines()
        done = root.capture(
            ("sh", "-c", "echo > /etc/nix/nix.conf || echo > /recipe/x || echo > /x || echo no"), timeout_s=20
        )
        assert done.stdout == b"no\n"


def test_without_namespaces_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError, match="CI_SANDBOX is none"), nix_root(sandbox(wish="none"), BuildLimits(), {}):
        pass
    monkeypatch.setattr(module, "_namespace_words", lambda *_, **__: ["false"])
    with pytest.raises(MachineError, match="nothing is built with Nix here"), nix_root(sandbox(), BuildLimits(), {}):
        pass
