"""Whether programs of other machines can run, by what a machine has installed and registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ci_toolkit.effects.emulation import emulation_of
from ci_toolkit.errors import UpstreamError

if TYPE_CHECKING:
    from pathlib import Path

ARM = {"aarch64": "linux/arm64"}
LINE = ":qemu-aarch64:M::\\x7fELF:\\xff\\xff\\xff\\xff:/usr/bin/qemu-aarch64-static:OP"


def installed(top: Path, line: str = LINE) -> Path:
    """A machine with QEMU, as a package of it leaves it."""
    for path, text in {"usr/bin/qemu-aarch64-static": "", "usr/lib/binfmt.d/qemu-aarch64.conf": f"{line}\n"}.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return top


def registered(top: Path, text: str) -> Path:
    """A machine whose kernel knows it."""
    path = top / "proc/sys/fs/binfmt_misc/qemu-aarch64"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return top


def test_what_the_machine_has_registered_is_used(tmp_path: Path) -> None:
    registered(tmp_path, "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n")
    assert emulation_of(ARM, top=tmp_path, release="5.10.0").formats == ()


@pytest.mark.parametrize("known", ["enabled\nflags: OC\n", "disabled\nflags: OCF\n", None])
def test_what_it_has_not_is_registered_by_the_build_itself(tmp_path: Path, known: str | None) -> None:
    if known:
        registered(tmp_path, known)
    # Opened at once, as the interpreter is not to be looked for in the image.
    assert emulation_of(ARM, top=installed(tmp_path), release="6.7.1-arch").formats == (f"{LINE}F",)


def test_old_kernels_and_machines_without_qemu_are_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(
        UpstreamError, match=r"linux/arm64 do not run here: there is no QEMU.*apt install qemu-user-static"
    ):
        emulation_of(ARM, top=tmp_path, release="6.12")
    with pytest.raises(UpstreamError, match=r"linux/arm64 do not run here: .* the kernel is not told.*binfmt-support"):
        emulation_of(ARM, top=installed(tmp_path), release="6.6.9")


@pytest.mark.parametrize(
    "line", ["", "#" + LINE, LINE.replace("static", "none"), ":a:E::x::/usr/bin/qemu-aarch64-static:"]
)
def test_files_that_register_something_else_are_no_emulation(tmp_path: Path, line: str) -> None:
    with pytest.raises(UpstreamError, match="there is no QEMU"):
        emulation_of(ARM, top=installed(tmp_path, line), release="6.12")


def test_nothing_is_needed_for_nothing(tmp_path: Path) -> None:
    assert emulation_of({}, top=tmp_path, release="2.6").formats == ()
