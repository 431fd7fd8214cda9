"""`.verdicts` on the state branch: one JSON object a line, sorted by package, in ASCII."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ci_toolkit.model.verdict import CODES, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON values; what is empty is left out."""
    fields: dict[str, Any] = {
        "package": verdict.package,
        "code": verdict.code.code,
        "from": verdict.old,
        "to": verdict.new,
        "why": verdict.why,
        "now": verdict.now,
        "builds": verdict.builds,
        "problems": list(verdict.problems),
    }
    return {key: value for key, value in fields.items() if value}


def format_verdicts(verdicts: Iterable[Verdict]) -> bytes:
    """The file's bytes."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.package)
    return "".join(f"{json.dumps(verdict_fields(verdict))}\n" for verdict in ordered).encode()


def parse_verdicts(content: bytes) -> dict[str, Verdict]:
    """Verdicts by package; lines that are not understood are left out, as a newer run may have written them."""
    found = {}
    for line in content.split(b"\n"):
        try:
            fields = json.loads(line) if line else None
        except ValueError:
            continue
        verdict = _verdict(fields) if isinstance(fields, dict) else None
        if verdict is not None:
            found[str(verdict.package)] = verdict
    return found


def _verdict(fields: dict[str, Any]) -> Verdict | None:
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    if "package" not in texts or texts.get("code") not in CODES:
        return None
    problems = fields.get("problems")
    return Verdict(
        package=texts["package"],
        code=CODES[texts["code"]],
        why=texts.get("why", ""),
        now=texts.get("now", ""),
        old=texts.get("from"),
        new=texts.get("to"),
        builds=fields.get("builds") is True,
        problems=tuple(map(str, problems)) if isinstance(problems, list) else (),
    )
