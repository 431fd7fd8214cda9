"""makepkg: what it says about a folder, asked in the sandbox and without network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.sandbox import Limits, Program
from ci_toolkit.errors import ProcessError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci_toolkit.effects.sandbox import Sandbox
    from ci_toolkit.model.observation import UpstreamFile

_LIMITS = Limits(time_s=60.0, output_bytes=4 << 20)


class MakepkgMissingError(UpstreamError):
    """This machine has no makepkg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Makepkg:
    """Evaluates PKGBUILDs; they are strangers' programs."""

    sandbox: Sandbox

    def check(self) -> None:
        """UpstreamError with the reason when nothing can be evaluated here at all."""
        if shutil.which("makepkg", path=self.sandbox.environ.get("PATH")) is None:
            raise MakepkgMissingError("makepkg is not installed here, and PKGBUILDs are evaluated with it")
        self.sandbox.kind  # noqa: B018 - raises where there is no sandbox

    def srcinfo(self, files: Mapping[str, UpstreamFile]) -> bytes:
        """The `.SRCINFO` of a folder; UpstreamError with what makepkg says when there is none."""
        if shutil.which("makepkg", path=self.sandbox.environ.get("PATH")) is None:
            raise MakepkgMissingError("makepkg is not installed here, and new versions are made with it")
        words = ("makepkg", "--printsrcinfo")
        try:
            done = self.sandbox.run(Program(words=words, network=False, limits=_LIMITS), files)
        except ProcessError as error:
            raise UpstreamError(error.problem) from error
        return done.completed.stdout
