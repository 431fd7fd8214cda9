"""The hidden last line of a review's description, by which a later run knows what it shows.

    <!-- ci-toolkit {"v":1,"package":"paru","content":"<tree>","head":"<commit>","retired":false} -->

Only the last line counts, and only in exactly this form; text from upstream stands above it and cannot form one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_toolkit.forges.cutting import cut_text
from ci_toolkit.model.names import Oid, Pkgbase, is_oid, is_pkgbase

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
LONGEST_BODY = 60_000
"""Characters of a description: GitHub takes 65,536, GitLab 1,048,576, and nobody reads more."""

_LINE = re.compile(r"<!-- ci-toolkit (\{[^\n]{1,1000}\}) -->")
# The record that a description holds besides (see review.record) serves to compare findings, and for nothing else.
_LOOKALIKE = re.compile(r"<!--(?=\s*ci-toolkit(?!-review ))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a description shows. `content` is the name of the folder's tree; `retired`: closed by ci-toolkit itself."""

    package: Pkgbase
    content: Oid
    head: Oid
    retired: bool = False


def format_marker(marker: Marker) -> str:
    """The line, without a newline."""
    fields = {
        "v": VERSION,
        "package": marker.package,
        "content": marker.content,
        "head": marker.head,
        "retired": marker.retired,
    }
    return f"<!-- ci-toolkit {json.dumps(fields, separators=(',', ':'))} -->"


def parse_marker(body: str) -> Marker | None:
    """The marker at the end of a description, None without one that is exactly as `format_marker` writes it."""
    line = body.rstrip()[-1200:].rpartition("\n")[2].strip()
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    try:
        fields = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    marker = _marker(fields) if isinstance(fields, dict) else None
    return marker if marker is not None and format_marker(marker) == line else None


def _marker(fields: Mapping[str, object]) -> Marker | None:
    match fields:
        case {
            "v": 1,
            "package": str(package),
            "content": str(content),
            "head": str(head),
            "retired": bool(retired),
        } if is_pkgbase(package) and is_oid(content) and is_oid(head):
            return Marker(package=Pkgbase(package), content=Oid(content), head=Oid(head), retired=retired)
        case _:
            return None


def with_marker(body: str, marker: Marker) -> str:
    """A description that ends with `marker` and has no other, cut where it is too long."""
    text = without_lookalikes(body).rstrip()
    line = format_marker(marker)
    return f"{cut_text(text, LONGEST_BODY - len(line) - 2)}\n\n{line}"


def with_retired(body: str, marker: Marker) -> str:
    """The same description, saying that ci-toolkit closed it."""
    lines = body.rstrip().split("\n")
    text = "\n".join(lines[:-1]) if parse_marker(body) is not None else body
    return with_marker(text, marker)


def without_lookalikes(text: str) -> str:
    """`text` in which nothing could be taken for a marker, were it to stand at the end."""
    return _LOOKALIKE.sub("&lt;!--", text)
