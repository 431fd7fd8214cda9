"""Deliveries as a run of builds makes them, and the tools that a publisher gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ci_toolkit.effects.process import Processes
from ci_toolkit.effects.redaction import Redactor
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.settings import parse_settings
from ci_toolkit.publishers.signing_key import KeyChoice, opened_key
from ci_toolkit.publishers.spec import DeliveredPackage, Delivery, PublisherTools
from tests.support.pacman_stand import DAY_S, SteppingClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock


def delivery_of(
    pkgbase: str,
    files: Iterable[Path],
    *,
    built_with: Iterable[str] = (),
    provides: tuple[str, ...] = (),
    depends: tuple[str, ...] = (),
) -> Delivery:
    """What a build made, from files that are called NAME-VERSION-RELEASE-ARCH and anything behind a dot."""
    packages = []
    for path in files:
        name, version, release, rest = path.name.rsplit("-", 3)
        packages.append(
            DeliveredPackage(
                path=path,
                name=name,
                version=f"{version}-{release}",
                arch=rest.partition(".")[0],
                provides=provides,
                depends=depends,
            )
        )
    return Delivery(pkgbase=pkgbase, packages=tuple(packages), built_with=frozenset(built_with))


def publisher_tools(
    folder: Path,
    *,
    key: bytes,
    config: str = "",
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    keep_s: float = 14 * DAY_S,
) -> PublisherTools:
    """The tools for a publisher that keeps its own in `folder`; `config` is the text of .ci/config."""
    variables = dict(os.environ) | dict(environ or {})
    processes = Processes(redactor=Redactor(variables))
    choice = KeyChoice(material=key)
    return PublisherTools(
        folder=folder,
        settings=parse_settings(KeyValueFile.parse(config.encode(), file=".ci/config"), variables),
        name="demo",
        architecture="x86_64",
        processes=processes,
        environ=variables,
        clock=clock or SteppingClock(),
        keep_s=keep_s,
        open_key=lambda: opened_key(choice, processes=processes, environ=variables, passphrase=None),
    )
