"""What of this machine Nix needs to run: itself, its libraries, and one shell for builders.

Nothing else of the machine is shown to it, so that no program of the machine gets into what is built.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci_toolkit.errors import MachineError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ci_toolkit.effects.process import Processes

SHELL_PLACE = "/bin/sh"
"""Where a builder finds the one program that is not of a store, as nixpkgs expects it."""
NIX_PLACE = "/usr/bin/nix"
_OTHER_NAMES = ("build-remote", "nix-instantiate", "nix-store")
_CACHE = "/etc/ld.so.cache"
_TIMEOUT_S = 20.0
_LIBRARY = re.compile(r"(?:^|\s)(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_HINT = "on Debian: apt install nix-bin busybox-static bubblewrap util-linux"
_PROGRAMS = ("bwrap", "busybox", "ldd", "nix", "prlimit", "setpriv", "unshare")
# Nix loads it by name before it closes itself in.
_RESOLVER = "libnss_dns.so.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class NixTools:
    """Files by the place where they are shown; `links` are other names of Nix, by which it knows what it is to do."""

    shown: Mapping[str, Path]
    links: tuple[str, ...]

    def view_words(self) -> list[str]:
        """What bubblewrap shows of them."""
        words = []
        for folder in _folders([*self.shown, *self.links, _CACHE]):
            words += ["--perms", "0755", "--dir", folder]
        for place, path in self.shown.items():
            words += ["--ro-bind", str(path), place]
        for link in self.links:
            words += ["--symlink", NIX_PLACE, link]
        return [*words, "--ro-bind-try", _CACHE, _CACHE]


def find_nix_tools(processes: Processes, environ: Mapping[str, str]) -> NixTools:
    """The tools of this machine; MachineError when some are missing."""
    path = environ.get("PATH", os.defpath)
    found = {name: shutil.which(name, path=path) for name in _PROGRAMS}
    missing = sorted(name for name, place in found.items() if place is None)
    if missing:
        raise MachineError(f"nothing is built with Nix here: {', '.join(missing)} not installed", hint=_HINT)
    nix, busybox = (Path(str(found[name])).resolve() for name in ("nix", "busybox"))
    if nix.is_relative_to("/nix"):
        hint = f"builds get a /nix of their own, so Nix has to lie elsewhere; {_HINT}"
        raise MachineError(f"nothing is built with Nix here: {nix} lies in the store itself", hint=hint)
    if _libraries(busybox, processes, environ):
        hint = f"builders get it as their only shell, so it has to run by itself; {_HINT}"
        raise MachineError(f"nothing is built with Nix here: {busybox} is not linked statically", hint=hint)
    libraries = _libraries(nix, processes, environ)
    libraries |= {library.with_name(_RESOLVER) for library in libraries}
    shown = {str(library): library for library in sorted(libraries) if library.exists()}
    return NixTools(
        shown={**shown, NIX_PLACE: nix, SHELL_PLACE: busybox},
        links=tuple(f"/usr/bin/{name}" for name in _OTHER_NAMES),
    )


def _libraries(program: Path, processes: Processes, environ: Mapping[str, str]) -> set[Path]:
    """What a program of this machine is linked with, the loader among it; empty for one that needs nothing."""
    env = {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    try:
        done = processes.run(("ldd", str(program)), env=env, timeout_s=_TIMEOUT_S, statuses=(0, 1))
    except ProcessError as error:
        raise MachineError(f"what {program} is linked with cannot be found out: {error.said}") from error
    return {Path(match) for match in _LIBRARY.findall(done.stdout.decode(errors="replace"))}


def _folders(places: Iterable[str]) -> list[str]:
    """The folders that places are in, each behind the one that it is in."""
    return sorted({str(parent) for place in places for parent in Path(place).parents[:-1]})
