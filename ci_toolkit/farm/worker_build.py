"""One build on a worker, in a process of its own: from the master's `order.json` to `result.json` and packages.

What the build prints goes to standard output, where the engine takes it. Only what the order names is built, and all
that comes out lies in the folder of this try.
"""

from __future__ import annotations

import ctypes
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci_toolkit.building.builder import opened_builder
from ci_toolkit.building.workplace import laid_out
from ci_toolkit.effects.files import remove_file, sha256_of, write_file
from ci_toolkit.effects.process import Processes
from ci_toolkit.errors import ConfigError, FormatError, MachineError, ToolkitError
from ci_toolkit.farm.handed_build import (
    ORDER_FILE,
    OUT_FOLDER,
    RESULT_FILE,
    DeliveredFile,
    HandedResult,
    Unfit,
    format_result,
    handed_result,
    parse_order,
)
from ci_toolkit.farm.worker_settings import received_settings
from ci_toolkit.formats.key_value import KeyValueFile
from ci_toolkit.model.package_config import CONFIG_PATH, parse_package_config
from ci_toolkit.plugins import load_recipes, recipe_for
from ci_toolkit.recipes.build import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import FrameType

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.effects.redaction import Redactor
    from ci_toolkit.farm.handed_build import BuildOrder
    from ci_toolkit.recipes.build import BuildResult

PACKAGES_FOLDER = "packages"
_LOG_FILE = "build.log"
_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBuild:
    """A build in `folder`; `cache` is the worker's, with packages that were sent before in `cache/packages/SHA256`."""

    folder: Path
    cache: Path
    environ: Mapping[str, str]
    clock: Clock
    redactor: Redactor
    show: Callable[[str], None]

    def run(self) -> None:
        """Build, and write the result; FormatError when the order cannot be read, so that nothing can be told."""
        order = parse_order((self.folder / ORDER_FILE).read_bytes(), file=ORDER_FILE)
        try:
            result = self._built(order)
            handed = handed_result(order, result, _files(result))
        except (ToolkitError, OSError) as error:
            self.show(f"this worker cannot go on: {self.redactor.clean(str(error))}\n")
            handed = HandedResult(
                attempt=order.attempt,
                pkgbase=order.pkgbase,
                tree=order.tree,
                outcome=Unfit(reason=self.redactor.clean(str(error))),
            )
        write_file(self.folder / RESULT_FILE, format_result(handed), durable=False)

    def _built(self, order: BuildOrder) -> BuildResult:
        stop = _Stop()
        settings = received_settings(order.settings, self.environ)
        recipe = recipe_for(order.files, load_recipes())
        if recipe is None:
            raise MachineError(f"no recipe of this worker builds {order.pkgbase}")
        text = order.files[CONFIG_PATH].content if CONFIG_PATH in order.files else b""
        try:
            config = parse_package_config(KeyValueFile.parse(text, file=CONFIG_PATH))
        except (ConfigError, FormatError) as error:
            raise MachineError(f"this worker understands {CONFIG_PATH} differently: {error}") from error
        with opened_builder(
            settings,
            environ=self.environ,
            clock=self.clock,
            redactor=self.redactor,
            processes=Processes(redactor=self.redactor),
            cache=self.cache,
            slots=order.slots,
        ) as builder:
            request = builder.request(
                order.pkgbase,
                order.files,
                config,
                out=self.folder / OUT_FOLDER,
                log=self.folder / _LOG_FILE,
                epoch_s=order.epoch_s,
            )
            request = replace(request, dependencies=self._dependencies(order))
            return recipe.build(request, replace(builder.tools, show=self.show, cancelled=stop.reason))

    def _dependencies(self, order: BuildOrder) -> tuple[Path, ...]:
        """The packages to install; those that were damaged here are sent again the next time."""
        kept = [(file, self.cache / PACKAGES_FOLDER / sha256, sha256) for file, sha256 in order.with_]
        try:
            found = laid_out(kept, self.folder / "with")
        except (MachineError, OSError):
            for _, path, _ in kept:
                remove_file(path)
            raise
        for _, path, _ in kept:
            path.touch()  # what is long unused is removed
        return found


def die_with_parent() -> None:
    """Have this process ended with the one that began it, whatever ends that: nobody would fetch what it builds."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class _Stop:
    """Why the build has to end, once somebody has asked this process to."""

    def __init__(self) -> None:
        self._reason: str | None = None
        signal.signal(signal.SIGTERM, self._asked)
        signal.signal(signal.SIGINT, self._asked)

    def _asked(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as the signal module calls it
        self._reason = "the master wants it to end"

    def reason(self) -> str | None:
        """Why, None while it goes on."""
        return self._reason


def _files(result: BuildResult) -> dict[str, DeliveredFile]:
    if not isinstance(result.outcome, Built):
        return {}
    return {
        package.path.name: DeliveredFile(
            file=package.path.name, sha256=sha256_of(package.path), size_bytes=package.size_bytes
        )
        for package in result.outcome.packages
    }
