"""A folder with a stack.toml: what is done with it, step by step."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.effects.exclusive_lock import exclusive
from ci_toolkit.errors import ConfigError, NotReadyError, RefusedError
from ci_toolkit.stack.comparing import State, compared
from ci_toolkit.stack.containers.environment import MANIFEST_FILE, manifest_files
from ci_toolkit.stack.inputs import digests_now, read_inputs
from ci_toolkit.stack.making_secrets import make_secrets, refuse_unusable, secret_faults
from ci_toolkit.stack.monitoring.loki import loki_faults
from ci_toolkit.stack.reasons import reasons
from ci_toolkit.stack.rendering import rendered
from ci_toolkit.stack.validating.all_checks import all_checks
from ci_toolkit.stack.writing import read_record, record_of, refuse_obstacles, refuse_to_undo, write_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ci_toolkit.effects.clock import Clock
    from ci_toolkit.stack.comparing import Found
    from ci_toolkit.stack.deployment import Deployment
    from ci_toolkit.stack.inputs import Inputs
    from ci_toolkit.stack.output import Output
    from ci_toolkit.stack.validating.check import Check, Programs

_CONTEXT_LINES = 3
_LOCK_FILE = ".stack.lock"
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a rendering changed, checked and made, of how many files, and what is missing or has yet to be done."""

    changed: tuple[Found, ...]
    count: int
    checks: tuple[Check, ...]
    secrets: tuple[str, ...]
    missing_compose_files: tuple[str, ...]
    to_do: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Why a folder is to be rendered (nothing: it is not), its compose files, and what a person has yet to do."""

    reasons: tuple[str, ...]
    compose_files: tuple[str, ...]
    missing_compose_files: tuple[str, ...]
    to_do: tuple[str, ...]


class StackFolder:
    """Reads the inputs when it is made; every method looks at the disk anew."""

    def __init__(self, folder: Path, programs: Programs, clock: Clock) -> None:
        self._folder, self._programs, self._clock = folder, programs, clock
        self._inputs: Inputs = read_inputs(folder)
        self._outputs: tuple[Output, ...] = rendered(self._deployment)

    @property
    def _deployment(self) -> Deployment:
        return self._inputs.deployment

    def render(self, *, force: bool) -> Rendered:
        """Check everything, and write what differs.

        RefusedError for files that somebody has edited and for what is kept too shortly, unless it is forced;
        ConfigError for what the programs would not understand. Then nothing is written.
        """
        found = self._compared()
        if not force:
            self._refuse_short_retention()
            refuse_to_undo(found)
        refuse_obstacles(self._folder, found)
        refuse_unusable(self._folder)
        checks = self._checked()
        with exclusive(self._folder / _LOCK_FILE, who="stack render", wait_s=_WAIT_S, clock=self._clock):
            # Somebody may have edited or rendered something while it was checked.
            self._refuse_changed_inputs()
            found = self._compared()
            if not force:
                refuse_to_undo(found)
            changed = write_stack(self._folder, found, record_of(self._inputs))
            made = tuple(make_secrets(self._folder, self._deployment))
        return Rendered(
            changed=changed,
            count=len(self._outputs),
            checks=checks,
            secrets=made,
            missing_compose_files=self._compose_files()[1],
            to_do=tuple(self._to_do()),
        )

    def check(self, *, force: bool) -> tuple[Check, ...]:
        """Write nothing; NotReadyError when something would be written, else as `render`."""
        found = self._compared()
        if not force:
            self._refuse_short_retention()
        checks = self._checked()
        why = tuple(self._reasons(found))
        if why:
            raise NotReadyError(_listed("the stack needs to be rendered", why), hint="ci-toolkit stack render")
        return checks

    def status(self) -> Status:
        """How the folder is."""
        there, missing = self._compose_files()
        return Status(
            reasons=tuple(self._reasons(self._compared())),
            compose_files=there,
            missing_compose_files=missing,
            to_do=tuple(self._to_do()),
        )

    def diff(self) -> Iterator[str]:
        """Lines of a unified diff from what is there to what would be rendered."""
        for one in self._compared():
            if one.state is State.SAME:
                continue
            before = (one.before or b"").decode(errors="replace").splitlines(keepends=True)
            after = (one.output.content if one.output else b"").decode().splitlines(keepends=True)
            old = "/dev/null" if one.before is None else f"a/{one.path}"
            new = "/dev/null" if one.output is None else f"b/{one.path}"
            yield from difflib.unified_diff(before, after, old, new, n=_CONTEXT_LINES)

    def _compose_files(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the manifest that are there, and those that are missing."""
        listed: tuple[str, ...] = ()
        if (self._folder / MANIFEST_FILE).is_file():
            listed = manifest_files((self._folder / MANIFEST_FILE).read_text(errors="replace"))
        there = tuple(file for file in listed if (self._folder / file).is_file())
        return there, tuple(file for file in listed if file not in there)

    def _compared(self) -> tuple[Found, ...]:
        return compared(self._folder, self._outputs)

    def _reasons(self, found: tuple[Found, ...]) -> Iterator[str]:
        yield from reasons(read_record(self._folder), record_of(self._inputs), found)

    def _to_do(self) -> Iterator[str]:
        yield from secret_faults(self._folder, self._deployment)
        named = set(self._deployment.stack.workers)
        for worker in sorted(set(self._deployment.farm.workers) - named):
            yield f"worker {worker} of farm.toml is not in stack.toml: nobody watches it"
        if self._deployment.stack.alerts.is_empty:
            yield "nobody is told of alerts: [alerts] in stack.toml says who is"

    def _refuse_short_retention(self) -> None:
        for fault in loki_faults(self._deployment.stack):
            raise RefusedError(fault, file="stack.toml", hint="--force renders it all the same")

    def _refuse_changed_inputs(self) -> None:
        if digests_now(self._folder, self._deployment.stack) != self._inputs.digests:
            problem = "stack.toml or farm.toml was changed while it was checked, and nothing was written"
            raise NotReadyError(problem, hint="render again")

    def _checked(self) -> tuple[Check, ...]:
        checks = tuple(all_checks(self._deployment, self._outputs, self._programs))
        faults = [f"{check.name}: {fault}" for check in checks for fault in check.faults]
        if faults:
            raise ConfigError(_listed("what was rendered does not hold, and nothing was written", faults))
        return checks


def _listed(problem: str, sentences: Iterable[str]) -> str:
    """A problem that has parts, one a line."""
    return "\n  ".join((f"{problem}:", *sentences))
