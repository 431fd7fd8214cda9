"""Names for problems that stay when lines move, so that a service knows which are new."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ci_toolkit.checks.problem import Problem


def with_fingerprints(problems: Iterable[Problem]) -> Iterator[tuple[Problem, str]]:
    """Each with 32 hexadecimal digits made of check, file and text; the second alike in a file has others."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for problem in problems:
        key = (problem.check, problem.file, problem.text)
        seen[key] += 1
        text = "\0".join((*key, str(seen[key])))
        yield problem, hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
