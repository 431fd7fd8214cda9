"""Why a stack needs to be rendered, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.stack.comparing import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.stack.comparing import Found
    from ci_toolkit.stack.writing import Record


def reasons(before: Record | None, now: Record, found: Iterable[Found]) -> Iterator[str]:
    """What has changed since, where that is known, and then every file that is not as it would be rendered."""
    listed = list(found)
    differing = [one for one in listed if one.state is not State.SAME]
    if before is not None:
        yield from _changes(before, now)
    elif all(one.state is State.MISSING for one in differing) and len(differing) == len(listed):
        yield "nothing was rendered here yet"
        return
    for one in differing:
        yield f"{one.path} is {one.state.value}"


def _changes(before: Record, now: Record) -> Iterator[str]:
    if before.version != now.version:
        yield f"ci-toolkit was {before.version} and is {now.version}"
    for name in sorted({*before.inputs, *now.inputs}):
        if before.inputs.get(name) != now.inputs.get(name):
            yield f"{name} has changed" if name in before.inputs else f"{name} is read now"
    for name in sorted({*before.plugins, *now.plugins}):
        old, new = before.plugins.get(name), now.plugins.get(name)
        if old is None and new is not None:
            yield f"plugin {name} ({new[0]}) is there now"
        elif new is None and old is not None:
            yield f"plugin {name} ({old[0]}) is gone"
        elif old is not None and new is not None and old != new:
            yield f"plugin {name} has changed ({old[0]}{'' if old[0] == new[0] else f' → {new[0]}'})"
