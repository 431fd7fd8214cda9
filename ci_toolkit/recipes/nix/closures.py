"""Exports of closures as files: read as if an enemy had made them, and told to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_toolkit.errors import UpstreamError
from ci_toolkit.formats.byte_stream import pieces_of
from ci_toolkit.formats.nar import NarLimits
from ci_toolkit.formats.nix_closure import read_closure, top_paths

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from ci_toolkit.formats.nix_closure import ClosurePath

_MOST_TOLD = 500


def closure_of(path: Path, *, limit_bytes: int) -> tuple[ClosurePath, ...]:
    """What is in an export; FormatError when it is none, UpstreamError for one that is larger than `limit_bytes`."""
    if path.stat().st_size > limit_bytes:
        raise UpstreamError(f"{path.name} is larger than {limit_bytes >> 20} MiB")
    with path.open("rb") as file:
        return tuple(read_closure(pieces_of(file), limits=NarLimits(most_bytes=limit_bytes)))


def check_closure(closure: Sequence[ClosurePath], asked: Collection[str], allowed: Mapping[str, str | None]) -> None:
    """Nothing; UpstreamError when a closure is not just what was `asked` for, with paths that are `allowed` in it.

    Those have the digest of their archive as far as it was known before anything was built. A builder may have had the
    store in its hands, and a path's name says what made it: nobody else may say what is in it.
    """
    for one in closure:
        path = str(one.path)
        if path not in allowed:
            raise UpstreamError(f"{path} came out of it, which is no output of what was evaluated")
        if allowed[path] not in (None, one.nar_sha256):
            raise UpstreamError(f"{path} was changed while something else was built")
    others = {str(one.path) for one in top_paths(closure)} - set(asked)
    if others:
        raise UpstreamError(f"{min(others)} came out of it, and nobody asked for it")
    missing = set(asked) - {str(one.path) for one in closure}
    if missing:
        raise UpstreamError(f"{min(missing)} was asked for, and is not in what came out of it")


def closure_text(closure: Sequence[ClosurePath]) -> str:
    """The closure with its references, a path a line, those first that were asked for."""
    tops = set(top_paths(closure))
    size = sum(one.nar_size_bytes for one in closure)
    lines = [f"the closure has {len(closure)} paths with {size} bytes:"]
    for one in sorted(closure, key=lambda one: (one not in tops, one.path))[:_MOST_TOLD]:
        others = [reference.base_name for reference in one.references if reference != one.path]
        refers = f" -> {' '.join(others)}" if others else ""
        lines.append(f"  {one.path} ({one.nar_size_bytes} bytes, sha256:{one.nar_sha256}){refers}")
    if len(closure) > _MOST_TOLD:
        lines.append(f"  and {len(closure) - _MOST_TOLD} more")
    return "\n".join(lines)
