"""Artifacts as objects of JSON, as job databases keep them, commands print them and farms send them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ci_toolkit.errors import FormatError
from ci_toolkit.model.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DIGEST = re.compile(r"[0-9a-f]{64}")


def artifact_record(artifact: Artifact) -> dict[str, Any]:
    """What an artifact is; `size_bytes` is that of its file."""
    return {
        "file": artifact.file,
        "name": artifact.name,
        "version": artifact.version,
        "arch": artifact.arch,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
    }


def parse_artifact_record(record: Mapping[str, Any]) -> Artifact:
    """What `artifact_record` made; FormatError for anything else. What a later version adds is passed over."""
    try:
        return Artifact(
            file=_text(record["file"]),
            name=_text(record["name"]),
            version=_text(record["version"]),
            arch=_text(record["arch"]),
            sha256=_digest(record["sha256"]),
            size_bytes=_size(record["size_bytes"]),
        )
    except (KeyError, TypeError) as error:
        raise FormatError("is no artifact of a job", got=repr(record)) from error


def format_artifacts(artifacts: Iterable[Artifact]) -> str:
    """Several, in one line."""
    return json.dumps([artifact_record(one) for one in artifacts], separators=(",", ":"))


def parse_artifacts(text: str) -> tuple[Artifact, ...]:
    """What `format_artifacts` made; FormatError for anything else."""
    try:
        return tuple(map(parse_artifact_record, json.loads(text)))
    except (ValueError, TypeError) as error:
        raise FormatError("are no artifacts of a job", got=text) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _digest(value: object) -> str:
    text = _text(value)
    if _DIGEST.fullmatch(text) is None:
        raise TypeError(value)
    return text


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(value)
    return value
